"""What all commands about incidents have: options, sending, and what is said of what became of it."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, TypeVar
from uuid import uuid4

import click

from schemas.commands import Command, CommandSource
from schemas.lifecycle import INCIDENT_ID
from streams.cli.asking import AUTHOR, JSON, TENANT, print_json, run, valid
from streams.gateways import clock, incidents
from streams.gateways.incidents import Done, Refused, Result

CommandT = TypeVar("CommandT", bound=Command)

SOURCE: Final = "cli"
#: Exit codes: what a script can tell apart.
REFUSED: Final = 1
UNANSWERED: Final = 3

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


INCIDENT = click.argument("incident_id", metavar="INCIDENT", type=IncidentIdType())


def as_command(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command that asks for a change the options that all of them have."""
    for option in (JSON, _WITHIN, TENANT, AUTHOR):
        command = option(command)
    return command


def tell(kind: type[CommandT], how: dict[str, Any], **fields: Any) -> None:
    """Send one command, say what became of it, and leave with a code that says it too."""
    command = valid(
        kind,
        occurred_at=how.get("occurred_at") or clock.now(),
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
