"""
From a record to signals: which format it is in, and whether its time can be true.

Time is checked here because it decides later: a signal from the far future would make every later signal of its series
look old.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final, cast

from schemas import limits
from schemas.telemetry import Signal
from schemas.topics import TopicDeclaration
from streams.discovery import declared_in
from streams.errors import Rejected
from streams.telemetry import formats
from streams.telemetry.payload import Payload

#: How far a producer's clock may be ahead of the time that its record bears.
AHEAD: Final = timedelta(minutes=5)

_MILLISECOND: Final = timedelta(milliseconds=1)
_LAST_STAMP: Final = (limits.LATEST - limits.EARLIEST - AHEAD) // _MILLISECOND


def read_signals(
    topic: TopicDeclaration,
    value: bytes | None,
    headers: Iterable[tuple[str, bytes]] = (),
    *,
    stamped: int | None = None,
) -> Sequence[Signal]:
    """
    Return the signals of a record of *topic*; *stamped* is the record's own time as Kafka has it, in milliseconds.

    Raises:
        Unreadable: The value is not what its topic carries.
        Rejected: A signal's time cannot be true.
    """
    known, fallback = _formats()
    payload = Payload(topic, value, {})
    if known:
        payload = Payload(topic, value, {name.lower(): each for name, each in headers})
    chosen = next((each for each in known if each.recognises(payload)), fallback)
    signals = cast("Sequence[Signal]", chosen.read(payload))
    for signal in signals:
        _check_time(signal.occurred_at, stamped)
    return signals


def latest_of(stamped: int | None) -> datetime:
    """Return when what stands in a record can have happened at the latest; *stamped* is the record's own time, in milliseconds."""
    # Brokers refuse record times far ahead of their own clock, so this one can be relied on.
    if stamped is None or not 0 <= stamped < _LAST_STAMP:
        return limits.LATEST
    return limits.EARLIEST + stamped * _MILLISECOND + AHEAD


def _check_time(at: datetime, stamped: int | None) -> None:
    if at > latest_of(stamped):
        message = (
            f"occurred_at: is more than {AHEAD.seconds // 60} minutes ahead of the record's own time; "
            "is the producer's clock right?"
        )
        raise Rejected(message)


@cache
def _formats() -> tuple[list[Any], Any]:
    """Return the formats that recognise their own, and the one that is asked last."""
    made: list[Any] = [kind() for kind in declared_in(formats)]
    (last,) = (each for each in made if getattr(each, "asked_last", False))
    return [each for each in made if each is not last], last
