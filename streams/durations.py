"""Durations as people write them in a policy: ``30s``, ``5m``, ``1h``, ``7d``, or several together."""

import re
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import BeforeValidator

_UNITS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
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
        return timedelta(seconds=seconds)
    message = "is not a duration: write a number and a unit, such as 30s, 5m, 1h or 7d"
    raise ValueError(message)


Duration = Annotated[timedelta, BeforeValidator(read_duration)]
