"""Charts in a terminal, drawn with block characters."""

from typing import Final

from rich.text import Text

from streams.warehouse.report import Chart, Draw
from streams.warehouse.wording import shown

_EIGHTHS: Final = " ▁▂▃▄▅▆▇█"
_WIDTH: Final = 40
_LABEL: Final = 28


def plot(chart: Chart) -> Text:
    """Return *chart*: a line of small columns for each series over time, bars for names."""
    if not chart.labels:
        return Text()
    lines = _over_time(chart) if chart.over_time else _by_name(chart)
    return Text("\n".join([chart.title, *lines]))


def _over_time(chart: Chart) -> list[str]:
    series = [(each.name, list(each.values)) for each in chart.series]
    if chart.draw is Draw.STACKED:
        sums = [
            sum(it.values[place] or 0 for it in chart.series) for place in range(len(chart.labels))
        ]
        series.insert(0, ("all", list(sums)))
    largest = max((value or 0 for _, values in series for value in values), default=0)
    wide = max(len(name) for name, _ in series)
    lines = []
    for name, values in series:
        drawn = "".join(_eighth(value, largest) for value in values)
        highest = max((value for value in values if value is not None), default=None)
        lines.append(f"  {name:<{wide}} {drawn} at most {shown(highest, chart.shape)}")
    return [*lines, f"  {'':<{wide}} {chart.labels[0]} … {chart.labels[-1]}"]


def _eighth(value: float | None, largest: float) -> str:
    if value is None:
        return "·"
    if not value or not largest:
        return _EIGHTHS[0]
    return _EIGHTHS[max(1, round(value / largest * 8))]


def _by_name(chart: Chart) -> list[str]:
    stacked = chart.draw is Draw.STACKED
    totals = [
        sum(series.values[place] or 0 for series in chart.series) if stacked else None
        for place in range(len(chart.labels))
    ]
    largest = max(
        (
            value or 0
            for series in chart.series
            for value in ([*totals] if stacked else series.values)
        ),
        default=0,
    )
    wide = min(_LABEL, max(map(len, chart.labels)))
    names = max(len(series.name) for series in chart.series)
    lines = []
    for place, label in enumerate(chart.labels):
        short = label if len(label) <= wide else f"{label[: wide - 1]}…"
        if stacked:
            said = ", ".join(
                f"{series.name} {shown(series.values[place], chart.shape)}"
                for series in chart.series
            )
            lines.append(f"  {short:<{wide}} {_bar(totals[place], largest)} {said}")
            continue
        for number, series in enumerate(chart.series):
            value = series.values[place]
            head = short if not number else ""
            which = f"{series.name:<{names}} " if len(chart.series) > 1 else ""
            lines.append(
                f"  {head:<{wide}} {which}{_bar(value, largest)} {shown(value, chart.shape)}"
            )
    return lines


def _bar(value: float | None, largest: float) -> str:
    if not value or not largest:
        return ""
    return "█" * max(1, round(_WIDTH * value / largest))
