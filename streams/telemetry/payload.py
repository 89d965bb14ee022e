"""One record as a format sees it."""

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.topics import TopicDeclaration


@dataclass(frozen=True, slots=True)
class Payload:
    """A record of a telemetry topic."""

    topic: TopicDeclaration
    value: bytes | None
    headers: Mapping[str, bytes]
    """By name in small letters; of several with one name, the last."""
