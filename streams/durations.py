"""Durations as people write them in a policy: ``30s``, ``5m``, ``1h``, ``7d``, or several together."""

import re
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import BeforeValidator

_UNITS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
#: The longest duration that can be written: what comes of adding it to a time is still a time.
LONGEST: Final = timedelta(days=3_650)
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")
#: Units as people write them elsewhere.
_UNIT_WORDS: Final = (
    ("milliseconds?|millis|msecs?|ms", "ms"),
    ("seconds?|secs?|s", "s"),
    ("minutes?|mins?|m", "m"),
    ("hours?|hrs?|h", "h"),
    ("days?|d", "d"),
    ("weeks?|wks?|w", "w"),
)
_WORDS: Final = re.compile(
    rf"(\d+(?:\.\d+)?)\s*({'|'.join(word for word, _ in _UNIT_WORDS)})(?![a-z])"
)
_FORM: Final = "write a number and a unit, such as 30s, 5m, 1h or 7d"
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
    meant = _meant(written)
    instead = f"write it as {meant}" if meant else _FORM
    message = f"is not a duration: {instead}"
    raise ValueError(message)


def _meant(given: Any) -> str | None:
    """Return a duration in words, such as ``5 minutes``, as it is to be written; None where it is none."""
    text = re.sub(r"\band\b|,", " ", given.lower()) if isinstance(given, str) else ""
    parts = _WORDS.findall(text)
    if not parts or _WORDS.sub("", text).strip():
        return None
    units = [
        next(unit for word, unit in _UNIT_WORDS if re.fullmatch(word, each)) for _, each in parts
    ]
    return "".join(number + unit for (number, _), unit in zip(parts, units, strict=True))


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
