"""Moments as people type them."""

from datetime import UTC, datetime

from streams.durations import read_duration


def when(text: str, now: datetime) -> datetime | str:
    """Read ``7d`` as seven days ago and a time without an offset as UTC; leave the rest to the settings."""
    try:
        return now - read_duration(text)
    except OverflowError:
        return text
    except ValueError:
        pass
    return moment(text)


def moment(text: str) -> datetime | str:
    """Read a time without an offset as UTC; leave the rest to the settings."""
    try:
        said = datetime.fromisoformat(text)
    except ValueError:
        return text
    return said if said.tzinfo else said.replace(tzinfo=UTC)
