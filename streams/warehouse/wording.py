"""How values read: durations in two units, shares in percent, moments to the minute, a dash where there is none."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, Final

from streams.warehouse.report import Shape

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
NONE: Final = "-"


def moment(value: date | datetime) -> str:
    """Write a moment to the minute, a day as a day."""
    return f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else f"{value:%Y-%m-%d}"


def duration(seconds: float) -> str:
    """Write a duration in its two largest units."""
    # Rounded before it is compared: 59.96 s are a minute.
    if round(seconds, 1) < _MINUTE:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR:02} h"


_WRITERS: Final[Mapping[Shape, Callable[[Any], str]]] = {
    Shape.TEXT: str,
    Shape.COUNT: lambda value: f"{int(value):,}",
    Shape.NUMBER: lambda value: f"{float(value):,.1f}",
    Shape.SECONDS: lambda value: duration(float(value)),
    Shape.WRITTEN: str,
    Shape.SHARE: lambda value: f"{100 * float(value):,.1f} %",
    Shape.CHANGE: lambda value: f"{round(100 * float(value)):+,d} %",
    Shape.MOMENT: moment,
}


def shown(value: Any, shape: Shape) -> str:
    """Write a value as a person reads it."""
    return NONE if value is None else _WRITERS[shape](value)
