"""Creates the installation's topics, and tells how far they reach."""

import asyncio
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    TopicAlreadyExistsError,
    for_code,
)

from schemas.topics import DECLARED, JOURNALS
from streams.errors import Unavailable
from streams.gateways.connecting import about_rights, client, no_broker, refusal
from streams.settings import Settings

#: Milliseconds that the broker may take to create topics.
_TIMEOUT_MS: Final = 30_000
#: Seconds that it may take to answer.
_ANSWERS_WITHIN: Final = 10.0
#: Bytes of one record of a journal or a dead-letter topic. A record of the broker's default limit, 1 MiB, fits in with what
#: is put beside it, in base64.
LARGE_BYTES: Final = 4 * 1024 * 1024
#: Bytes of a journal's segment: small ones are compacted soon, and a take-over reads less.
_JOURNAL_SEGMENT: Final = 16 * 1024 * 1024


def wanted(settings: Settings) -> list[NewTopic]:
    """Return every topic of the installation, with its configuration."""
    topics = []
    large = {"max.message.bytes": str(LARGE_BYTES)}
    for topic in DECLARED:
        config = {"retention.ms": str(int(topic.retention.total_seconds() * 1000))}
        if topic.compacted:
            config["cleanup.policy"] = "compact,delete"
        topics.append(_new(topic.name, settings.partitions, config, settings))
        if topic.dead_letters:
            # Few messages, read by people: one partition keeps them in order.
            topics.append(_new(topic.dead, 1, {**config, **large}, settings))
    journal = {
        **large,
        "cleanup.policy": "compact",
        "segment.bytes": str(_JOURNAL_SEGMENT),
        # What a snapshot replaced may go soon.
        "min.cleanable.dirty.ratio": "0.2",
        "delete.retention.ms": str(60 * 60 * 1000),
    }
    topics.extend(_new(each.name, settings.partitions, journal, settings) for each in JOURNALS)
    return topics


def _new(name: str, partitions: int, config: dict[str, str], settings: Settings) -> NewTopic:
    return NewTopic(
        settings.topic(name),
        num_partitions=partitions,
        replication_factor=settings.replication,
        topic_configs=config,
    )


async def list_topics(settings: Settings) -> list[str]:
    """
    Return the names of all topics on the broker.

    Raises:
        Unavailable: The broker does not answer.
    """
    admin = AIOKafkaAdminClient(**client(settings), client_id="tocsin-topics")
    try:
        async with asyncio.timeout(_ANSWERS_WITHIN):
            await admin.start()
            return list(await admin.list_topics())
    except (KafkaError, OSError, TimeoutError) as error:
        raise await no_broker(settings, error) from None
    finally:
        await admin.close()


async def check_group(settings: Settings, group: str) -> None:
    """
    Do nothing where the broker lets us work in *group*, or does not say yet.

    Raises:
        AccessRefused: It does not: a worker would wait for its partitions for ever, and nobody hear why.
    """
    admin = AIOKafkaAdminClient(**client(settings), client_id="tocsin-topics")
    try:
        async with asyncio.timeout(_ANSWERS_WITHIN):
            await admin.start()
            await admin.find_coordinator(group)
    except (KafkaError, OSError) as error:
        refused = about_rights(error, settings)
        if refused is not None:
            raise refused from None
    finally:
        await admin.close()


async def create_topics(settings: Settings) -> list[str]:
    """
    Create the topics that are missing and return their names.

    Raises:
        Unavailable: The broker does not answer, refuses, or has a topic with another number of partitions.
    """
    admin = AIOKafkaAdminClient(**client(settings), client_id="tocsin-topics")
    try:
        await admin.start()
        have = set(await admin.list_topics())
        missing = [topic for topic in wanted(settings) if topic.name not in have]
        if missing:
            response = await admin.create_topics(missing, timeout_ms=_TIMEOUT_MS)
            _check(response)
        await _check_partitions(admin, settings)
    except (KafkaConnectionError, OSError) as error:
        raise await no_broker(settings, error) from None
    except KafkaError as error:
        message = f"no topics could be created on the broker {settings.broker}: {_said(error)}"
        raise await refusal(settings) or Unavailable(message) from None
    finally:
        await admin.close()
    return [topic.name for topic in missing]


async def _check_partitions(admin: AIOKafkaAdminClient, settings: Settings) -> None:
    wanted_counts = {topic.name: topic.num_partitions for topic in wanted(settings)}
    described = await admin.describe_topics(list(wanted_counts))
    wrong = [
        f"{topic['topic']} has {len(topic['partitions'])}"
        for topic in described
        if topic["partitions"] and len(topic["partitions"]) != wanted_counts[topic["topic"]]
    ]
    if wrong:
        message = (
            f"the topics on the broker {settings.broker} have another number of partitions than "
            f"TOCSIN_PARTITIONS={settings.partitions}: {', '.join(wrong)}; set it to what they have"
        )
        raise Unavailable(message)


def _check(response: object) -> None:
    for name, code, *said in getattr(response, "topic_errors", ()):
        error = for_code(code)
        # Another process can have been faster.
        if code and error is not TopicAlreadyExistsError:
            message = f"{name}: {error.__name__} {said[0] if said and said[0] else ''}".strip()
            raise KafkaError(message)


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__
