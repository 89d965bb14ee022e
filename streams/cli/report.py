"""``tocsin report``: one subcommand for each file in ``streams/warehouse/reports/``."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, get_args, get_origin

import click
from pydantic import AwareDatetime, ValidationError
from pydantic.fields import FieldInfo
from rich.console import Console
from rich.table import Table

from streams.discovery import declared_in
from streams.durations import read_duration
from streams.errors import TocsinError
from streams.gateways.clickhouse import ClickHouse
from streams.settings import read_settings
from streams.warehouse import reports
from streams.warehouse.report import Report, Shape

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR


@click.group("report")
def report() -> None:
    """Ask the warehouse."""


def declared_reports() -> list[type[Report]]:
    """Return what the files of the reports' folder declare."""
    return [kind for kind in declared_in(reports) if issubclass(kind, Report)]


def _command(kind: type[Report]) -> click.Command:
    """Return the subcommand of a report: each of its settings is an option."""
    options: list[click.Parameter] = [
        click.Option(
            [f"--{name}"],
            multiple=get_origin(setting.annotation) is tuple,
            help=setting.description,
        )
        for name, setting in kind.model_fields.items()
    ]
    options.append(click.Option(["--json", "as_json"], is_flag=True, help="Print JSON."))

    def run(*, as_json: bool, **given: Any) -> None:
        try:
            asked = _settings(kind, given, now=datetime.now(UTC))
            rows = asyncio.run(_ask(asked))
        except TocsinError as error:
            raise click.ClickException(str(error)) from None
        if as_json:
            click.echo(as_text(asked, rows))
        elif not rows:
            click.echo("no incidents match: nothing to report")
        else:
            Console().print(as_table(asked, rows))

    return click.Command(kind.name, params=options, callback=run, help=kind.title + ".")


def _settings(kind: type[Report], given: Mapping[str, Any], *, now: datetime) -> Report:
    """Read the options as the report's settings; each problem is one line that names its option."""
    values = {
        name: moment(value, now) if _is_moment(kind.model_fields[name]) else value
        for name, value in given.items()
        if value not in {None, ()}
    }
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


def moment(text: str, now: datetime) -> datetime | str:
    """Read ``7d`` as seven days ago and a time without an offset as UTC; leave the rest to the settings."""
    try:
        return now - read_duration(text)
    except OverflowError:
        return text
    except ValueError:
        pass
    try:
        said = datetime.fromisoformat(text)
    except ValueError:
        return text
    return said if said.tzinfo else said.replace(tzinfo=UTC)


async def _ask(asked: Report) -> list[dict[str, Any]]:
    warehouse = ClickHouse(read_settings().warehouse)
    question = asked.question()
    try:
        return await warehouse.select(question.statement, question.parameters)
    finally:
        await warehouse.close()


def as_text(asked: Report, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a report as JSON: its name, its settings, and a row for each line."""
    columns = [column.name for column in asked.columns]
    return json.dumps(
        {
            "report": asked.name,
            "settings": asked.model_dump(mode="json", exclude_none=True),
            "rows": [{name: row[name] for name in columns} for row in rows],
        },
        indent=2,
    )


def as_table(asked: Report, rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return a report as a table for a terminal."""
    table = Table(title=asked.title)
    for column in asked.columns:
        table.add_column(column.heading, justify="left" if column.shape is Shape.TEXT else "right")
    first = asked.columns[0].name
    for row, following in zip(rows, [*rows[1:], {}], strict=True):
        table.add_row(
            *(shown(row[column.name], column.shape) for column in asked.columns),
            end_section=following.get(first) != row[first],
        )
    return table


def shown(value: Any, shape: Shape) -> str:
    """Write a value as a person reads it; a dash where there is none."""
    if value is None:
        return "-"
    return duration(float(value)) if shape is Shape.SECONDS else str(value)


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


for _kind in declared_reports():
    report.add_command(_command(_kind))
