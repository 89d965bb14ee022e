"""
What happens to an incident's checklist.

It is the policy's of the moment the incident came to have each item: another policy, or a lesser severity, takes nothing away. What becomes
worse, or spreads to other services, gets what is to be done then besides. An item is ticked by a person or by its fact, whichever comes
first, and stays so; after a reopening what is a fact no longer is to be done anew. The clock stands still while the incident is resolved. What
is done at the moment it is due is done too late.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from schemas import limits
from schemas.commands import CheckOff
from schemas.lifecycle import ChecklistItem, IncidentV1, Status, StepKind
from streams.errors import IllegalTrigger
from streams.incidents.checklists import CHANNEL, Item
from streams.incidents.escalation import person_calls
from streams.incidents.lifecycle import Trigger
from streams.incidents.promises import Happening, Plan, as_calls
from streams.incidents.standing import OPEN
from streams.policy_faults import meant

#: The fact that others learn of the incident, which only whoever tells them knows.
NOTIFIED: Final = "notified"

#: Steps that alerts make, of which a storm has many: none of them ticks an item.
_OF_ALERTS: Final = frozenset(
    {StepKind.ALERT_ATTACHED, StepKind.ALERT_CHANGED, StepKind.ALERT_RESOLVED}
)
_IDENTIFIED: Final = frozenset({Status.IDENTIFIED, Status.MONITORING})


@dataclass(frozen=True, slots=True)
class By:
    """Who made a step, and through what."""

    author: str
    source: str


def followed(
    incident: IncidentV1,
    before: IncidentV1 | None,
    kind: StepKind,
    by: By,
    policy: Mapping[str, Item],
) -> IncidentV1:
    """Return *incident* after a step of *kind*, which *by* made, with its checklist; *policy* is what new items come from."""
    has = incident.checklist
    if before is None:
        has = _added(incident, has, policy)
    elif kind in _OF_ALERTS and incident.services == before.services:
        return incident
    elif kind is StepKind.REOPENED:
        has = tuple(_resumed(each, before, incident) for each in has)
    elif kind is StepKind.CORRECTED:
        has = tuple(_corrected(each, before, incident) for each in has)
    elif incident.status not in OPEN and before.status not in OPEN:
        return incident
    elif incident.severity < before.severity or incident.services != before.services:
        # 1 is the worst.
        has = _added(incident, has, policy)
    has = tuple(_by_fact(each, before, incident, by) for each in has)
    return incident if has == incident.checklist else incident.model_copy(update={"checklist": has})


def told(incident: IncidentV1, by: By) -> IncidentV1:
    """Return *incident* with what is ticked because others were told of it."""
    return _with(
        incident,
        (
            _done(each, incident.occurred_at, by)
            if each.fact == NOTIFIED and each.done_at is None
            else each
            for each in incident.checklist
        ),
    )


def waits_for_telling(incident: IncidentV1) -> bool:
    """Whether an item of *incident* is ticked when others are told of it."""
    return any(each.fact == NOTIFIED and each.done_at is None for each in incident.checklist)


def checked(incident: IncidentV1, command: CheckOff, at: datetime) -> tuple[dict[str, Any], str]:
    """
    Return the fields of *incident* that *command*, given at *at*, sets, and the reason.

    Raises:
        IllegalTrigger: It has no such item, or it is so already.
    """
    item = next((each for each in incident.checklist if each.name == command.item), None)
    if item is None:
        known = [each.name for each in incident.checklist]
        message = f"{incident.incident_id} has no {command.item!r} on its checklist; {meant(command.item, known)}"
        raise IllegalTrigger(message)
    if command.done and item.done_at is not None:
        message = f"{item.name} of {incident.incident_id} was done by {item.done_by} at {item.done_at:%H:%M:%S}"
        raise IllegalTrigger(message)
    if not command.done and item.done_at is None:
        message = f"{item.name} of {incident.incident_id} is not done"
        raise IllegalTrigger(message)
    by = By(command.author, str(command.source))
    now = _done(item, at, by) if command.done else _undone(item)
    listed = tuple(now if each is item else each for each in incident.checklist)
    said = "done" if command.done else "not done after all"
    return {"checklist": listed}, f"{item.name}: {item.text}: {said}"


def absorbed(into: IncidentV1, child: IncidentV1) -> tuple[ChecklistItem, ...]:
    """Return the checklist of *into* with what was done about *child* by hand, which is about the same failure now."""
    done = {each.name: each for each in child.checklist if each.done_at and each.fact is None}
    return tuple(
        each.model_copy(
            update={
                name: getattr(done[each.name], name) for name in ("done_at", "done_by", "source")
            }
        )
        if each.done_at is None and each.fact is None and each.name in done
        else each
        for each in into.checklist
    )


def next_due(incident: IncidentV1) -> datetime | None:
    """Return when the next item of an open incident is due of which nothing was said; None where none is."""
    if incident.status not in OPEN:
        return None
    return min((each.due_at for each in _pending(incident) if each.due_at), default=None)


def overdue(incident: IncidentV1, plan: Plan, at: datetime) -> Happening | None:
    """
    Return what is said of the items that are due at *at* and not done; None where there are none.

    Whoever leads the incident is told, through channels that wake nobody. Where nobody does, escalations look for somebody.
    """
    if incident.status not in OPEN:
        return None
    due = [each for each in _pending(incident) if each.due_at and each.due_at <= at]
    if not due:
        return None
    moment = max(each.due_at for each in due if each.due_at)
    named = "; ".join(f"{each.name}: {each.text}" for each in due)
    reason = f"due at {moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC and not done: {named}"
    person = incident.assigned_to
    calls = person_calls(plan.roster, person, f"{person} leads it; {reason}") if person else ()
    names = {each.name for each in due}
    said = tuple(
        each.model_copy(update={"overdue": True}) if each.name in names else each
        for each in incident.checklist
    )
    return Happening(
        Trigger.FALL_DUE,
        reason,
        {"checklist": said},
        as_calls(tuple(each for each in calls if each.channel in plan.quiet)),
    )


# -- items ----------------------------------------------------------------------------------------


def _pending(incident: IncidentV1) -> Iterable[ChecklistItem]:
    return (each for each in incident.checklist if each.done_at is None and not each.overdue)


def _added(
    incident: IncidentV1, has: tuple[ChecklistItem, ...], policy: Mapping[str, Item]
) -> tuple[ChecklistItem, ...]:
    """Return the items that *incident* has, and those that it comes to have now, in the order of the policy."""
    known = {each.name for each in has}
    services = {incident.service, *incident.services}
    new = [
        _begun(name, item, incident)
        for name, item in policy.items()
        if name not in known
        and incident.severity in item.severities
        and (not item.services or not services.isdisjoint(item.services))
    ]
    if not new:
        return has
    places = {name: place for place, name in enumerate(policy)}
    # Another policy may have had items that are no longer in it.
    return tuple(sorted((*has, *new), key=lambda each: places.get(each.name, -1)))[
        : limits.CHECKLIST_ITEMS
    ]


def _begun(name: str, item: Item, incident: IncidentV1) -> ChecklistItem:
    channel = f"#incident-{incident.incident_id.removeprefix('INC-')}"
    return ChecklistItem(
        name=name,
        text=item.text.replace(CHANNEL, channel)[: limits.CHECKLIST_TEXT_LENGTH],
        within=item.within,
        due_at=incident.occurred_at + item.within if item.within else None,
        fact=item.done_by,
    )


def _resumed(item: ChecklistItem, before: IncidentV1, now: IncidentV1) -> ChecklistItem:
    """Return *item* after a reopening."""
    if item.done_at is not None:
        holds = _FACTS.get(item.fact or "")
        # Only what ceased to be a fact: whoever wrote to stakeholders has written.
        if holds is None or holds(before) is None or holds(now) is not None:
            return item
        due_at = now.occurred_at + item.within if item.within else None
        return _undone(item).model_copy(update={"due_at": due_at, "overdue": False})
    stopped_at = before.resolved_at
    if item.due_at is None or stopped_at is None or item.due_at <= stopped_at:
        return item
    return item.model_copy(update={"due_at": item.due_at + (now.occurred_at - stopped_at)})


def _corrected(item: ChecklistItem, before: IncidentV1, now: IncidentV1) -> ChecklistItem:
    """Return *item* after a person set a time of the incident right."""
    due_at, done_at = item.due_at, item.done_at
    if due_at and item.within and due_at - item.within == before.detected_at:
        due_at = now.detected_at + item.within
    field = {"acknowledged": "acknowledged_at", "mitigated": "mitigated_at"}.get(item.fact or "")
    if field and done_at is not None and done_at == getattr(before, field):
        done_at = getattr(now, field)
    if (due_at, done_at) == (item.due_at, item.done_at):
        return item
    overdue = item.overdue and due_at is not None and due_at <= now.occurred_at
    return item.model_copy(update={"due_at": due_at, "done_at": done_at, "overdue": overdue})


def _by_fact(
    item: ChecklistItem, before: IncidentV1 | None, now: IncidentV1, by: By
) -> ChecklistItem:
    """Return *item*, ticked where its fact has just become one, or was one when the incident came to have the item."""
    holds = _FACTS.get(item.fact or "")
    if item.done_at is not None or holds is None:
        return item
    since = holds(now)
    is_new = before is None or all(each.name != item.name for each in before.checklist)
    if since is None or not (is_new or before is None or holds(before) is None):
        return item
    return _done(item, since, by)


def _done(item: ChecklistItem, at: datetime, by: By) -> ChecklistItem:
    return item.model_copy(update={"done_at": at, "done_by": by.author, "source": by.source})


def _undone(item: ChecklistItem) -> ChecklistItem:
    return item.model_copy(update={"done_at": None, "done_by": None, "source": None})


def _with(incident: IncidentV1, items: Iterable[ChecklistItem]) -> IncidentV1:
    return incident.model_copy(update={"checklist": tuple(items)})


#: Since when each fact is one, as far as the incident says; None while it is none.
_FACTS: Final[Mapping[str, Callable[[IncidentV1], datetime | None]]] = {
    "acknowledged": lambda it: it.acknowledged_at,
    "commander": lambda it: it.occurred_at if it.assigned_to else None,
    "identified": lambda it: it.occurred_at if it.status in _IDENTIFIED else None,
    "mitigated": lambda it: it.mitigated_at,
    "published": lambda it: it.occurred_at if it.public else None,
}
