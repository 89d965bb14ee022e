"""
What is remembered of one series, and how it is written down between two runs.

An entry is a JSON array. Its first fields are all that a restart has to read: the rest of a series is read when it is heard of
again, or when its time comes.
"""

from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any, Final

import msgspec
from pydantic import BaseModel

from schemas.alerts import AlertV1
from schemas.origin import Origin
from streams.detection.holding import QUIET, Held
from streams.detection.lateness import Queue


class Head(msgspec.Struct, array_like=True, gc=False, kw_only=True):
    """What says where an entry belongs and when it is due."""

    rule: str
    kind: str
    grouping: str
    """By what the rule told its series apart."""
    moment: datetime
    """When time alone next does something to it."""


class Series(Head, array_like=True, kw_only=True):
    """One series of one rule."""

    tenant: str
    service: str
    environment: str
    subject: str
    labels: dict[str, str]
    """The labels that identify it."""
    fingerprint: str
    heard_at: datetime
    """Event time of its newest signal."""
    origin: Origin
    """Where that signal, or a late one that counted after it, stands."""
    memory: Any
    """What the rule's kind remembers."""
    held: Held = QUIET
    began: tuple[datetime, Origin] | None = None
    """The first bad signal of this episode: when it happened and where it stands; None while quiet."""
    moved_at: datetime | None = None
    """When its latest alert happened: alerts of one series do not go back in time."""
    alert: AlertV1 | None = None
    """The latest alert while it fires: its end names the same group, whatever the policy says by then."""
    heard_to: dict[str, int] = {}
    """As it was written down: the next offset of each topic that it has not heard."""
    queue: Queue | None = None
    """Signals that wait for earlier ones, where its rule allows these to be late."""
    repeated_at: datetime | None = None
    """When its source last said again what it had said before, where that shows that it still is so."""


def dump(series: Series) -> bytes:
    """Return *series* as JSON."""
    return _ENCODER.encode(series)


def load(entry: bytes, memory: type) -> Series:
    """
    Return what ``dump`` was made from, with a memory of the type *memory*.

    Raises:
        Unusable: Its memory is of another type.
    """
    series = _SERIES.decode(entry)
    try:
        series.memory = _reader(memory)(series.memory)
        if series.queue is not None:
            series.queue.revive()
    except msgspec.ValidationError:
        raise Unusable from None
    return series


def head_of(entry: bytes) -> Head:
    """Return the first fields of an entry."""
    return _HEAD.decode(entry)


def alert_of(entry: bytes) -> AlertV1 | None:
    """Return the alert of a series whose memory nobody can use any more."""
    return _SERIES.decode(entry).alert


class Unusable(Exception):
    """A memory is of another type than its rule's."""


def _plain(part: object) -> Any:
    if isinstance(part, BaseModel):
        return part.model_dump(mode="json", exclude_none=True)
    raise TypeError(type(part).__name__)


def _made(kind: type, part: Any) -> Any:
    if issubclass(kind, BaseModel):
        return kind.model_validate(part)
    raise TypeError(kind.__name__)


@cache
def _reader(memory: type) -> Callable[[Any], Any]:
    def read(plain: Any) -> Any:
        return msgspec.convert(plain, memory, dec_hook=_made, builtin_types=())

    return read


_ENCODER: Final = msgspec.json.Encoder(enc_hook=_plain)
_SERIES: Final = msgspec.json.Decoder(Series, dec_hook=_made)
_HEAD: Final = msgspec.json.Decoder(Head)
