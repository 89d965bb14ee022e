"""
A severity that depends on how bad it is: ``{default: 3, bands: [{beyond: 10, severity: 2}, {beyond: 20, severity: 1}]}``.

A band is entered as soon as the value is beyond its number. It is left only when the value is back behind ``clear``, which is
the number of the band before it where it is left out, and for the first band the end of the alert. So a value that moves to
and fro about one number changes the severity once.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, FiniteFloat, Tag

from schemas.contract import Severity


class Band(BaseModel):
    """Values that are worse than others."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    beyond: FiniteFloat
    """Values further away from well than this belong to it."""
    severity: Severity
    """What they are."""
    clear: FiniteFloat | None = None
    """It is left when the value is no longer beyond this; the band before it says so where it is left out."""


class Bands(BaseModel):
    """Severities by value."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    default: Severity
    """Of what is beyond none of the bands."""
    bands: Annotated[tuple[Band, ...], Field(min_length=1, max_length=3)]
    """From the mildest to the worst."""

    def severity(self, band: int) -> int:
        """Return the severity of the *band* with that number; 0 is none of them."""
        return self.bands[band - 1].severity if band else self.default


def _written_as(given: Any) -> str:
    return "by value" if isinstance(given, dict | Bands) else "always"


#: Told apart by how it is written, so that a mistake is said of what was meant.
Graded = Annotated[
    Annotated[Severity, Tag("always")] | Annotated[Bands, Tag("by value")],
    Discriminator(_written_as),
]


def disorder(given: Bands, *, rising: bool) -> str | None:
    """Return what is wrong with the order of the bands, where larger values are worse (*rising*) or better; None where nothing is."""
    severities = [given.default, *(band.severity for band in given.bands)]
    for milder, worse in pairwise(severities):
        if worse >= milder:
            return f"goes from {milder} to {worse}: each band must be worse, which is a smaller number, than what is before it"
    for before, band in pairwise(given.bands):
        if not _beyond(band.beyond, before.beyond, rising=rising):
            way = "larger" if rising else "smaller"
            return (
                f"has beyond: {band.beyond:g} after beyond: {before.beyond:g}; {way} values are worse here, "
                f"so each beyond must be {way} than the one before it"
            )
    for band in given.bands:
        if band.clear is not None and not _beyond(band.beyond, band.clear, rising=rising):
            side = "below" if rising else "above"
            return f"has clear: {band.clear:g} with beyond: {band.beyond:g}; it must be {side} it"
    return None


def entered(bands: Sequence[Band], held: int, value: float, *, rising: bool) -> int:
    """Return the number of the band that *value* belongs to, where the values before it belonged to *held*."""
    reached = 0
    for band in bands:
        if not _beyond(value, band.beyond, rising=rising):
            break
        reached += 1
    held = min(held, len(bands))
    while held > reached:
        clear = bands[held - 1].clear
        if clear is None:
            if held == 1:
                break
            clear = bands[held - 2].beyond
        if _beyond(value, clear, rising=rising):
            break
        held -= 1
    return max(held, reached)


def _beyond(value: float, number: float, *, rising: bool) -> bool:
    return value > number if rising else value < number
