"""Axes: round steps that a person can count in, of numbers, shares and durations."""

import math
from typing import Final

from streams.warehouse.report import Shape

_DURATIONS: Final = (
    *(0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(60 * minutes for minutes in (1, 2, 5, 10, 15, 30)),
    *(3_600 * hours for hours in (1, 2, 3, 6, 12)),
    *(86_400 * days for days in (1, 2, 5, 7, 14, 28, 56, 140, 365)),
)
#: Steps on an axis at most.
_STEPS: Final = 5


def ticks(largest: float, shape: Shape) -> list[float]:
    """Return where an axis that begins at zero and holds *largest* is marked."""
    if shape is Shape.SHARE:
        return [0, 0.25, 0.5, 0.75, 1]
    if largest <= 0:
        return [0, 1]
    wanted = largest / _STEPS
    step = _round(wanted)
    if shape is Shape.SECONDS:
        step = next((each for each in _DURATIONS if each >= wanted), step)
    if shape is Shape.COUNT:
        step = max(1, step)
    return [step * number for number in range(math.ceil(largest / step - 1e-9) + 1)]


def _round(wanted: float) -> float:
    """Return the smallest of 1, 2, 5, 10, … that is not below *wanted*."""
    power: float = 10 ** math.floor(math.log10(wanted))
    return next(power * each for each in (1, 2, 5, 10) if power * each >= wanted * (1 - 1e-9))
