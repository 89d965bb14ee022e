"""What a rule remembers, in words: whatever its kind keeps."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from schemas.origin import Origin
from streams.backtest.explaining import remembered
from streams.backtest.since import moment
from streams.detection.moments import number_of

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)


@dataclass
class Inside:
    """Something of a memory."""

    end: int = number_of(NOON + timedelta(seconds=30))
    values: list[float] = field(default_factory=lambda: [1.0, 2.0])


@dataclass
class Memory:
    """A memory with everything that kinds keep."""

    value: float = 0.125
    count: int = 3
    noticed: bool = False
    heard_at: datetime = NOON - timedelta(minutes=1)
    inside: Inside = field(default_factory=Inside)
    message: str = "x" * 200
    origin: Origin = field(default_factory=lambda: Origin(topic="t", partition=0, offset=7))
    nothing: str | None = None
    empty: list[int] = field(default_factory=list)


def test_what_is_remembered_is_shown_as_far_as_it_says_something() -> None:
    """An author would be shown a Python object, or nothing."""
    assert remembered(Memory(), NOON) == (
        "value: 0.125, count: 3, noticed: False, heard_at: -1m, inside (end: 30s, values: 2 values), "
        f"message: {'x' * 80}"
    )


def test_moments_are_told_as_cases_write_them() -> None:
    """Somebody would have to subtract times."""
    assert moment(NOON + timedelta(seconds=90), NOON) == "1m30s"
    assert moment(NOON - timedelta(seconds=90), NOON) == "-1m30s"
