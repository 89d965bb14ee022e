"""A report for a person at a terminal: tables, small plots, and recommendations last, where the eye is."""

from io import StringIO

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from streams.warehouse.plots import plot
from streams.warehouse.report import Account, Report, Shape, Table
from streams.warehouse.wording import moment, shown

#: Columns of a mail's text.
_MAIL_WIDTH = 120


def show(asked: Report, account: Account, paper: Console) -> None:
    """Write a report to *paper*."""
    since, until = asked.window
    paper.print(f"[bold]{asked.title}[/], {moment(since)} to {moment(until)} UTC")
    for table in account.tables:
        paper.print(as_table(table))
    for chart in account.charts:
        paper.print(plot(chart))
    for it in account.recommendations:
        paper.print(
            Text.assemble(
                ("→ ", "bold"), (it.advice, "bold"), f"\n  {it.because} (rule: {it.rule})"
            )
        )
    for note in account.notes:
        paper.print(Text(note, style="dim"))


def as_text(asked: Report, account: Account) -> str:
    """Return a report as plain text."""
    text = StringIO()
    show(asked, account, Console(file=text, width=_MAIL_WIDTH))
    return text.getvalue()


def as_table(table: Table) -> RichTable:
    """Return a table for a terminal."""
    # Lines between columns would take from figures what a terminal of 80 has not.
    paper = RichTable(
        title=f"\n{table.title}",
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=0,
    )
    for column in table.columns:
        # What does not fit is wrapped: a day that is cut says nothing.
        paper.add_column(
            column.heading,
            justify="left" if column.shape is Shape.TEXT else "right",
            overflow="fold",
        )
    for row in table.rows:
        paper.add_row(*(Text(shown(row[column.name], column.shape)) for column in table.columns))
    if not table.rows:
        paper.add_row("nothing")
    return paper
