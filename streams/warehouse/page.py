"""A report as one HTML page that needs nothing else: it can be mailed, kept, and read without a network."""

from collections.abc import Sequence
from datetime import datetime
from html import escape
from typing import Any, Final

from streams.warehouse.drawing import legend, svg
from streams.warehouse.report import Account, Chart, Recommendation, Report, Shape, Table
from streams.warehouse.wording import moment, shown

_STYLE: Final = """
:root { color-scheme: light dark;
  --paper: #ffffff; --ink: #1d2430; --faint: #667085; --rule: #d9dee7; --row: #f6f8fa;
  --c1: #2f6fb5; --c2: #d9822b; --c3: #2e8b65; --c4: #8e5bb5;
  --s1: #b3261e; --s2: #e07b1a; --s3: #d9b326; --s4: #8fa3b8; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #12161d; --ink: #e4e8ef; --faint: #98a3b5; --rule: #2e3644; --row: #1a202a;
  --c1: #6ba6e8; --c2: #f0a45c; --c3: #5fc29a; --c4: #bb92de;
  --s1: #f2665c; --s2: #f39c4a; --s3: #ead267; --s4: #90a4ba; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 24px; max-width: 1080px; background: var(--paper); color: var(--ink);
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", "Liberation Sans", sans-serif; }
h1 { font-size: 24px; margin: 0 0 4px; } h2 { font-size: 17px; margin: 32px 0 8px; }
.about, .notes, .rule, caption { color: var(--faint); font-size: 13px; }
figure { margin: 0 0 8px; } figcaption { font-weight: 600; margin: 20px 0 4px; }
svg { width: 100%; height: auto; display: block; font-size: 12px; }
svg text { fill: var(--ink); } svg .axis { fill: var(--faint); } svg .grid { stroke: var(--rule); }
rect.c1, .legend .c1 { fill: var(--c1); background: var(--c1); } rect.c2, .legend .c2 { fill: var(--c2); background: var(--c2); }
rect.c3, .legend .c3 { fill: var(--c3); background: var(--c3); } rect.c4, .legend .c4 { fill: var(--c4); background: var(--c4); }
rect.s1, .legend .s1 { fill: var(--s1); background: var(--s1); } rect.s2, .legend .s2 { fill: var(--s2); background: var(--s2); }
rect.s3, .legend .s3 { fill: var(--s3); background: var(--s3); } rect.s4, .legend .s4 { fill: var(--s4); background: var(--s4); }
g path { fill: none; stroke-width: 2; }
g.c1 path { stroke: var(--c1); } g.c2 path { stroke: var(--c2); } g.c3 path { stroke: var(--c3); } g.c4 path { stroke: var(--c4); }
g.c1 circle { fill: var(--c1); } g.c2 circle { fill: var(--c2); } g.c3 circle { fill: var(--c3); } g.c4 circle { fill: var(--c4); }
.legend { list-style: none; margin: 0 0 4px; padding: 0; display: flex; flex-wrap: wrap; gap: 4px 16px; font-size: 13px; }
.legend i { display: inline-block; width: 11px; height: 11px; margin-right: 6px; border-radius: 2px; }
.table { overflow-x: auto; } table { border-collapse: collapse; min-width: min(100%, 480px); font-size: 13.5px; }
th { text-align: left; vertical-align: bottom; border-bottom: 2px solid var(--rule); } th, td { padding: 4px 8px; }
td { white-space: nowrap; }
td.text:last-child { white-space: normal; } .number { text-align: right; font-variant-numeric: tabular-nums; }
tbody tr:nth-child(even) { background: var(--row); }
.advice { border-left: 4px solid var(--c2); padding: 2px 0 2px 12px; margin: 0 0 12px; } .advice b { display: block; }
@media print { body { max-width: none; padding: 0; } figure, .table { break-inside: avoid; } }
"""


def page(asked: Report, account: Account, at: datetime) -> str:
    """Return the page of what *asked* tells; *at* is when it was asked."""
    since, until = asked.window
    settings = asked.model_dump(mode="json", exclude_none=True, exclude={"since", "until"})
    chosen = ", ".join(
        name if value is True else f"{name} {_words(value)}"
        for name, value in settings.items()
        if value not in ([], False)
    )
    about = f"{moment(since)} to {moment(until)} UTC{f'; {chosen}' if chosen else ''}; asked {moment(at)} UTC"
    body = [
        f"<h1>{escape(asked.title)}</h1>",
        f'<p class="about">{escape(about)}</p>',
        *_recommendations(account.recommendations),
        *map(_figure, account.charts),
        *map(_table, account.tables),
    ]
    if account.notes:
        body.append(f'<p class="notes">{escape(" ".join(account.notes))}</p>')
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(asked.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def _words(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _recommendations(said: Sequence[Recommendation]) -> list[str]:
    if not said:
        return []
    return [
        "<h2>Recommendations</h2>",
        *(
            f'<div class="advice"><b>{escape(it.advice)}</b>{escape(it.because)} '
            f'<span class="rule">Rule: {escape(it.rule)}.</span></div>'
            for it in said
        ),
    ]


def _figure(chart: Chart) -> str:
    return f"<figure><figcaption>{escape(chart.title)}</figcaption>{legend(chart)}{svg(chart)}</figure>"


def _table(table: Table) -> str:
    classes = ["text" if it.shape is Shape.TEXT else "number" for it in table.columns]
    heads = "".join(
        f'<th scope="col" class="{kind}">{escape(it.heading)}</th>'
        for it, kind in zip(table.columns, classes, strict=True)
    )
    rows = "".join(
        "<tr>"
        + "".join(
            f'<td class="{kind}">{escape(shown(row[it.name], it.shape))}</td>'
            for it, kind in zip(table.columns, classes, strict=True)
        )
        + "</tr>"
        for row in table.rows
    )
    if not rows:
        rows = f'<tr><td colspan="{len(classes)}">nothing</td></tr>'
    return (
        f'<h2>{escape(table.title)}</h2><div class="table"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )
