"""``tocsin incident checklist``: what is to be done about an incident, and ticking it."""

from collections.abc import Iterator
from typing import Any

import click

from schemas.commands import CheckOff
from schemas.lifecycle import ChecklistItem, IncidentV1
from streams.cli.asking import print_json, run
from streams.cli.commanding import INCIDENT, as_command, tell
from streams.gateways import incidents


@click.command("checklist")
@INCIDENT
@click.argument("item", required=False)
@click.option("--undo", is_flag=True, help="It is not done after all.")
@as_command
def checklist(incident_id: str, item: str | None, *, undo: bool, **how: Any) -> None:
    """Show what is to be done about an incident, or say that an ITEM of it is done."""
    if item is not None:
        tell(CheckOff, how, incident_id=incident_id, item=item, done=not undo)
        return
    if undo:
        message = "name the item that is not done"
        raise click.UsageError(message)
    tenant = how["tenant"]
    found = run(lambda settings: incidents.one(settings, tenant, incident_id))
    if how["as_json"]:
        print_json([each.model_dump(mode="json") for each in found.checklist])
    elif not found.checklist:
        click.echo(f"{incident_id} has no checklist")
    else:
        click.echo("\n".join(lines_of(found)))


def lines_of(found: IncidentV1) -> Iterator[str]:
    """Yield what is to be done about an incident, an item a line."""
    width = max((len(each.name) for each in found.checklist), default=0)
    for each in found.checklist:
        mark = "x" if each.done_at else " "
        said = _standing(each)
        yield f"[{mark}] {each.name:{width}}  {each.text}{f' ({said})' if said else ''}"


def _standing(item: ChecklistItem) -> str:
    if item.done_at is not None:
        late = item.due_at is not None and item.done_at >= item.due_at
        said = f"{item.done_by}, {item.source}, {item.done_at:%H:%M:%S}"
        return f"{said}; late, was due at {item.due_at:%H:%M:%S}" if late else said
    if item.due_at is None:
        return ""
    return f"{'overdue since' if item.overdue else 'due at'} {item.due_at:%H:%M:%S %Z}"
