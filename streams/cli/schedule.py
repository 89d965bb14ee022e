"""``tocsin schedule``: who is on call, as the policy says it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import orjson
import yaml
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from streams.cli.choosing import Choice
from streams.durations import read_duration
from streams.errors import TocsinError
from streams.gateways import clock
from streams.incidents.ical import NoCalendar, exported, imported
from streams.incidents.local_time import instant, read_moment
from streams.incidents.schedules import Schedule, Turn, gaps, on_call, turns
from streams.policy import Policy, read_policy
from streams.policy_faults import meant
from streams.settings import read_settings
from streams.time_zones import zone

F = TypeVar("F", bound=Callable[..., Any])

#: What exits so: there are gaps.
GAPS: Final = 1
_WEEKS: Final = "28d"

_POLICY = click.option(
    "--policy",
    "path",
    type=click.Path(path_type=Path),
    help="A file or folder; else the one that the other commands would use.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _window(command: F) -> F:
    """Give *command* the options ``--from`` and ``--for``."""
    begins = click.option(
        "--from", "begins", help="Date and time, on the schedule's clocks; else now."
    )
    lasts = click.option(
        "--for", "lasts", default=_WEEKS, show_default=True, help="How long: 28d, 12h."
    )
    return begins(lasts(command))


@click.group("schedule", cls=Choice)
def schedule() -> None:
    """Look at who is on call."""


@schedule.command("who")
@click.argument("name", required=False)
@click.option("--at", help="Date and time, on the schedule's clocks; else now.")
@_POLICY
@_JSON
def who(name: str | None, at: str | None, path: Path | None, *, as_json: bool) -> None:
    """Say who is on call in NAME, or in every schedule; exits with 1 where nobody is."""
    policy = _policy(path)
    names = [name] if name else [*policy.schedules]
    found = {}
    for each in names:
        chosen = _chosen(policy, each)
        found[each] = on_call(chosen, _moment(at, chosen, "--at"))
    if as_json:
        click.echo(orjson.dumps(found).decode())
    else:
        for each, person in found.items():
            click.echo(f"{each}: {person or 'nobody'}")
    if None in found.values():
        raise SystemExit(GAPS)


@schedule.command("show")
@click.argument("name")
@_window
@_POLICY
@_JSON
def show(name: str, begins: str | None, lasts: str, path: Path | None, *, as_json: bool) -> None:
    """List the turns of NAME."""
    chosen = _chosen(_policy(path), name)
    _print(name, chosen, turns(chosen, *_span(begins, lasts, chosen)), as_json=as_json)


@schedule.command("gaps")
@click.argument("name", required=False)
@_window
@_POLICY
@_JSON
def list_gaps(
    name: str | None, begins: str | None, lasts: str, path: Path | None, *, as_json: bool
) -> None:
    """List when somebody must be on call in NAME, or in any schedule, and nobody is; exits with 1 where there are any."""
    policy = _policy(path)
    any_gap = False
    for each in [name] if name else [*policy.schedules]:
        chosen = _chosen(policy, each)
        needed = policy.plan.calendars.get(chosen.needed) if chosen.needed else None
        found = gaps(chosen, *_span(begins, lasts, chosen), needed)
        any_gap |= bool(found)
        if found or as_json:
            _print(each, chosen, found, as_json=as_json)
        else:
            click.echo(f"{each}: no gaps")
    if any_gap:
        raise SystemExit(GAPS)


@schedule.command("export")
@click.argument("name")
@_window
@_POLICY
def export(name: str, begins: str | None, lasts: str, path: Path | None) -> None:
    """Print the turns of NAME as iCalendar, for calendar programs."""
    chosen = _chosen(_policy(path), name)
    found = turns(chosen, *_span(begins, lasts, chosen))
    click.echo(exported(name, found, clock.now()).decode(), nl=False)


@schedule.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--name", required=True, help="What the schedule is called.")
@click.option(
    "--time-zone", "time_zone", default="UTC", show_default=True, help="The schedule's zone."
)
@_window
@_POLICY
def import_(  # noqa: PLR0913 - click gives each option by name
    *, file: Path, name: str, time_zone: str, begins: str | None, lasts: str, path: Path | None
) -> None:
    """Print the events of the iCalendar FILE as a schedule of a policy; their summaries name people."""
    policy = _policy(path)
    try:
        where = zone(time_zone)
    except ValueError as error:
        raise click.UsageError(f"--time-zone: {time_zone!r} {error}") from None
    start = instant(_read(begins, "--from"), where) if begins else clock.now()
    end = start + _lasts(lasts)
    try:
        found = imported(file.read_bytes(), start, end, where, policy.people)
    except NoCalendar as error:
        raise click.ClickException(f"{file} {error}") from None
    if not found:
        raise click.ClickException(f"{file} has no events from {_shown(start)} for {lasts}")
    shifts = [
        {"person": each.person, "from": _shown(each.start), "until": _shown(each.end)}
        for each in found
    ]
    settings = {"time_zone": time_zone, "layers": [{"shifts": shifts}]}
    try:
        Schedule.model_validate(settings)
    except ValidationError as error:
        said = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
        raise click.ClickException(f"{file} {said}") from None
    click.echo(yaml.safe_dump({"schedules": {name: settings}}, sort_keys=False), nl=False)


def _policy(path: Path | None) -> Policy:
    try:
        return read_policy(path or read_settings().policy)
    except TocsinError as error:
        raise click.ClickException(str(error)) from None


def _chosen(policy: Policy, name: str) -> Schedule:
    found = policy.schedules.get(name)
    if found is None:
        message = f"{name!r} is not defined under schedules; {meant(name, policy.schedules)}"
        raise click.ClickException(message)
    return found


def _span(begins: str | None, lasts: str, chosen: Schedule) -> tuple[datetime, datetime]:
    start = _moment(begins, chosen, "--from")
    return start, start + _lasts(lasts)


def _moment(text: str | None, chosen: Schedule, option: str) -> datetime:
    return instant(_read(text, option), zone(chosen.time_zone)) if text else clock.now()


def _read(text: str, option: str) -> datetime:
    try:
        return read_moment(text)
    except ValueError as error:
        raise click.UsageError(f"{option}: {text!r} {error}") from None


def _lasts(text: str) -> timedelta:
    try:
        lasts = read_duration(text)
    except ValueError as error:
        raise click.UsageError(f"--for: {text!r} {error}") from None
    if not lasts:
        # A schedule has no gaps in no time: that would pass for a good answer.
        raise click.UsageError(
            f"--for: {text!r} is no time at all: write a longer one, such as 28d"
        )
    return lasts


def _print(name: str, chosen: Schedule, found: list[Turn], *, as_json: bool) -> None:
    if as_json:
        listed = [
            {"schedule": name, "person": each.person, "from": each.start, "until": each.end}
            for each in found
        ]
        click.echo(orjson.dumps(listed).decode())
        return
    where = zone(chosen.time_zone)
    table = Table(title=f"{name} ({chosen.time_zone})")
    for heading in ("person", "from", "until"):
        table.add_column(heading)
    for each in found:
        times = [
            f"{moment.astimezone(where):%a %Y-%m-%d %H:%M}" for moment in (each.start, each.end)
        ]
        table.add_row(each.person or "nobody", *times)
    Console().print(table)


def _shown(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
