"""``tocsin incident``: look at incidents and ask for changes."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from schemas.commands import (
    Acknowledge,
    Assign,
    Close,
    Correct,
    Declare,
    Merge,
    Mitigate,
    Note,
    Reopen,
    Report,
    Resolve,
    SetSeverity,
    SetStatus,
    Split,
    Unacknowledge,
)
from schemas.lifecycle import IncidentV1, Status, StepV1
from streams.cli.asking import JSON, TENANT, pair, print_json, run, valid
from streams.cli.checklist import checklist, lines_of
from streams.cli.choosing import Choice
from streams.cli.commanding import INCIDENT, IncidentIdType, as_command, tell
from streams.cli.publishing import publish
from streams.cli.reporting import PARTS, TEMPLATE, asked, read_report
from streams.durations import written
from streams.gateways import clock, incidents
from streams.incidents.times import times_of
from streams.settings import Settings

#: Statuses of incidents that somebody still works on.
OPEN: Final = frozenset({Status.INVESTIGATING, Status.IDENTIFIED, Status.MONITORING})


@click.group("incident", cls=Choice)
def incident() -> None:
    """Look at incidents, and acknowledge, update or resolve them."""


incident.add_command(publish)
incident.add_command(checklist)


@incident.command("list")
@click.option("--all", "everything", is_flag=True, help="Resolved and closed ones too.")
@click.option("--tenant", default=None, help="Only this tenant's.")
@JSON
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
@INCIDENT
@TENANT
@JSON
def show(*, incident_id: str, tenant: str, as_json: bool) -> None:
    """Show one incident and its timeline."""

    async def look(settings: Settings) -> tuple[IncidentV1, list[StepV1]]:
        each = await incidents.one(settings, tenant, incident_id)
        return each, await incidents.timeline(settings, each)

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
@INCIDENT
@as_command
def acknowledge(incident_id: str, **how: Any) -> None:
    """Take an incident."""
    tell(Acknowledge, how, incident_id=incident_id)


@incident.command("unack")
@INCIDENT
@click.option("--reason", default="", help="Why.")
@as_command
def unacknowledge(incident_id: str, reason: str, **how: Any) -> None:
    """Give an incident back: nobody has it any more."""
    tell(Unacknowledge, how, incident_id=incident_id, reason=reason)


@incident.command("assign")
@INCIDENT
@click.argument("assignee", metavar="PERSON")
@click.option(
    "--role",
    type=click.Choice(["commander", "responder"]),
    default="commander",
    show_default=True,
    help="What for.",
)
@as_command
def assign(incident_id: str, assignee: str, role: str, **how: Any) -> None:
    """Give an incident a person who works on it."""
    tell(Assign, how, incident_id=incident_id, assignee=assignee, role=role)


@incident.command("note")
@INCIDENT
@click.argument("text")
@as_command
def note(incident_id: str, text: str, **how: Any) -> None:
    """Put a note into an incident's timeline."""
    tell(Note, how, incident_id=incident_id, text=text)


@incident.command("status")
@INCIDENT
@click.argument("status", type=click.Choice(sorted(status.value for status in OPEN)))
@click.option("--text", default="", help="What the update says.")
@as_command
def set_status(incident_id: str, status: str, text: str, **how: Any) -> None:
    """Move an incident to another status and tell about it."""
    tell(SetStatus, how, incident_id=incident_id, status=status, text=text)


@incident.command("severity")
@INCIDENT
@click.argument("severity", type=click.IntRange(1, 4))
@click.option("--reason", required=True, help="Why.")
@as_command
def set_severity(incident_id: str, severity: int, reason: str, **how: Any) -> None:
    """Give an incident another severity, 1 critical to 4 low."""
    tell(SetSeverity, how, incident_id=incident_id, severity=severity, reason=reason)


@incident.command("mitigate")
@INCIDENT
@click.option("--text", default="", help="What was done.")
@as_command
def mitigate(incident_id: str, text: str, **how: Any) -> None:
    """Say that users no longer suffer, though the cause may remain."""
    tell(Mitigate, how, incident_id=incident_id, text=text)


@incident.command("resolve")
@INCIDENT
@click.option("--root-cause", default="", help="Why it happened.")
@click.option("--resolution", default="", help="What ended it.")
@as_command
def resolve(incident_id: str, root_cause: str, resolution: str, **how: Any) -> None:
    """Say that it is over."""
    tell(Resolve, how, incident_id=incident_id, root_cause=root_cause, resolution=resolution)


@incident.command("reopen")
@INCIDENT
@click.option("--reason", required=True, help="Why.")
@as_command
def reopen(incident_id: str, reason: str, **how: Any) -> None:
    """Say that it is not over after all."""
    tell(Reopen, how, incident_id=incident_id, reason=reason)


@incident.command("merge")
@INCIDENT
@click.argument("into", metavar="INTO", type=IncidentIdType())
@as_command
def merge(incident_id: str, into: str, **how: Any) -> None:
    """Make an incident part of another one, which takes its alerts over."""
    tell(Merge, how, incident_id=incident_id, into=into)


@incident.command("split")
@INCIDENT
@click.argument("fingerprints", metavar="FINGERPRINT...", nargs=-1, required=True)
@as_command
def split(incident_id: str, fingerprints: Sequence[str], **how: Any) -> None:
    """Give alerts of an incident (`show --json` has their fingerprints) an incident of their own."""
    tell(Split, how, incident_id=incident_id, fingerprints=tuple(fingerprints))


@incident.command("correct")
@INCIDENT
@click.argument(
    "milestone",
    type=click.Choice(["started", "detected", "acknowledged", "mitigated", "resolved"]),
)
@click.argument("moment", metavar="ISO-8601")
@click.option("--reason", required=True, help="How that is known.")
@as_command
def correct(incident_id: str, milestone: str, moment: str, reason: str, **how: Any) -> None:
    """Set one of an incident's times right: reports recompute."""
    tell(Correct, how, incident_id=incident_id, milestone=milestone, moment=moment, reason=reason)


@incident.command("close")
@INCIDENT
@as_command
def close(incident_id: str, **how: Any) -> None:
    """Say that nothing more will be done about it."""
    tell(Close, how, incident_id=incident_id)


@incident.command("declare")
@click.option("--file", "file", type=click.File("r"), help="The report in Markdown; - for stdin.")
@click.option("--severity", type=click.IntRange(1, 4), help="1 critical to 4 low.")
@click.option("--service", help="The service it is about.")
@click.option("--summary", help="The incident and its impact, in one line.")
@click.option("--began", metavar="ISO-8601", help="Since when; now where it is not said.")
@click.option("--environment", default="production", show_default=True, help="Where.")
@click.option("--symptoms", help="Messages, behaviours, complaints.")
@click.option("--impact", help="Users, business functions, money.")
@click.option("--actions-taken", help="What was done already.")
@click.option("--next-steps", help="Plan, people, timeline.")
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="What else is known.")
@as_command
def declare(*, file: Any, environment: str, labels: Sequence[str], **how: Any) -> None:
    """
    Report an incident that no rule has found.

    By flags, from a file that is the report's template filled in, or, on a terminal, question by question: whatever severity, service
    and summary leave out is asked for.
    """
    given = read_report(file.read()) if file else {}
    flags = {name: how.pop(name) for name in PARTS}
    given |= {name: value for name, value in flags.items() if value is not None}
    # A program that declares has nobody to ask.
    given = asked(given, everything=not any(flags.values()) and not file)
    severity, service = given.pop("severity"), given.pop("service")
    if began := given.pop("began", None):
        how["occurred_at"] = began
    if reporter := given.pop("reporter", None):
        how["author"] = reporter
    tell(
        Declare,
        how,
        severity=severity,
        service=service,
        environment=environment,
        labels=dict(pair(each) for each in labels),
        report=valid(Report, **given),
    )


@incident.command("template")
def template() -> None:
    """Print the report's template, to be filled in for `declare --file`."""
    click.echo(TEMPLATE, nl=False)


#: What may be wrapped, and how wide it stays on a terminal of 80 columns.
_WRAPPED: Final = {"service": 8, "summary": 14, "who": 7}


# -- what is shown ----------------------------------------------------------------------------


def table_of(shown: Sequence[IncidentV1], at: datetime) -> Table:
    """Return incidents as a table; *at* is the moment their age is told for."""
    table = Table(box=None, padding=(0, 1, 0, 0))
    for heading in ("incident", "sev", "status", "service", "summary", "age", "firing", "who"):
        # Ids are typed again, so they are never cut.
        width = _WRAPPED.get(heading)
        table.add_column(heading, no_wrap=width is None, overflow="fold", min_width=width)
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
        "responders": ", ".join(found.responders),
        "mitigated": _moment(found.mitigated_at),
        "resolved": _moment(found.resolved_at),
        "times": _times(found),
        "probable cause": _caused(found),
        "suspects": "\n".join(
            f"{each.summary} ({each.service}, {_moment(each.changed_at)}): {each.reason}"
            for each in found.suspects
        ),
        "checklist": "\n".join(lines_of(found)),
        "impact": found.impact,
        "root cause": found.root_cause,
        "resolution": found.resolution,
        "runbook": found.runbook or "",
        "merged into": found.merged_into or "",
        "public": _published(found),
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


def _times(found: IncidentV1) -> str:
    times = times_of(found)
    shown = {
        "TTD": times.to_detect,
        "TTA": times.to_acknowledge,
        "TTM": times.to_mitigate,
        "TTR": times.to_resolve,
    }
    return ", ".join(
        f"{name} {written(timedelta(seconds=round(span.total_seconds())))}"
        for name, span in shown.items()
        if span is not None
    )


def _caused(found: IncidentV1) -> str:
    if found.probable_cause is None:
        return ""
    return f"{found.probable_cause} (score {found.cause_score:.2f}: {found.cause_reason})"


def _published(found: IncidentV1) -> str:
    public = found.public
    if public is None:
        return ""
    shown = f" in {', '.join(public.components)}" if public.components else ""
    return f"{public.title} ({public.status}, {public.impact} impact{shown}): {public.updates[0].message}"


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
