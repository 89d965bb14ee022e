"""``tocsin route test``: who would be told, how, when and why."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click
from pydantic import ValidationError

from schemas.lifecycle import IncidentV1, Status
from schemas.notices import Purpose
from streams.cli.choosing import Choice
from streams.durations import written
from streams.errors import TocsinError
from streams.gateways.clock import now
from streams.notifications.routing import (
    Chosen,
    Subject,
    choose,
    receivers,
    schedules_named,
    subject,
    timing,
)
from streams.notifications.waiting import muted, opens
from streams.policy import Policy, read_policy
from streams.policy_duty import duty_of
from streams.settings import read_settings

#: Labels that are fields of an incident.
_FIELDS: Final = frozenset({"tenant", "service", "environment", "owner"})


@click.group("route", cls=Choice)
def route() -> None:
    """Ask who would be told."""


@route.command("test")
@click.option(
    "--labels", multiple=True, metavar="NAME=VALUE,…", help="Of the incident; can be repeated."
)
@click.option("--severity", type=click.IntRange(1, 4), default=2, show_default=True)
@click.option(
    "--message",
    type=click.Choice([str(each) for each in Purpose]),
    default=str(Purpose.INITIAL),
    show_default=True,
)
@click.option("--at", metavar="TIME", help="Such as 2026-11-24T03:00+01:00; now without it.")
@click.option(
    "--policy",
    type=click.Path(path_type=Path),
    help="Folder or file; without it the one that the other commands would use.",
)
def test(
    labels: tuple[str, ...], severity: int, message: str, at: str | None, policy: Path | None
) -> None:
    """Say who would be told of an incident with these labels, through what, when and why."""
    moment = now() if at is None else _moment(at)
    incident = _incident(_labels(labels), severity, moment)
    try:
        rules = read_policy(policy or read_settings().policy)
    except TocsinError as error:
        raise click.ClickException(str(error)) from None
    purpose = Purpose(message)
    click.echo(f"{message} message, severity {severity}, at {_said(moment)}")
    of = subject(incident, severity, purpose, duty_of(rules.roster), moment)
    told = list(_told(rules, of, incident, moment))
    if not told:
        click.echo("nobody is told: no route fits")
        for name in _empty(rules, moment):
            click.echo(
                f"  nobody is on call in {name}: a route that names nothing else is passed over"
            )
    for line in told:
        click.echo(line)


def _told(policy: Policy, of: Subject, incident: IncidentV1, at: datetime) -> Iterator[str]:
    """Yield a line for each channel."""
    seen: set[str] = set()
    for each in choose(policy.routes, of):
        for name, why in receivers(each, of):
            if name in seen:
                continue
            seen.add(name)
            channel = policy.channels[name]
            missing = channel.missing()
            off = f"; turned off: its {missing} is empty" if missing else ""
            when = _when(policy, each, incident, of.purpose, at)
            whom = f" of {', '.join(why.people)}" if why.people else ""
            yield f"  {name} ({channel.kind}{whom}) {when}, by {why.reason}{off}"


def _empty(policy: Policy, at: datetime) -> list[str]:
    """Return the schedules of routes that have nobody at *at*."""
    named = dict.fromkeys(name for each in policy.routes for _, name in schedules_named(each))
    duty = duty_of(policy.roster)
    return [name for name in named if duty(name, at) is None]


def _when(
    policy: Policy, chosen: Chosen, incident: IncidentV1, purpose: Purpose, at: datetime
) -> str:
    timed = timing(chosen, incident, purpose)
    wait = timed.wait if timed else timedelta(0)
    goes = opens(timed, policy.time_intervals, at + wait)
    why = muted(timed, policy.time_intervals, at + wait)
    parts = [f"group_wait {written(wait)}"] if wait else []
    parts += [why] if why else []
    said = f" ({', '.join(parts)})" if parts else ""
    again = (
        f", again every {written(timed.repeat)} until it is resolved"
        if timed and timed.repeat
        else ""
    )
    if goes is None:
        return f"not for a week{said}"
    return f"{'at once' if goes == at else f'at {_said(goes)}'}{said}{again}"


def _incident(labels: dict[str, str], severity: int, at: datetime) -> IncidentV1:
    fields = {name: value for name, value in labels.items() if name in _FIELDS}
    others = {name: value for name, value in labels.items() if name not in _FIELDS}
    given = {"service": "any", **fields, "labels": others}
    try:
        return IncidentV1.model_validate(
            {
                "occurred_at": at,
                "incident_id": f"INC-{at.astimezone(UTC):%Y-%m-%d}-001",
                "sequence": 1,
                "status": Status.INVESTIGATING,
                "severity": severity,
                "severity_first": severity,
                "severity_peak": severity,
                "summary": "",
                "group_key": "any",
                "started_at": at,
                "detected_at": at,
                **given,
            }
        )
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in wrong["loc"] if step != "[key]")
        message = f"--labels: {where}: {wrong['msg']}"
        raise click.UsageError(message) from None


def _labels(written_labels: tuple[str, ...]) -> dict[str, str]:
    labels = {}
    for pair in ",".join(written_labels).split(","):
        name, equals, value = pair.partition("=")
        if not pair:
            continue
        if not equals or not name:
            message = (
                f"--labels: {pair!r} is no label: write NAME=VALUE, several separated by commas"
            )
            raise click.UsageError(message)
        labels[name.strip()] = value.strip().strip('"')
    return labels


def _moment(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        message = f"--at: {text!r} is no time: write it as 2026-11-24T03:00+01:00"
        raise click.UsageError(message) from None
    if at.tzinfo is None:
        message = f"--at: {text!r} has no zone: write {text}Z, or {text}+01:00"
        raise click.UsageError(message)
    return at


def _said(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S %Z}"
