"""
What the hops need of a broker, asked of whichever runs: the same suite for all of them.

A broker that lacks something is skipped with its reason in conftest.py, never quietly.
"""

import asyncio
import os
import secrets
import signal
import socket
import struct
import sys
from contextlib import closing
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streams.errors import SettingsError, Unavailable
from streams.gateways.topics import create_topics, list_topics, wanted
from streams.laptop.brokers.choosing import choose
from streams.settings import Settings
from tests.pipeline import eventually

pytestmark = pytest.mark.broker

#: Longer than a rebalance takes on any of them.
WITHIN = 40.0


async def new_topic(bootstrap, partitions=1, **config):
    name = f"conformance-{secrets.token_hex(4)}"
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        topic = NewTopic(name, partitions, 1, topic_configs=config)
        response = await admin.create_topics([topic])
        assert [(each[0], each[1]) for each in response.topic_errors] == [(name, 0)]
    finally:
        await admin.close()
    return name


async def publish(bootstrap, topic, values, **how):
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, **{"enable_idempotence": False, "acks": "all", **how}
    )
    await producer.start()
    try:
        sent = [await producer.send(topic, **value) for value in values]
        return [await each for each in sent]
    finally:
        await producer.stop()


async def read(bootstrap, topic, count, partition=0):
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        place = TopicPartition(topic, partition)
        consumer.assign([place])
        await consumer.seek_to_beginning(place)
        async with asyncio.timeout(WITHIN):
            return [await consumer.getone() for _ in range(count)]
    finally:
        await consumer.stop()


def member(bootstrap, topic, group):
    return AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=6_000,
        heartbeat_interval_ms=500,
    )


async def until(holds):
    async with asyncio.timeout(WITHIN):
        # What it looks at is outside this process, or inside a client: nothing tells of it.
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_every_topic_of_the_installation_can_be_made(broker):
    """Compaction, retention and segment settings are accepted, and a second time changes nothing."""
    prefix = f"c{secrets.token_hex(4)}."
    settings = Settings(
        broker=broker.bootstrap, topic_prefix=prefix, partitions=2, **broker.client_settings
    )

    created = await create_topics(settings)

    assert set(created) == {topic.name for topic in wanted(settings)}
    assert set(created) <= set(await list_topics(settings))
    assert await create_topics(settings) == []


async def test_a_topic_keeps_its_configuration(broker):
    """A journal that is deleted instead of compacted would lose state."""
    topic = await new_topic(
        broker.bootstrap, **{"cleanup.policy": "compact,delete", "retention.ms": "604800000"}
    )
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)

    async def configuration():
        # A topic that was made a moment ago is not known to every part of Apache Kafka yet.
        [response] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        return {entry[0]: entry[1] for entry in response.resources[0][4]}

    await admin.start()
    try:
        told = await eventually(configuration, "the topic is known")
    finally:
        await admin.close()

    assert told["cleanup.policy"] == "compact,delete"
    assert told["retention.ms"] == "604800000"


async def test_a_record_arrives_as_it_was_sent(broker):
    """Key, headers (one of them twice), time and a missing value carry meaning for the hops."""
    topic = await new_topic(broker.bootstrap)
    headers = [("ce_id", b"1"), ("ce_type", "störung".encode()), ("ce_id", b"2")]
    await publish(
        broker.bootstrap,
        topic,
        [
            {
                "key": b"k",
                "value": b"\x00\xff{}",
                "headers": headers,
                "timestamp_ms": 1_767_225_600_123,
            },
            {"key": b"k", "value": None, "timestamp_ms": 1_767_225_600_124},
            {"value": b"no key"},
        ],
    )

    first, tombstone, keyless = await read(broker.bootstrap, topic, 3)

    assert (first.key, first.value) == (b"k", b"\x00\xff{}")
    assert list(first.headers) == headers
    assert first.timestamp == 1_767_225_600_123
    assert (tombstone.key, tombstone.value, tombstone.timestamp) == (b"k", None, 1_767_225_600_124)
    assert (keyless.key, keyless.value) == (None, b"no key")
    assert [first.offset, tombstone.offset, keyless.offset] == [0, 1, 2]


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_compressed_records_arrive(broker, codec):
    topic = await new_topic(broker.bootstrap)
    values = [f"{number} ".encode() * 50 for number in range(20)]
    await publish(
        broker.bootstrap, topic, [{"value": value} for value in values], compression_type=codec
    )

    assert [record.value for record in await read(broker.bootstrap, topic, 20)] == values


async def test_a_key_stays_in_its_partition_and_in_order(broker):
    """One incident's steps are only in order because of this."""
    topic = await new_topic(broker.bootstrap, partitions=3)
    sent = await publish(
        broker.bootstrap,
        topic,
        [{"key": f"{n % 5}".encode(), "value": f"{n}".encode()} for n in range(60)],
    )

    partitions_of = {n % 5: set() for n in range(60)}
    for n, metadata in enumerate(sent):
        partitions_of[n % 5].add(metadata.partition)
    assert all(len(partitions) == 1 for partitions in partitions_of.values())
    for partition in {metadata.partition for metadata in sent}:
        mine = [n for n, metadata in enumerate(sent) if metadata.partition == partition]
        records = await read(broker.bootstrap, topic, len(mine), partition)
        assert [int(record.value) for record in records] == mine


async def test_a_message_of_a_megabyte_arrives(broker):
    topic = await new_topic(broker.bootstrap)
    value = secrets.token_bytes(1_000_000)
    await publish(broker.bootstrap, topic, [{"value": value}], max_request_size=1_048_576)

    [record] = await read(broker.bootstrap, topic, 1)

    assert record.value == value


async def test_an_idempotent_producer_is_served(broker):
    broker.skip_unless("idempotence")
    topic = await new_topic(broker.bootstrap)
    await publish(
        broker.bootstrap,
        topic,
        [{"value": f"{n}".encode()} for n in range(100)],
        enable_idempotence=True,
    )

    assert len(await read(broker.bootstrap, topic, 100)) == 100


async def test_two_members_share_partitions_and_one_takes_over(broker):
    """Otherwise a worker that leaves takes its partitions with it."""
    topic = await new_topic(broker.bootstrap, partitions=4)
    everything = {TopicPartition(topic, number) for number in range(4)}
    group = f"g-{topic}"
    staying, leaving = (member(broker.bootstrap, topic, group) for _ in range(2))
    await staying.start()
    try:
        await leaving.start()
        try:
            await until(lambda: len(staying.assignment()) == len(leaving.assignment()) == 2)
            assert staying.assignment() | leaving.assignment() == everything
        finally:
            await leaving.stop()
        await until(lambda: staying.assignment() == everything)
        await publish(
            broker.bootstrap, topic, [{"value": b"x", "partition": number} for number in range(4)]
        )
        async with asyncio.timeout(WITHIN):
            heard = [await staying.getone() for _ in range(4)]
        assert {record.partition for record in heard} == {0, 1, 2, 3}
    finally:
        await staying.stop()


async def test_committed_offsets_outlive_their_consumer(broker):
    """A restarted worker reads neither from the start nor past what it has not done."""
    topic = await new_topic(broker.bootstrap)
    await publish(broker.bootstrap, topic, [{"value": f"{n}".encode()} for n in range(10)])
    first = member(broker.bootstrap, topic, f"g-{topic}")
    await first.start()
    try:
        async with asyncio.timeout(WITHIN):
            for _ in range(6):
                await first.getone()
        await first.commit({TopicPartition(topic, 0): 4})
    finally:
        await first.stop()

    second = member(broker.bootstrap, topic, f"g-{topic}")
    await second.start()
    try:
        async with asyncio.timeout(WITHIN):
            record = await second.getone()
        assert record.value == b"4"
    finally:
        await second.stop()


async def test_end_offsets_grow_with_what_is_published(broker):
    """Ticks say how far inputs reached; a hop waits for exactly that."""
    topic = await new_topic(broker.bootstrap)
    place = TopicPartition(topic, 0)
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        assert (await consumer.end_offsets([place]))[place] == 0
        for number in range(1, 4):
            await publish(broker.bootstrap, topic, [{"value": b"x"}])
            assert (await consumer.end_offsets([place]))[place] == number
    finally:
        await consumer.stop()


async def test_what_it_holds_is_there_after_a_restart(broker, own_broker):
    """`tocsin up` again continues where it was."""
    broker.skip_unless("keeping state")
    await own_broker.start()
    try:
        topic = await new_topic(own_broker.bootstrap)
        await publish(own_broker.bootstrap, topic, [{"value": b"kept"}])
        consumer = member(own_broker.bootstrap, topic, "g")
        await consumer.start()
        try:
            await consumer.getone()
            await consumer.commit()
        finally:
            await consumer.stop()
        await own_broker.stop()
        await own_broker.start()

        [record] = await read(own_broker.bootstrap, topic, 1)
        assert record.value == b"kept"
        consumer = member(own_broker.bootstrap, topic, "g")
        await consumer.start()
        try:
            assert await consumer.committed(TopicPartition(topic, 0)) == 1
        finally:
            await consumer.stop()
    finally:
        await own_broker.stop()


async def test_what_was_confirmed_is_there_after_a_kill(broker, own_broker):
    broker.skip_unless("keeping state")
    await own_broker.start()
    try:
        topic = await new_topic(own_broker.bootstrap)
        await publish(own_broker.bootstrap, topic, [{"value": b"confirmed"}])
        os.kill(own_broker.child.pid, signal.SIGKILL)
        await own_broker.child.wait()
        await own_broker.start()

        [record] = await read(own_broker.bootstrap, topic, 1)
        assert record.value == b"confirmed"
    finally:
        await own_broker.stop()


async def test_a_taken_port_is_refused_by_its_number(own_broker):
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", int(own_broker.bootstrap.rpartition(":")[2])))
        other.listen()

        with pytest.raises(SettingsError) as refused:
            await own_broker.start()

    assert own_broker.bootstrap in str(refused.value)
    assert own_broker.child is None


@pytest.mark.skipif(sys.platform != "linux", reason="sockets are looked up in /proc")
async def test_it_listens_on_the_loopback_interface_only(own_broker):
    """What runs on a laptop is nobody else's."""
    await own_broker.start()
    try:
        assert _listening(own_broker.child.pid) == {"127.0.0.1"}
    finally:
        await own_broker.stop()


async def test_an_end_while_it_starts_is_told_with_the_end_of_its_log(broker, own_broker, tmp_path):
    """The reason stands in a log that nobody knows of yet."""
    if broker.kind != "apache":
        pytest.skip("the wheel broker has no state that could be broken")
    await own_broker.start()
    await own_broker.stop()
    [properties] = (tmp_path / "state").rglob("meta.properties")
    properties.write_text("cluster.id=another\nversion=1\n")

    with pytest.raises(Unavailable) as told:
        await own_broker.start()

    assert str(tmp_path / "broker.log") in str(told.value)
    assert len(str(told.value).splitlines()) > 2
    assert not own_broker.child.running


async def test_an_address_without_a_broker_is_refused(monkeypatch):
    monkeypatch.setattr("streams.laptop.brokers.address._ANSWERS_WITHIN", 0.5)
    with closing(socket.socket()) as silent:
        silent.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{silent.getsockname()[1]}"
    chosen, _ = choose(address, Path(), 0, Path())

    with pytest.raises(Unavailable, match=address):
        async with asyncio.timeout(WITHIN):
            await chosen.start()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
async def test_it_ends_with_a_supervisor_that_is_killed(broker, own_broker, tmp_path):
    """Otherwise a killed `tocsin up` keeps its ports, and the next one can't start."""
    script = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from streams.laptop.brokers.choosing import choose\n"
        "async def main():\n"
        "    kind, folder, port = sys.argv[1:]\n"
        "    broker, _ = choose(kind, Path(folder), int(port), Path(folder, 'broker.log'))\n"
        "    await broker.start()\n"
        "    print(broker.child.pid, flush=True)\n"
        "    await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    supervisor = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script, broker.kind, str(tmp_path)),
        own_broker.bootstrap.rpartition(":")[2],
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(WITHIN):
            pid = int(await supervisor.stdout.readline())
        assert _runs(pid)
    finally:
        supervisor.kill()
        await supervisor.communicate()

    await until(lambda: not _runs(pid))


def _runs(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def _listening(pid):
    """Return the addresses that the process listens on."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(link.readlink())
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    found = set()
    for family, table in ((socket.AF_INET, "tcp"), (socket.AF_INET6, "tcp6")):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            columns = line.split()
            if columns[3] != "0A" or columns[9] not in inodes:
                continue
            words = columns[1].partition(":")[0]
            # Each word of four bytes stands in the machine's order.
            address = b"".join(
                struct.pack("=I", int(words[at : at + 8], 16)) for at in range(0, len(words), 8)
            )
            text = socket.inet_ntop(family, address)
            # Java listens on IPv6 sockets for both.
            found.add(text.removeprefix("::ffff:"))
    return found
