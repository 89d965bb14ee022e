"""
Charts as SVG that stands in a page by itself: no script, no font, no network.

Colours are CSS variables, so that the page decides about light and dark. Every mark says its value when pointed at.
"""

from html import escape
from typing import Final

from streams.warehouse.report import Chart, Draw, Shape
from streams.warehouse.scale import ticks
from streams.warehouse.wording import shown

_WIDTH: Final = 760
_HEIGHT: Final = 260
_LEFT: Final = 78
_RIGHT: Final = 12
_TOP: Final = 12
_BOTTOM: Final = 34
#: Of charts whose labels are names: they stand at the left, as wide as the longest one.
_LETTER: Final = 7
_BAR: Final = 15
_GAP: Final = 12
_LABEL: Final = 28
#: Labels below an axis, at most.
_LABELS: Final = 8
_VALUES: Final = 90


def svg(chart: Chart) -> str:
    """Return *chart* as one ``<svg>`` element."""
    if not chart.labels:
        return '<p class="nothing">nothing to show</p>'
    return _over_time(chart) if chart.over_time else _by_name(chart)


def legend(chart: Chart) -> str:
    """Return what the colours mean; nothing where there is one."""
    if len(chart.series) == 1:
        return ""
    items = "".join(
        f'<li><i class="{_colour(chart, place)}"></i>{escape(series.name)}</li>'
        for place, series in enumerate(chart.series)
    )
    return f'<ul class="legend">{items}</ul>'


def _largest(chart: Chart) -> float:
    if chart.draw is Draw.STACKED:
        return max(
            sum(series.values[place] or 0 for series in chart.series)
            for place in range(len(chart.labels))
        )
    return max((value or 0 for series in chart.series for value in series.values), default=0)


def _over_time(chart: Chart) -> str:
    marks = ticks(_largest(chart), chart.shape)
    height, width = _HEIGHT - _TOP - _BOTTOM, _WIDTH - _LEFT - _RIGHT
    step = width / len(chart.labels)

    def y(value: float) -> float:
        return _TOP + height * (1 - value / marks[-1])

    parts = [
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(mark):.1f}" y2="{y(mark):.1f}"/>'
        f'<text class="axis" x="{_LEFT - 8}" y="{y(mark) + 4:.1f}" text-anchor="end">{_mark(mark, chart.shape)}</text>'
        for mark in marks
    ]
    every = -(-len(chart.labels) // _LABELS)
    parts += [
        f'<text class="axis" x="{_LEFT + step * (place + 0.5):.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{escape(label)}</text>'
        for place, label in enumerate(chart.labels)
        if place % every == 0
    ]
    if chart.draw is Draw.LINES:
        parts += [
            _line(chart, number, step, height / marks[-1]) for number in range(len(chart.series))
        ]
    else:
        parts += _columns(chart, step, height, marks[-1])
    return _framed(chart, _HEIGHT, parts)


def _line(chart: Chart, number: int, step: float, scale: float) -> str:
    """Return a line through the values there are; where there is none it is broken."""
    drawn, points, pen = [], [], "M"
    for place, value in enumerate(chart.series[number].values):
        if value is None:
            pen = "M"
            continue
        x, y = _LEFT + step * (place + 0.5), _HEIGHT - _BOTTOM - value * scale
        drawn.append(f"{pen}{x:.1f} {y:.1f}")
        pen = "L"
        title = _title(chart, chart.labels[place], number, value)
        points.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3">{title}</circle>')
    return f'<g class="{_colour(chart, number)}"><path d="{" ".join(drawn)}"/>{"".join(points)}</g>'


def _columns(chart: Chart, step: float, height: float, top: float) -> list[str]:
    """Return what stands on each label: the series on top of each other."""
    parts = []
    for place, label in enumerate(chart.labels):
        base = float(_TOP + height)
        for number, series in enumerate(chart.series):
            value = series.values[place]
            if not value:
                continue
            tall = height * value / top
            base -= tall
            parts.append(
                f'<rect class="{_colour(chart, number)}" x="{_LEFT + step * (place + 0.12):.1f}" y="{base:.1f}" '
                f'width="{step * 0.76:.1f}" height="{tall:.1f}">{_title(chart, label, number, value)}</rect>'
            )
    return parts


def _by_name(chart: Chart) -> str:
    marks = ticks(_largest(chart), chart.shape)
    names = 16 + _LETTER * max(len(_short(label)) for label in chart.labels)
    width = _WIDTH - names - _VALUES
    bars = 1 if chart.draw is Draw.STACKED else len(chart.series)
    group = bars * _BAR + _GAP
    parts = []
    for place, label in enumerate(chart.labels):
        top = float(_TOP + place * group)
        parts.append(
            f'<text class="name" x="{names - 8}" y="{top + bars * _BAR / 2 + 4:.1f}" text-anchor="end">'
            f"{escape(_short(label))}<title>{escape(label)}</title></text>"
        )
        left, total = float(names), 0.0
        for number, series in enumerate(chart.series):
            value = series.values[place]
            stacked = chart.draw is Draw.STACKED
            if not stacked:
                left = float(names)
            long = width * (value or 0) / marks[-1]
            y = top if stacked else top + number * _BAR
            parts.append(
                f'<rect class="{_colour(chart, number)}" x="{left:.1f}" y="{y + 1:.1f}" width="{long:.1f}" '
                f'height="{_BAR - 2}">{_title(chart, label, number, value)}</rect>'
            )
            left += long
            total += value or 0
            if not stacked or number == len(chart.series) - 1:
                said = shown(total if stacked else value, chart.shape)
                parts.append(
                    f'<text class="value" x="{left + 6:.1f}" y="{y + _BAR - 4:.1f}">{escape(said)}</text>'
                )
    return _framed(chart, _TOP + len(chart.labels) * group, parts)


def _framed(chart: Chart, height: float, parts: list[str]) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" role="img" aria-label="{escape(chart.title)}">'
        f"{''.join(parts)}</svg>"
    )


def _title(chart: Chart, label: str, number: int, value: float | None) -> str:
    said = f"{label}, {chart.series[number].name}: {shown(value, chart.shape)}"
    return f"<title>{escape(said)}</title>"


def _colour(chart: Chart, number: int) -> str:
    return f"{'s' if chart.severities else 'c'}{number % 4 + 1}"


def _mark(value: float, shape: Shape) -> str:
    """Write a mark of an axis: a duration without the unit that is zero."""
    if shape is Shape.SECONDS:
        words = shown(value, shape).split()
        while len(words) > 2 and not float(words[-2]):  # noqa: PLR2004 - a number and its unit
            words = words[:-2]
        return " ".join(words).replace(".0 s", " s")
    return f"{100 * value:.0f} %" if shape is Shape.SHARE else f"{value:,.6g}"


def _short(label: str) -> str:
    return label if len(label) <= _LABEL else f"{label[: _LABEL - 1]}…"
