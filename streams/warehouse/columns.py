"""Columns by what they hold; the heading is the name in words where nothing else is said."""

from typing import Final

from streams.warehouse.report import Column, Shape


def text(name: str, heading: str | None = None) -> Column:
    """Return a column of words."""
    return _column(name, heading, Shape.TEXT)


def count(name: str, heading: str | None = None) -> Column:
    """Return a column of whole numbers."""
    return _column(name, heading, Shape.COUNT)


def number(name: str, heading: str | None = None) -> Column:
    """Return a column of numbers with a fraction."""
    return _column(name, heading, Shape.NUMBER)


def seconds(name: str, heading: str | None = None) -> Column:
    """Return a column of durations."""
    return _column(name, heading, Shape.SECONDS)


def share(name: str, heading: str | None = None) -> Column:
    """Return a column of shares of a whole."""
    return _column(name, heading, Shape.SHARE)


def change(name: str, heading: str | None = None) -> Column:
    """Return a column of differences to a time before, as shares of it."""
    return _column(name, heading, Shape.CHANGE)


def moment(name: str, heading: str | None = None) -> Column:
    """Return a column of moments or days."""
    return _column(name, heading, Shape.MOMENT)


def written(name: str, heading: str | None = None) -> Column:
    """Return a column of values of several sorts, as people read them."""
    return _column(name, heading, Shape.WRITTEN)


def _column(name: str, heading: str | None, shape: Shape) -> Column:
    return Column(name, name.replace("_", " ") if heading is None else heading, shape)


#: Of ``measures.percentiles``; a mean comes before them.
PERCENTILES: Final = tuple(seconds(f"p{nth}_seconds", f"p{nth}") for nth in (50, 90, 95))
