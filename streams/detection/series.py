"""What is remembered of one series, and how it is written down between two runs."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson
from pydantic import BaseModel, TypeAdapter

from schemas.alerts import AlertV1
from schemas.origin import Origin
from streams.detection.holding import QUIET, Held


@dataclass(slots=True)
class Series:
    """One series of one rule."""

    rule: str
    kind: str
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
    held: Held = field(default=QUIET)
    began: tuple[datetime, Origin] | None = None
    """The first bad signal of this episode: when it happened and where it stands; None while quiet."""
    moved_at: datetime | None = None
    """When its latest alert happened: alerts of one series do not go back in time."""
    alert: AlertV1 | None = None
    """The latest alert while it fires: its end names the same group, whatever the policy says by then."""


_SERIES: Final = TypeAdapter(Series)
_MEMORIES: Final[dict[type, TypeAdapter[Any]]] = {}


def dump(series: Series) -> bytes:
    """Return *series* as JSON."""
    return orjson.dumps(series, default=_plain)


def load(entry: bytes) -> Series:
    """Return what ``dump`` was made from, its memory still as JSON values."""
    return _SERIES.validate_json(entry)


def revive(memory: Any, kind: type) -> Any:
    """Return the JSON values of a memory as a *kind*."""
    adapter = _MEMORIES.get(kind)
    if adapter is None:
        adapter = _MEMORIES[kind] = TypeAdapter(kind)
    return adapter.validate_python(memory)


def _plain(part: object) -> Any:
    if isinstance(part, BaseModel):
        return part.model_dump(mode="json", exclude_none=True)
    raise TypeError(type(part).__name__)
