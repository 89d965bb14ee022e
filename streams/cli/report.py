"""``tocsin report``: one subcommand for each file in ``streams/warehouse/reports/``."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

import click
from pydantic import AwareDatetime, ValidationError
from pydantic.fields import FieldInfo
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from streams.cli.moments import when
from streams.cli.plots import plot
from streams.discovery import declared_in
from streams.errors import TocsinError
from streams.gateways.clickhouse import ClickHouse
from streams.gateways.reporting import told
from streams.policy_faults import meant
from streams.settings import read_settings
from streams.warehouse import reports, writing
from streams.warehouse.page import page
from streams.warehouse.report import Account, Report, Shape, Table
from streams.warehouse.wording import moment, shown

#: What a report is about where nothing else is said.
_SPAN: Final = timedelta(days=30)


@click.group("report")
def report() -> None:
    """Ask the warehouse."""


def declared_reports() -> list[type[Report]]:
    """Return what the files of the reports' folder declare."""
    return [kind for kind in declared_in(reports) if issubclass(kind, Report)]


def _command(kind: type[Report]) -> click.Command:
    """Return the subcommand of a report: each of its settings is an option."""
    options: list[click.Parameter] = [
        _option(name, setting) for name, setting in kind.model_fields.items()
    ]
    options += [
        click.Option(["--json", "as_json"], is_flag=True, help="Write JSON, with every table."),
        click.Option(["--csv", "as_csv"], is_flag=True, help="Write the first table as CSV."),
        click.Option(["--html", "as_html"], is_flag=True, help="Write a page with charts."),
        click.Option(["--table"], metavar="NAME", help="Write this table; only with --csv."),
        click.Option(
            ["--output"],
            type=click.Path(dir_okay=False, path_type=Path),
            help="Write to this file, not to the terminal.",
        ),
    ]

    def run(
        *,
        as_json: bool,
        as_csv: bool,
        as_html: bool,
        table: str | None,
        output: Path | None,
        **given: Any,
    ) -> None:
        if as_json + as_csv + as_html > 1:
            message = "--json, --csv and --html exclude each other"
            raise click.UsageError(message)
        now = datetime.now(UTC)
        try:
            asked = _settings(kind, given, now=now)
            account = asyncio.run(ask(asked))
        except TocsinError as error:
            raise click.ClickException(str(error)) from None
        if as_json:
            text = f"{writing.as_json(asked, account)}\n"
        elif as_csv:
            text = writing.as_csv(_table(account, table))
        elif as_html:
            text = page(asked, account, now)
        else:
            text = None
        _write(asked, account, text, output)

    return click.Command(kind.name, params=options, callback=run, help=f"{kind.title}.")


def _option(name: str, setting: FieldInfo) -> click.Option:
    choices = get_args(setting.annotation) if get_origin(setting.annotation) is Literal else ()
    if setting.annotation is bool:
        return click.Option([f"--{name}"], is_flag=True, help=setting.description)
    return click.Option(
        [f"--{name}"],
        multiple=get_origin(setting.annotation) is tuple,
        type=click.Choice(choices) if choices else None,
        help=setting.description,
    )


def _table(account: Account, name: str | None) -> Table:
    """
    Return the table that is called *name*; the first where nothing is said.

    Raises:
        click.UsageError: There is none.
    """
    found = {table.name: table for table in account.tables}
    if name is None:
        return account.tables[0]
    if name not in found:
        message = f"--table: {name!r} is no table of this report; {meant(name, found)}"
        raise click.UsageError(message)
    return found[name]


def _write(asked: Report, account: Account, text: str | None, output: Path | None) -> None:
    if output is None:
        if text is None:
            show(asked, account, Console())
        else:
            click.echo(text, nl=False)
        return
    try:
        with output.open("w", encoding="utf-8", newline="") as file:
            if text is None:
                show(asked, account, Console(file=file, width=160))
            else:
                file.write(text)
    except OSError as error:
        message = f"{output} cannot be written: {error.strerror}"
        raise click.ClickException(message) from None


def show(asked: Report, account: Account, paper: Console) -> None:
    """Write a report for a person at a terminal: recommendations last, where the eye is."""
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


def _settings(kind: type[Report], given: Mapping[str, Any], *, now: datetime) -> Report:
    """Read the options as the report's settings; each problem is one line that names its option."""
    values = {
        name: when(value, now) if _is_moment(kind.model_fields[name]) else value
        for name, value in given.items()
        if value not in {None, ()}
    }
    if "until" in kind.model_fields:
        values.setdefault("until", now)
    if "since" in kind.model_fields and isinstance(values["until"], datetime):
        values.setdefault("since", values["until"] - _SPAN)
    try:
        return kind(**values)
    except ValidationError as error:
        problems = []
        for fault in error.errors(include_url=False):
            option = str(fault["loc"][0])
            allowed = kind.model_fields[option].description or ""
            problems.append(f"--{option}: {fault['input']!r} cannot be used. {allowed}")
        raise click.UsageError("\n".join(problems)) from None


def _is_moment(setting: FieldInfo) -> bool:
    return AwareDatetime in get_args(setting.annotation) or setting.annotation is AwareDatetime


async def ask(asked: Report) -> Account:
    """
    Ask the warehouse of this process's settings.

    Raises:
        SettingsError: The settings name none.
        WarehouseUnavailable: It could not be asked.
    """
    warehouse = ClickHouse(read_settings().warehouse)
    try:
        return await told(asked, warehouse)
    finally:
        await warehouse.close()


def as_table(table: Table) -> RichTable:
    """Return a table for a terminal."""
    paper = RichTable(title=table.title, title_justify="left")
    for column in table.columns:
        paper.add_column(column.heading, justify="left" if column.shape is Shape.TEXT else "right")
    for row in table.rows:
        paper.add_row(*(Text(shown(row[column.name], column.shape)) for column in table.columns))
    if not table.rows:
        paper.add_row("nothing")
    return paper


for _kind in declared_reports():
    report.add_command(_command(_kind))
