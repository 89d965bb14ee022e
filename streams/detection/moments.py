"""Moments as whole microseconds since 1970: exact, quick to compare, and small where many are kept."""

from datetime import UTC, datetime, timedelta
from typing import Final

_START: Final = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(span: timedelta) -> int:
    """Return the length of *span* in microseconds."""
    return (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds


def number_of(at: datetime) -> int:
    """Return *at* as microseconds since 1970."""
    return microseconds(at - _START)


def moment_of(number: int) -> datetime:
    """Return the moment that *number* microseconds since 1970 are."""
    return _START + timedelta(microseconds=number)
