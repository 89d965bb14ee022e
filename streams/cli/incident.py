"""``tocsin incident``: look at incidents and ask for changes."""

import getpass
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar
from uuid import uuid4

import click
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from schemas.commands import (
    Acknowledge,
    Assign,
    Close,
    Command,
    CommandSource,
    Declare,
    Mitigate,
    Note,
    Reopen,
    Report,
    Resolve,
    SetSeverity,
    SetStatus,
)
from schemas.contract import Part, faults
from schemas.lifecycle import INCIDENT_ID, IncidentV1, Status, StepV1
from streams.cli.asking import print_json, run
from streams.errors import TocsinError
from streams.gateways import clock, incidents
from streams.gateways.incidents import Done, Refused, Result
from streams.settings import Settings

CommandT = TypeVar("CommandT", bound=Command)

SOURCE: Final = "cli"
#: Exit codes: what a script can tell apart.
REFUSED: Final = 1
UNANSWERED: Final = 3
#: Statuses of incidents that somebody still works on.
OPEN: Final = frozenset({Status.INVESTIGATING, Status.IDENTIFIED, Status.MONITORING})

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_TENANT = click.option("--tenant", default="default", show_default=True, help="The tenant.")
_AUTHOR = click.option(
    "--author",
    envvar="TOCSIN_AUTHOR",
    default=getpass.getuser,
    show_default="TOCSIN_AUTHOR, else who is logged in",
    help="Who gives the command.",
)
_WITHIN = click.option(
    "--within",
    type=click.FloatRange(min=0.1, max=600),
    default=10,
    show_default=True,
    help="Seconds to wait for what becomes of it.",
)


class IncidentIdType(click.ParamType):
    """An incident's id."""

    name = "incident"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the id in capitals, so that it can be typed in any case."""
        wanted = str(value).strip().upper()
        if not re.match(INCIDENT_ID, wanted):
            self.fail(
                f"{value!r} is not an incident's id; one looks like INC-2026-01-31-001", param, ctx
            )
        return wanted


_INCIDENT = click.argument("incident_id", metavar="INCIDENT", type=IncidentIdType())


@click.group("incident")
def incident() -> None:
    """Look at incidents, and acknowledge, update or resolve them."""


def _commands(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command that asks for a change the options that all of them have."""
    for option in (_JSON, _WITHIN, _TENANT, _AUTHOR):
        command = option(command)
    return command


@incident.command("list")
@click.option("--all", "everything", is_flag=True, help="Resolved and closed ones too.")
@click.option("--tenant", default=None, help="Only this tenant's.")
@_JSON
def list_incidents(*, everything: bool, tenant: str | None, as_json: bool) -> None:
    """List the incidents that are not over, the latest first."""
    found = run(lambda settings: incidents.current(settings, tenant=tenant))
    shown = [each for each in found if everything or each.status in OPEN]
    if as_json:
        print_json([each.model_dump(mode="json") for each in shown])
        return
    if not shown:
        past = f"; {len(found)} are over (--all shows them)" if found else ""
        click.echo(f"no open incidents{past}")
        return
    Console().print(table_of(shown, clock.now()))


@incident.command("show")
@_INCIDENT
@_TENANT
@_JSON
def show(*, incident_id: str, tenant: str, as_json: bool) -> None:
    """Show one incident and its timeline."""

    async def look(settings: Settings) -> tuple[IncidentV1, list[StepV1]]:
        for each in await incidents.current(settings, tenant=tenant):
            if each.incident_id == incident_id:
                return each, await incidents.timeline(settings, each)
        message = (
            f"there is no {incident_id} in tenant {tenant}; `tocsin incident list --all` has all"
        )
        raise TocsinError(message)

    found, steps = run(look)
    if as_json:
        print_json(
            {
                "incident": found.model_dump(mode="json"),
                "timeline": [step.model_dump(mode="json", exclude={"incident"}) for step in steps],
            }
        )
        return
    console = Console()
    console.print(facts_of(found))
    console.print(timeline_of(steps))


@incident.command("ack")
@_INCIDENT
@_commands
def acknowledge(incident_id: str, **how: Any) -> None:
    """Take an incident."""
    _tell(Acknowledge, how, incident_id=incident_id)


@incident.command("assign")
@_INCIDENT
@click.argument("assignee", metavar="PERSON")
@click.option(
    "--role",
    type=click.Choice(["commander", "responder"]),
    default="commander",
    show_default=True,
    help="What for.",
)
@_commands
def assign(incident_id: str, assignee: str, role: str, **how: Any) -> None:
    """Give an incident a person who works on it."""
    _tell(Assign, how, incident_id=incident_id, assignee=assignee, role=role)


@incident.command("note")
@_INCIDENT
@click.argument("text")
@_commands
def note(incident_id: str, text: str, **how: Any) -> None:
    """Put a note into an incident's timeline."""
    _tell(Note, how, incident_id=incident_id, text=text)


@incident.command("status")
@_INCIDENT
@click.argument("status", type=click.Choice(sorted(status.value for status in OPEN)))
@click.option("--text", default="", help="What the update says.")
@_commands
def set_status(incident_id: str, status: str, text: str, **how: Any) -> None:
    """Move an incident to another status and tell about it."""
    _tell(SetStatus, how, incident_id=incident_id, status=status, text=text)


@incident.command("severity")
@_INCIDENT
@click.argument("severity", type=click.IntRange(1, 4))
@click.option("--reason", required=True, help="Why.")
@_commands
def set_severity(incident_id: str, severity: int, reason: str, **how: Any) -> None:
    """Give an incident another severity, 1 critical to 4 low."""
    _tell(SetSeverity, how, incident_id=incident_id, severity=severity, reason=reason)


@incident.command("mitigate")
@_INCIDENT
@click.option("--text", default="", help="What was done.")
@_commands
def mitigate(incident_id: str, text: str, **how: Any) -> None:
    """Say that users no longer suffer, though the cause may remain."""
    _tell(Mitigate, how, incident_id=incident_id, text=text)


@incident.command("resolve")
@_INCIDENT
@click.option("--root-cause", default="", help="Why it happened.")
@click.option("--resolution", default="", help="What ended it.")
@_commands
def resolve(incident_id: str, root_cause: str, resolution: str, **how: Any) -> None:
    """Say that it is over."""
    _tell(Resolve, how, incident_id=incident_id, root_cause=root_cause, resolution=resolution)


@incident.command("reopen")
@_INCIDENT
@click.option("--reason", required=True, help="Why.")
@_commands
def reopen(incident_id: str, reason: str, **how: Any) -> None:
    """Say that it is not over after all."""
    _tell(Reopen, how, incident_id=incident_id, reason=reason)


@incident.command("close")
@_INCIDENT
@_commands
def close(incident_id: str, **how: Any) -> None:
    """Say that nothing more will be done about it."""
    _tell(Close, how, incident_id=incident_id)


@incident.command("declare")
@click.option("--severity", type=click.IntRange(1, 4), required=True, help="1 critical to 4 low.")
@click.option("--service", required=True, help="The service it is about.")
@click.option("--summary", required=True, help="The incident and its impact, in one line.")
@click.option("--environment", default="production", show_default=True, help="Where.")
@click.option("--symptoms", default="", help="Messages, behaviours, complaints.")
@click.option("--impact", default="", help="Users, business functions, money.")
@click.option("--actions-taken", default="", help="What was done already.")
@click.option("--next-steps", default="", help="Plan, people, timeline.")
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="What else is known.")
@_commands
def declare(  # noqa: PLR0913 - a report has that many parts
    *,
    severity: int,
    service: str,
    environment: str,
    summary: str,
    symptoms: str,
    impact: str,
    actions_taken: str,
    next_steps: str,
    labels: Sequence[str],
    **how: Any,
) -> None:
    """Report an incident that no rule has found."""
    report = _valid(
        Report,
        summary=summary,
        symptoms=symptoms,
        impact=impact,
        actions_taken=actions_taken,
        next_steps=next_steps,
    )
    _tell(
        Declare,
        how,
        severity=severity,
        service=service,
        environment=environment,
        labels=dict(label_of(each) for each in labels),
        report=report,
    )


# -- what all of them do ----------------------------------------------------------------------


def _tell(kind: type[CommandT], how: dict[str, Any], **fields: Any) -> None:
    """Send one command, say what became of it, and leave with a code that says it too."""
    command = _valid(
        kind,
        occurred_at=clock.now(),
        command_id=str(uuid4()),
        tenant=how["tenant"],
        author=how["author"],
        source=CommandSource.CLI,
        **fields,
    )
    within = timedelta(seconds=how["within"])
    result = run(lambda settings: incidents.ask(settings, command, source=SOURCE, within=within))
    if how["as_json"]:
        print_json(document_of(command, result))
    else:
        click.echo(answer_of(command, result), err=not isinstance(result, Done))
    if isinstance(result, Refused):
        raise SystemExit(REFUSED)
    if not isinstance(result, Done):
        raise SystemExit(UNANSWERED)


def answer_of(command: Command, result: Result) -> str:
    """Say in one line what became of *command*."""
    if isinstance(result, Done):
        step, now = result.step, result.step.incident
        return (
            f"{step.incident_id}: {step.kind.replace('_', ' ')} by {step.author} "
            f"(step {step.sequence}; now {now.status}, severity {now.severity})"
        )
    if isinstance(result, Refused):
        return f"refused: {result.reason}"
    return (
        f"no answer within {result.within.total_seconds():g} s: command {command.command_id} is kept "
        "and will be carried out once `tocsin worker incidents` runs"
    )


def document_of(command: Command, result: Result) -> dict[str, Any]:
    """Return what became of *command* as JSON values."""
    said: dict[str, Any] = {"command_id": command.command_id}
    if isinstance(result, Done):
        return {**said, "result": "done", "step": result.step.model_dump(mode="json")}
    if isinstance(result, Refused):
        return {**said, "result": "refused", "reason": result.reason}
    return {**said, "result": "unanswered", "within": result.within.total_seconds()}


def table_of(shown: Sequence[IncidentV1], at: datetime) -> Table:
    """Return incidents as a table; *at* is the moment their age is told for."""
    table = Table(box=None)
    for heading in ("incident", "sev", "status", "service", "summary", "age", "firing", "who"):
        # Ids are typed again, so they are never cut; what is long is wrapped.
        whole = heading in {"incident", "sev", "status", "age", "firing"}
        table.add_column(heading, no_wrap=whole, overflow="fold")
    for each in shown:
        table.add_row(
            # Text takes no markup: what a stranger wrote colours nothing.
            *(
                Text(cell)
                for cell in (
                    each.incident_id,
                    str(each.severity),
                    each.status,
                    each.service,
                    each.summary,
                    _age(at - each.started_at),
                    f"{each.firing_count}/{each.alert_count}",
                    each.assigned_to or each.acknowledged_by or "nobody",
                )
            )
        )
    return table


def facts_of(found: IncidentV1) -> Table:
    """Return what an incident is, a fact a line."""
    table = Table(box=None, show_header=False)
    facts = {
        "incident": found.incident_id,
        "summary": found.summary,
        "status": found.status,
        "severity": f"{found.severity} (first {found.severity_first}, peak {found.severity_peak})",
        "service": ", ".join(found.services) or found.service,
        "environment": found.environment,
        "alerts": f"{found.firing_count} firing of {found.alert_count}",
        "started": _moment(found.started_at),
        "detected": _moment(found.detected_at),
        "acknowledged": _taken(found.acknowledged_at, found.acknowledged_by),
        "assigned to": found.assigned_to or "nobody",
        "mitigated": _moment(found.mitigated_at),
        "resolved": _moment(found.resolved_at),
        "impact": found.impact,
        "root cause": found.root_cause,
        "resolution": found.resolution,
        "runbook": found.runbook or "",
    }
    for name, value in facts.items():
        if value:
            table.add_row(name, Text(value))
    return table


def timeline_of(steps: Sequence[StepV1]) -> Table:
    """Return the steps of one incident as a table."""
    table = Table("#", "at", "step", "by", "why", box=None)
    for step in steps:
        why = f"{step.reason}: {step.detail}" if step.detail else step.reason
        table.add_row(
            str(step.sequence),
            _moment(step.occurred_at),
            step.kind.replace("_", " "),
            Text(step.author),
            Text(why),
        )
    return table


def _age(elapsed: timedelta) -> str:
    seconds = max(0, int(elapsed.total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _moment(at: datetime | None) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S %Z") if at else ""


def _taken(at: datetime | None, by: str | None) -> str:
    return f"{_moment(at)} by {by}" if at else "nobody took it"


def label_of(written: str) -> tuple[str, str]:
    """Return the name and the value of a label that was *written* as an option."""
    name, is_pair, value = written.partition("=")
    if not is_pair:
        message = f"{written!r} is no label: write --label NAME=VALUE"
        raise click.UsageError(message)
    return name, value


PartT = TypeVar("PartT", bound=Part)


def _valid(kind: type[PartT], **fields: Any) -> PartT:
    try:
        return TypeAdapter(kind).validate_python(fields)
    except ValidationError as error:
        raise click.UsageError(faults(error, kind)) from None
