"""Durations as people write them in a policy: ``30s``, ``5m``, ``1h``, ``7d``, or several together."""

import re
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import BeforeValidator

_UNITS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
#: The longest duration that can be written: what comes of adding it to a time is still a time.
LONGEST: Final = timedelta(days=3_650)
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")
_WHOLE: Final = re.compile(rf"(?:{_PART.pattern})+")


def read_duration(written: Any) -> timedelta:
    """
    Return the duration that is *written*.

    Raises:
        ValueError: It is not written as a number with a unit.
    """
    if isinstance(written, timedelta):
        return written
    if isinstance(written, str) and _WHOLE.fullmatch(written.strip()):
        seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(written))
        if seconds <= LONGEST.total_seconds():
            return timedelta(seconds=seconds)
        message = f"is too long: at most {LONGEST.days}d"
        raise ValueError(message)
    message = "is not a duration: write a number and a unit, such as 30s, 5m, 1h or 7d"
    raise ValueError(message)


Duration = Annotated[timedelta, BeforeValidator(read_duration)]


def written(span: timedelta) -> str:
    """Return *span* as a person writes it in a policy: ``5m``, ``1h30m``."""
    left = round(span.total_seconds() * 1_000)
    if left == 0:
        return "0s"
    said = []
    for unit, milliseconds in (
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
        ("ms", 1),
    ):
        count, left = divmod(left, milliseconds)
        if count:
            said.append(f"{count}{unit}")
    return "".join(said)


def reworded(found: re.Match[str]) -> str:
    """Return a duration whose parts *found* names as Python does, ``days=7, seconds=30``, as a person writes it."""
    parts = re.findall(r"(days|seconds|microseconds)=(\d+)", found[1])
    return written(timedelta(**{name: int(count) for name, count in parts}))
