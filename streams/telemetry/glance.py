"""
What a record in our own format says at a glance: whose it is, when it happened, how bad it is.

Nearly all telemetry says that nothing is the matter, and a rule that knows what it is calm about needs no more than this of it.
A glance costs a fifth of reading the whole message. It is never more lenient: what it takes in is also a message as its
contract says (but for ignored fields, which it does not look into), with the same meaning, if one of the same source was read as a
whole before. Whatever else it meets it leaves to the reader of the whole.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

import msgspec

from schemas import limits
from schemas.topics import HEALTH, LOGS, METRICS, TopicDeclaration

_Text = Annotated[str, msgspec.Meta(max_length=limits.TEXT_LENGTH)]
_Line = Annotated[str, msgspec.Meta(max_length=limits.LINE_LENGTH)]
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]
_SignalId = Annotated[str, msgspec.Meta(max_length=limits.ID_LENGTH, pattern=r"^[ -~]+\Z")]
_Attributes = Annotated[
    dict[
        Annotated[
            str,
            msgspec.Meta(
                min_length=1,
                max_length=limits.LABEL_NAME_LENGTH,
                pattern=r"^[A-Za-z_][A-Za-z0-9_./-]*\Z",
            ),
        ],
        Annotated[str, msgspec.Meta(max_length=limits.LABEL_VALUE_LENGTH)],
    ],
    msgspec.Meta(max_length=limits.LABEL_COUNT),
]
_LONGEST: Final = timedelta(days=36_525).total_seconds()
#: Headers that say what a value is, or whose.
_MARKS: Final = frozenset({"tocsin_format", "tocsin_tenant", "ce_type"})
_NO_TEXT: Final = msgspec.Raw(b'""')


class _Glance(msgspec.Struct, gc=False, kw_only=True):
    """What the three kinds have in common. What says whose it is stays as it was written, and is not checked."""

    occurred_at: _Moment
    service: msgspec.Raw
    tenant: msgspec.Raw = msgspec.Raw(b'"default"')
    environment: msgspec.Raw = msgspec.Raw(b'"production"')
    labels: msgspec.Raw = msgspec.Raw(b"{}")
    signal_id: _SignalId | None = None


class MetricGlance(_Glance, gc=False, kw_only=True):
    """Of a metric: its level is the value."""

    name: msgspec.Raw
    level: float = msgspec.field(name="value")
    unit: msgspec.Raw = _NO_TEXT


class HealthGlance(_Glance, gc=False, kw_only=True):
    """Of a health check: its level is the status."""

    name: msgspec.Raw = msgspec.field(name="check")
    level: Literal["healthy", "degraded", "unhealthy"] = msgspec.field(name="status")
    critical: bool = False
    latency: Annotated[float, msgspec.Meta(ge=0, le=_LONGEST)] | None = None
    message: _Line = ""
    unit: msgspec.Raw = _NO_TEXT


class LogGlance(_Glance, gc=False, kw_only=True):
    """Of a log record: its level is the severity number."""

    level: Annotated[int, msgspec.Meta(ge=1, le=24)] = msgspec.field(
        name="severity_number", default=9
    )
    body: _Text
    attributes: _Attributes = {}
    trace_id: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}\Z")] | None = None
    name: msgspec.Raw = _NO_TEXT
    unit: msgspec.Raw = _NO_TEXT


class Glance:
    """How the records of one topic are glanced at."""

    def __init__(self, topic: TopicDeclaration, seen: type[_Glance]) -> None:
        self._event_type = topic.contract.event_type.encode()
        #: Returns what is seen of a value; it raises ``msgspec.MsgspecError``, ``UnicodeDecodeError`` or ``RecursionError`` for what it
        #: leaves to the reader of the whole.
        self.seen: Callable[[bytes], Any] = msgspec.json.Decoder(seen).decode

    def ours(self, headers: Iterable[tuple[str, bytes]]) -> bool:
        """Whether *headers* do not say that the value is in another format than ours."""
        return all(
            name.lower() not in _MARKS or (name == "ce_type" and value == self._event_type)
            for name, value in headers
        )


def source_of(seen: Any) -> bytes:
    """
    Return whose something is that was seen: the same text means the same service, name, labels, environment, tenant and unit.

    Each part is JSON of its own, so one after the other they cannot be taken for others.
    """
    return b"".join(
        (seen.service, seen.name, seen.labels, seen.environment, seen.tenant, seen.unit)
    )


_GLANCES: Final[Mapping[str, Glance]] = {
    topic.name: Glance(topic, seen)
    for topic, seen in ((METRICS, MetricGlance), (HEALTH, HealthGlance), (LOGS, LogGlance))
}


def glance_at(topic: TopicDeclaration) -> Glance | None:
    """Return how a record of *topic* is glanced at; None where every record must be read as a whole."""
    return _GLANCES.get(topic.name)
