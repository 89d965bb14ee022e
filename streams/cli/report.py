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

from streams.cli.choosing import Choice
from streams.cli.moments import when
from streams.discovery import declared_in
from streams.errors import PolicyError, TocsinError, Unavailable
from streams.gateways.clickhouse import ClickHouse
from streams.gateways.reporting import told
from streams.policy_faults import meant
from streams.settings import read_settings
from streams.warehouse import reports, writing
from streams.warehouse.mail import Told, key_of, mail_of, subject_of
from streams.warehouse.page import page
from streams.warehouse.report import Account, Report, Table
from streams.warehouse.terminal import show

#: What a report is about where nothing else is said.
_SPAN: Final = timedelta(days=30)


@click.group("report", cls=Choice)
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
        click.Option(
            ["--mail"],
            metavar="CHANNEL",
            help="Mail it to the receivers of this channel of the policy, with its page attached.",
        ),
    ]

    def run(*, table: str | None, output: Path | None, mail: str | None, **given: Any) -> None:
        forms = [form for form in ("json", "csv", "html") if given.pop(f"as_{form}")]
        if len(forms) + (mail is not None) > 1:
            message = "--json, --csv, --html and --mail exclude each other"
            raise click.UsageError(message)
        now = datetime.now(UTC)
        try:
            asked = _settings(kind, given, now=now)
            account = asyncio.run(ask(asked))
            if mail is not None:
                click.echo(asyncio.run(mailed(asked, account, mail, now)))
                return
        except TocsinError as error:
            raise click.ClickException(str(error)) from None
        _write(asked, account, _text(forms, asked, account, table, now), output)

    return click.Command(kind.name, params=options, callback=run, help=f"{kind.title}.")


def _text(
    forms: list[str], asked: Report, account: Account, table: str | None, at: datetime
) -> str | None:
    """Return the report in the form that was asked for; None where it is for a person at a terminal."""
    match forms:
        case ["json"]:
            return f"{writing.as_json(asked, account)}\n"
        case ["csv"]:
            return writing.as_csv(_table(account, table))
        case ["html"]:
            return page(asked, account, at)
        case _:
            return None


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


async def mailed(asked: Report, account: Account, name: str, at: datetime) -> str:
    """
    Mail a report to the receivers of the channel called *name*, and say what the server answered.

    Raises:
        PolicyError: The policy cannot be used, or has no such channel that sends mail.
        Unavailable: The server did not take it; a scheduler that tries again sends the same mail.
    """
    # What sends takes a second to import: not for every report.
    from streams.gateways.courier import post  # noqa: PLC0415
    from streams.notifications.channel import Verdict  # noqa: PLC0415
    from streams.notifications.channels.email import Email  # noqa: PLC0415
    from streams.policy import read_policy  # noqa: PLC0415

    channels = read_policy(read_settings().policy).channels
    senders = {each: it for each, it in channels.items() if isinstance(it, Email)}
    if name not in senders:
        message = f"--mail: {name!r} is no channel of kind email; {meant(name, senders)}"
        raise PolicyError(message)
    channel = senders[name]
    missing = channel.missing()
    if missing is not None:
        message = f"--mail: the channel {name} is not set up: {missing} is empty"
        raise PolicyError(message)
    one = Told(asked, account)
    mail = mail_of(
        [one],
        subject=subject_of(one),
        key=key_of(one),
        sender=channel.sender,
        to=channel.to,
        at=at,
    )
    judged = await post(channel, mail)
    if judged.verdict is not Verdict.DELIVERED:
        message = f"the mail server of {name} did not take it: {judged.reason}"
        raise Unavailable(message)
    return f"mailed to {', '.join(channel.to)}: {judged.reason}"


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
        asked = kind(**values)
    except ValidationError as error:
        problems = []
        for fault in error.errors(include_url=False):
            option = str(fault["loc"][0])
            allowed = kind.model_fields[option].description or ""
            problems.append(f"--{option}: {fault['input']!r} cannot be used. {allowed}")
        raise click.UsageError("\n".join(problems)) from None
    since, until = asked.window
    if since >= until:
        message = f"--since: {since.isoformat()} is not before --until, {until.isoformat()}: name an earlier one"
        raise click.UsageError(message)
    return asked


def _is_moment(setting: FieldInfo) -> bool:
    return AwareDatetime in get_args(setting.annotation) or setting.annotation is AwareDatetime


async def ask(asked: Report) -> Account:
    """
    Ask the warehouse of this process's settings.

    Raises:
        SettingsError: The settings name none.
        WarehouseUnavailable: It could not be asked.
    """
    settings = read_settings()
    warehouse = ClickHouse(settings.warehouse, settings.warehouse_ca)
    try:
        return await told(asked, warehouse)
    finally:
        await warehouse.close()


for _kind in declared_reports():
    report.add_command(_command(_kind))
