"""Whatever stands on a topic: each record is processed or put aside, and every worker lives on."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from schemas.contract import Unreadable
from schemas.lifecycle import StepV1
from schemas.telemetry import HealthStatus
from schemas.topics import DECLARED, HEALTH, LIFECYCLE, TopicDeclaration
from streams.agents.dead_letters import HOP, OFFSET, PARTITION, REASON
from streams.agents.detect import INPUTS as DETECT_INPUTS
from streams.agents.history import PUT_ASIDE_ELSEWHERE, RECORDED, rows_in
from streams.agents.incidents import INPUTS as INCIDENTS_INPUTS
from streams.agents.notify import INPUTS as NOTIFY_INPUTS
from streams.errors import Rejected
from streams.gateways.clock import now
from streams.gateways.policies import publish as publish_policy
from streams.releases import Release, released, texts_of
from streams.settings import Settings
from tests import poison
from tests.pipeline import (
    Pipeline,
    dead_letters,
    ends_of,
    eventually,
    producing,
    publish,
    read_topic,
)
from tests.world import health_now

pytestmark = [pytest.mark.broker, pytest.mark.slow]

RANDOM = 1_000
MUTATED = 1_000
READS = {
    "detect": DETECT_INPUTS,
    "incidents": INCIDENTS_INPUTS,
    "notify": NOTIFY_INPUTS,
    "record": [topic for topic in RECORDED if topic not in PUT_ASIDE_ELSEWHERE],
}
INPUTS = [topic for topic in DECLARED if any(topic in read for read in READS.values())]


def examples(topic: TopicDeclaration) -> Sequence[bytes]:
    folder = Path("schemas/examples") / topic.contract.event_type
    return [file.read_bytes() for file in sorted(folder.glob("*.json"))]


def poison_for(topic: TopicDeclaration, chance: Random) -> list[tuple[bytes | None, bytes | None]]:
    payloads = [
        *poison.HOSTILE,
        *poison.random_bytes(chance, RANDOM),
        *poison.mutations(chance, examples(topic), MUTATED),
    ]
    keys: list[bytes | None] = [b"", b"default/shop", b"\xff"]
    if not topic.compacted:  # A broker takes nothing without a key there.
        keys.append(None)
    return [(b"default/shop", None), *((chance.choice(keys), payload) for payload in payloads)]


async def committed(settings: Settings, role: str) -> dict[TopicPartition, int]:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.broker)
    await admin.start()
    try:
        places = [
            TopicPartition(settings.topic(topic.name), partition)
            for topic in READS[role]
            for partition in range(settings.partitions)
        ]
        group = f"{settings.topic_prefix}tocsin-{role}"
        found = await admin.list_consumer_group_offsets(group, partitions=places)
        return {place: found[place].offset for place in places if found[place].offset >= 0}
    finally:
        await admin.close()


async def publish_oddities(settings: Settings, topic: TopicDeclaration) -> None:
    """Publish what only some producers let through: neither key nor value, headers without a value or with our names."""
    odd = [
        ("", None),
        ("ce_id", None),
        (HOP, b"theirs"),
        (OFFSET, b"-1"),
        ("large", b"x" * 300_000),
    ]
    async with producing(settings, max_batch_size=1_000_000) as producer:
        batch = producer.create_batch()
        key = b"" if topic.compacted else None
        batch.append(key=key, value=None, timestamp=None)
        batch.append(key=key, value=b"\xff", timestamp=None, headers=odd)
        sent = await producer.send_batch(batch, settings.topic(topic.name), partition=0)
        await sent


def unreadable(topic: TopicDeclaration, record: Any) -> bool:
    if topic.compacted and record.value is None:
        return False  # A tombstone; the wheel broker makes one of an empty value.
    try:
        topic.contract.from_wire(record.value)
    except Unreadable:
        return True
    return False


def unrecorded(topic: TopicDeclaration, record: Any) -> bool:
    """Whether history cannot hold it: words of a newer release, which other hops cannot act on, it can."""
    try:
        rows_in(topic, record)
    except (Unreadable, Rejected):
        return True
    return False


async def test_poison_on_every_input_is_processed_or_put_aside(pipeline: Pipeline) -> None:
    """One bad message would stop everybody's pages."""
    settings = pipeline.settings
    pipeline.start()
    await pipeline.ready()
    chance = Random(20261123)
    for topic in INPUTS:
        assert examples(topic), topic.name
        await publish(settings, topic, poison_for(topic, chance), max_request_size=2_000_000)
        await publish_oddities(settings, topic)

    # Everything that stands on an input now is behind each of its readers in the end.
    ends = {topic.name: await ends_of(settings, topic.name) for topic in INPUTS}
    for role, topics in READS.items():

        async def done(role: str = role, topics: Any = topics) -> bool:
            assert pipeline.workers[role].alive(), pipeline.workers[role].tail()
            reached = await committed(settings, role)
            return all(
                reached.get(place, 0) >= end
                for topic in topics
                for place, end in ends[topic.name].items()
            )

        await eventually(done, f"{role} has read everything", pipeline.tails)
    for worker in pipeline.workers.values():
        assert worker.alive(), worker.tail()
        assert worker.ready(), worker.tail()

    # What can't be read is a dead letter of each hop that reads it, once, and says why without quoting it.
    for topic in INPUTS:
        readers = [role for role, topics in READS.items() if topic in topics]
        letters = await dead_letters(settings, topic)
        put_aside = Counter(
            (headers[HOP].decode(), int(headers[PARTITION]), int(headers[OFFSET]))
            for headers in (dict(letter.headers) for letter in letters)
        )
        assert set(put_aside.values()) <= {1}, topic.name
        records = await read_topic(settings, topic.name)
        must = {
            (role, record.partition, record.offset)
            for record in records
            for role in readers
            if (unrecorded if role == "record" else unreadable)(topic, record)
        }
        assert len(must) >= RANDOM * len(readers)
        assert must <= set(put_aside), topic.name
        originals = {(record.partition, record.offset): record for record in records}
        for letter in letters:
            headers = dict(letter.headers)
            original = originals[int(headers[PARTITION]), int(headers[OFFSET])]
            assert (letter.key or None, letter.value) == (original.key or None, original.value)
            assert headers[REASON]
            assert not re.search(rb"a{30}|DROP TABLE|<script", headers[REASON])

    # And the pipeline still does its work, under a policy that is meant: who may write to `policies` can put any in force.
    texts = texts_of(settings.policy)
    meant = released(texts, None, Release("ana", "As before", now()), settings.partitions)
    await publish_policy(settings, meant)

    async def opened() -> bool:
        # Topics are read side by side: the first can come before the policy.
        await publish(settings, HEALTH, [health_now("survivor", HealthStatus.UNHEALTHY)])
        steps = [
            StepV1.from_wire(record.value)
            for record in await read_topic(settings, LIFECYCLE.name)
            if not unreadable(LIFECYCLE, record)
        ]
        return any(step.incident.service == "survivor" for step in steps)

    await eventually(opened, "an incident opens", pipeline.tails)
