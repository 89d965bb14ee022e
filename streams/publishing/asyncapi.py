"""
The AsyncAPI 3.0 document: every topic as a channel, every contract as a message.

Sources: AsyncAPI Specification 3.0.0; AsyncAPI Kafka Bindings 0.5.0; CloudEvents Kafka Protocol Binding 1.0.2, section 3.2.
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

from schemas.topics import (
    CHANGES,
    COMMANDS,
    DECLARED,
    SILENCES,
    TELEMETRY,
    TopicDeclaration,
)

#: What others write; everything else is written by the pipeline itself.
RECEIVED: Final = (*TELEMETRY, CHANGES, COMMANDS, SILENCES)
_DEAD: Final = "deadLetter"
_CLOUDEVENTS: Final = "cloudEventsHeaders"
_DEAD_HEADERS: Final = "deadLetterHeaders"

Example = tuple[str, Any]


def document(
    schemas: Mapping[str, str], examples: Mapping[str, Sequence[Example]]
) -> dict[str, Any]:
    """
    Return the document.

    *schemas* maps each contract's event type to the file with its JSON Schema, *examples* to its example messages by name.
    """
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tocsin",
            "version": version("tocsin"),
            "description": "Telemetry in, incidents out. TOCSIN_TOPIC_PREFIX is put before every address.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "laptop": {
                "host": "127.0.0.1:7060",
                "protocol": "kafka",
                "description": "What `tocsin up` starts.",
            }
        },
        "channels": dict(_channels()),
        "operations": dict(_operations()),
        "components": {
            "messages": {
                **{
                    topic.contract.event_type: _message(
                        topic,
                        schemas[topic.contract.event_type],
                        examples[topic.contract.event_type],
                    )
                    for topic in DECLARED
                },
                _DEAD: {
                    "name": _DEAD,
                    "title": "A record that could not be processed",
                    "summary": "The original bytes, key and headers, and beside them why.",
                    "contentType": "application/octet-stream",
                    "headers": {"$ref": f"#/components/schemas/{_DEAD_HEADERS}"},
                },
            },
            "schemas": {_CLOUDEVENTS: _cloudevents(), _DEAD_HEADERS: _dead_headers()},
        },
    }


def _channels() -> list[tuple[str, dict[str, Any]]]:
    found = []
    for topic in DECLARED:
        name = topic.contract.event_type
        found.append((topic.name, _channel(topic.name, topic.about, name, topic)))
        if topic.dead_letters:
            about = f"What could not be processed of {topic.name}."
            found.append((topic.dead, _channel(topic.dead, about, _DEAD, topic)))
    return found


def _channel(name: str, about: str, message: str, topic: TopicDeclaration) -> dict[str, Any]:
    configuration: dict[str, Any] = {
        "cleanup.policy": ["compact", "delete"] if topic.compacted else ["delete"],
        "retention.ms": int(topic.retention.total_seconds() * 1000),
    }
    return {
        "address": name,
        "description": about,
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
        "bindings": {"kafka": {"topic": name, "topicConfiguration": configuration}},
    }


def _operations() -> list[tuple[str, dict[str, Any]]]:
    found = []
    for topic in DECLARED:
        action = "receive" if topic in RECEIVED else "send"
        found.append(_operation(action, topic.name, topic.contract.event_type))
        if topic.dead_letters:
            found.append(_operation("send", topic.dead, _DEAD))
    return found


def _operation(action: str, channel: str, message: str) -> tuple[str, dict[str, Any]]:
    return f"{action} {channel}", {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{message}"}],
    }


def _message(topic: TopicDeclaration, schema: str, examples: Sequence[Example]) -> dict[str, Any]:
    return {
        "name": topic.contract.event_type,
        "title": topic.about,
        "contentType": "application/json",
        "headers": {"$ref": f"#/components/schemas/{_CLOUDEVENTS}"},
        "payload": {"$ref": schema},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": f"{'/'.join(topic.key)} of the message"}
            }
        },
        "examples": [{"name": name, "payload": payload} for name, payload in examples],
    }


def _cloudevents() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "CloudEvents 1.0, Kafka binary content mode. Producers may leave them out.",
        "properties": {
            "ce_specversion": {"type": "string", "const": "1.0"},
            "ce_id": {"type": "string", "description": "The same for repeats of one event."},
            "ce_type": {"type": "string", "description": "Name and version of the contract."},
            "ce_source": {"type": "string", "description": "Who wrote it: /tocsin/HOP, or yours."},
            "ce_time": {"type": "string", "format": "date-time", "description": "occurred_at."},
            "content-type": {"type": "string", "const": "application/json"},
        },
    }


def _dead_headers() -> dict[str, Any]:
    told = {
        "tocsin_hop": "The hop that could not process it.",
        "tocsin_reason": "Why; it never quotes the record.",
        "tocsin_topic": "The topic that it came from.",
        "tocsin_partition": "Its partition there.",
        "tocsin_offset": "Its offset there.",
    }
    also = {
        "tocsin_unread": "Of a batch of which the rest counts: the places of what could not be read."
    }
    return {
        "type": "object",
        "required": list(told),
        "properties": {
            name: {"type": "string", "description": about} for name, about in (told | also).items()
        },
    }
