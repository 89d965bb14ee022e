"""Charts of rows: each row is one label, each series one of their columns."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from streams.warehouse.report import Chart, Draw, Row, Series, Shape


def bars(
    title: str, shape: Shape, rows: Sequence[Row], *, label: str, series: Mapping[str, str]
) -> Chart:
    """
    Return a chart with the series side by side.

    Args:
        title: What stands above it.
        shape: What its values are.
        rows: Each is one label.
        label: The column of the labels, which are names.
        series: What each series is called, and its column.
    """
    return _of(Chart(title, Draw.BARS, shape, (), ()), rows, label, series)


def stacked(  # noqa: PLR0913 - a chart is made of these
    title: str,
    shape: Shape,
    rows: Sequence[Row],
    *,
    label: str,
    series: Mapping[str, str],
    over_time: bool = False,
    severities: bool = False,
) -> Chart:
    """
    Return a chart with the series on top of each other, because they are parts of one whole.

    Args:
        title: What stands above it.
        shape: What its values are.
        rows: Each is one label.
        label: The column of the labels.
        series: What each series is called, and its column.
        over_time: Whether the labels follow each other in time; otherwise they are names.
        severities: Whether the series are severities, the worst first.
    """
    drawn = Chart(title, Draw.STACKED, shape, (), (), over_time=over_time, severities=severities)
    return _of(drawn, rows, label, series)


def lines(
    title: str, shape: Shape, rows: Sequence[Row], *, label: str, series: Mapping[str, str]
) -> Chart:
    """Return a chart of series over time; its arguments are those of ``bars``, and its labels follow each other."""
    return _of(Chart(title, Draw.LINES, shape, (), (), over_time=True), rows, label, series)


def _of(drawn: Chart, rows: Sequence[Row], label: str, series: Mapping[str, str]) -> Chart:
    return replace(
        drawn,
        labels=tuple(str(row[label]) for row in rows),
        series=tuple(
            Series(name, tuple(row[column] for row in rows)) for name, column in series.items()
        ),
    )
