"""
Times as other systems write them.

Ours have microseconds: what is finer is cut off, never rounded up into the future.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from schemas import limits
from schemas.contract import Unreadable

_LATEST: Final = (limits.LATEST - limits.EARLIEST) // timedelta(microseconds=1)
#: How many of each unit are a microsecond or less; by the largest number that still is before 2200.
_UNITS: Final = ((10**11, 1_000_000, 1), (10**14, 1_000, 1), (10**17, 1, 1), (10**20, 1, 1_000))


def from_microseconds(count: int, field: str) -> datetime:
    """
    Return the moment *count* microseconds after 1970 began.

    Raises:
        Unreadable: Nobody can mean that; the text names *field*.
    """
    if 0 <= count < _LATEST:
        return limits.EARLIEST + timedelta(microseconds=count)
    message = f"{field}: must be between {limits.EARLIEST.year} and {limits.LATEST.year}"
    raise Unreadable(message)


def from_nanoseconds(count: int, field: str) -> datetime:
    """Return the moment *count* nanoseconds after 1970 began; see ``from_microseconds``."""
    return from_microseconds(count // 1_000, field)


def from_any_unit(count: float, field: str) -> datetime:
    """
    Return the moment *count* seconds, milliseconds, microseconds or nanoseconds after 1970 began.

    The size tells them apart for all moments from 1973 to 2200; see ``from_microseconds`` for what it raises.
    """
    for below, times, parts in _UNITS:
        if 0 <= count < below:
            return from_microseconds(int(count * times) // parts, field)
    return from_microseconds(-1, field)


def from_text(text: str, field: str) -> datetime | None:
    """
    Return the moment that *text* names in RFC 3339; None where it is the year 1, which stands for no time in Go.

    Raises:
        Unreadable: It is no such time, or has no time zone; the text names *field*.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        message = f"{field}: is no RFC 3339 time"
        raise Unreadable(message) from None
    if at.tzinfo is None:
        message = f"{field}: has no time zone"
        raise Unreadable(message)
    if at.year == 1:
        return None
    if not limits.EARLIEST <= at < limits.LATEST:
        message = f"{field}: must be between {limits.EARLIEST.year} and {limits.LATEST.year}"
        raise Unreadable(message)
    return at.astimezone(UTC)
