"""How incidents take alerts: opened by some, joined by others, reopened, merged and split. Alerts of one moment are one step."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from schemas import limits
from schemas.alerts import AlertState
from schemas.lifecycle import (
    Bond,
    IncidentV1,
    Joined,
    Status,
    StepKind,
    StepV1,
    Suspect,
)
from streams.errors import IllegalTrigger
from streams.incidents import checking, publishing
from streams.incidents.alerts import Change, Heard, joined, listed, member, taken, worst_first
from streams.incidents.asking import severity_fields
from streams.incidents.book import TOCSIN, Book, Cause, place_of
from streams.incidents.lifecycle import Asked, Trigger
from streams.incidents.members import Member

_TRIGGERS: Final = {
    AlertState.FIRING: Trigger.ATTACH,
    AlertState.CHANGED: Trigger.CHANGE_ALERT,
    AlertState.RESOLVED: Trigger.CLEAR_ALERT,
}

#: What is said of the cause where none is known any more.
_NO_BLAME: Final[Mapping[str, object]] = {
    "probable_cause": None,
    "cause_score": None,
    "cause_reason": "",
    "impacted": (),
}


@dataclass(frozen=True, slots=True)
class Blame:
    """The service that is thought to be the cause, and what that rests on."""

    service: str
    score: float
    reason: str
    impacted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Opening:
    """What an incident opens with beside its alerts."""

    blame: Blame | None = None
    suspects: tuple[Suspect, ...] = ()
    owner: str | None = None


def opened(book: Book, heard: Sequence[Heard], opening: Opening, at: datetime) -> list[StepV1]:
    """Open an incident for alerts that fire; the one on top is of the probable cause, else the worst."""
    blame = opening.blame
    blamed = blame.service if blame else None
    ordered = sorted(heard, key=lambda each: (each.alert.service != blamed, worst_first(each)))
    lead = ordered[0].alert
    severity = min(each.alert.severity for each in heard)
    incident = IncidentV1(
        occurred_at=at,
        incident_id=book.numbers.next_id(lead.tenant, at),
        tenant=lead.tenant,
        sequence=1,
        status=Status.INVESTIGATING,
        severity=severity,
        severity_first=severity,
        severity_peak=severity,
        summary=lead.summary,
        impact=lead.description[: limits.LINE_LENGTH],
        service=lead.service,
        environment=lead.environment,
        group_key=lead.group_key,
        started_at=min(lead.started_at, at),
        detected_at=at,
        suspects=opening.suspects,
    )
    book.members.begin(place_of(incident), incident.environment)
    first, *rest = _chunks(ordered)
    fields = taken(incident, _enter(book, incident, first), at)
    _lead(book, incident, first)
    fields["owner"] = fields["owner"] or opening.owner
    incident = incident.model_copy(update={**fields, **_blamed(blame)})
    steps = [book.step(incident, StepKind.OPENED, None, _cause(first), _said(first))]
    for chunk in rest:
        steps.append(_attach(book, steps[-1].incident, chunk, Trigger.ATTACH, at))
    return steps


def attached(
    book: Book, incident: IncidentV1, heard: Sequence[Heard], at: datetime, *, fresh: bool
) -> list[StepV1]:
    """Give alerts to *incident*: *fresh* ones that fire, or changes and ends of those it has."""
    steps: list[StepV1] = []
    by_trigger: dict[Trigger, list[Heard]] = {}
    for each in heard:
        trigger = Trigger.ATTACH if fresh else _TRIGGERS[each.alert.state]
        by_trigger.setdefault(trigger, []).append(each)
    for trigger, alike in by_trigger.items():
        for chunk in _chunks(sorted(alike, key=worst_first)):
            steps.append(_attach(book, incident, chunk, trigger, at))
            incident = steps[-1].incident
            worst = chunk[0].alert
            if trigger is not Trigger.CLEAR_ALERT and worst.severity < incident.severity:
                why = f"severity {incident.severity} -> {worst.severity}: {worst.summary}"
                cause = replace(_cause(chunk), reason=why)
                sets = severity_fields(incident, worst.severity)
                steps.append(
                    book.advance(incident, Asked(Trigger.SET_SEVERITY, TOCSIN, sets), at, cause)
                )
                incident = steps[-1].incident
    return steps


def reopened(
    book: Book, incident: IncidentV1, heard: Sequence[Heard], at: datetime
) -> list[StepV1]:
    """Reopen *incident* because alerts fire again, and give it the alerts."""
    lead = min(heard, key=worst_first)
    cause = replace(_cause([lead]), reason=lead.reason)
    step = book.advance(incident, reopening(book, incident, TOCSIN), at, cause)
    return [step, *attached(book, step.incident, heard, at, fresh=True)]


def reopening(book: Book, incident: IncidentV1, author: str) -> Asked:
    """Return the trigger that reopens *incident*: with the alerts that it still has, and none of them resolves it at once."""
    firing = sum(
        each.state is not AlertState.RESOLVED
        for each in book.members.of(place_of(incident)).values()
    )
    return Asked(Trigger.REOPEN, author, {"clear_since": None, "firing_count": firing})


def blamed(book: Book, incident: IncidentV1, blame: Blame, cause: Cause, at: datetime) -> StepV1:
    """Say which service is thought to be the cause, and put what is wrong with it on top."""
    summaries = [each.summary for each in incident.alerts if each.service == blame.service]
    sets = {**_blamed(blame), "summary": summaries[0] if summaries else incident.summary}
    return book.advance(
        incident,
        Asked(Trigger.FIND_CAUSE, TOCSIN, sets),
        at,
        replace(cause, reason=f"score {blame.score:.2f}: {blame.reason}"),
    )


def merged(
    book: Book, child: IncidentV1, into: IncidentV1, cause: Cause, at: datetime
) -> list[StepV1]:
    """
    Merge *child* into *into*, which takes over its alerts, its beginning and the worse severity.

    Raises:
        IllegalTrigger: One of them is in no status for it.
    """
    if into.status not in {Status.INVESTIGATING, Status.IDENTIFIED, Status.MONITORING}:
        message = (
            f"{into.incident_id} is {into.status}: it takes no other incident over, reopen it first"
        )
        raise IllegalTrigger(message)
    if place_of(child) == place_of(into):
        message = f"{child.incident_id} cannot be merged into itself"
        raise IllegalTrigger(message)
    last_word, goes_on = publishing.merged(child, into, max(at, child.occurred_at))
    ends = {"merged_into": into.incident_id, "public": last_word}
    steps = [book.advance(child, Asked(Trigger.MERGE, cause.author, ends), at, cause)]
    alerts = list(book.members.of(place_of(child)).values())
    book.end_merged(child, into)
    firing = into.firing_count + sum(each.state is not AlertState.RESOLVED for each in alerts)
    sets = {
        "started_at": min(into.started_at, child.started_at),
        "alerts": listed(into.alerts, alerts),
        "alert_count": into.alert_count + child.alert_count,
        "firing_count": firing,
        "clear_since": None if firing else into.clear_since,
        "services": tuple(sorted({*into.services, *child.services}))[: limits.SERVICES_LISTED],
        "labels": {
            name: value for name, value in into.labels.items() if child.labels.get(name) == value
        },
        "public": goes_on,
        "told_as": publishing.told_as(child, into),
        "checklist": checking.absorbed(into, child),
    }
    why = f"took {child.incident_id} over: {cause.reason}"
    absorb = Asked(Trigger.ABSORB, cause.author, sets)
    steps.append(book.advance(into, absorb, at, replace(cause, reason=why)))
    if child.severity < into.severity:
        # A step of its own, so that whoever is called for that severity is called.
        now = steps[-1].incident
        worse = replace(
            cause, reason=f"severity {into.severity} -> {child.severity}: {child.summary}"
        )
        asked = Asked(Trigger.SET_SEVERITY, cause.author, severity_fields(now, child.severity))
        steps.append(book.advance(now, asked, at, worse))
    return steps


def split(
    book: Book, incident: IncidentV1, fingerprints: Sequence[str], cause: Cause, at: datetime
) -> list[StepV1]:
    """
    Give some alerts of *incident* an incident of their own.

    Raises:
        IllegalTrigger: It does not have them, or would have none left, or is in no status for it.
    """
    has = book.members.of(place_of(incident))
    missing = [each for each in fingerprints if each not in has]
    if missing:
        message = f"{incident.incident_id} has no alert {', '.join(missing[:3])}; it has {', '.join(sorted(has)[:10])}"
        raise IllegalTrigger(message)
    leaving = [has[each] for each in dict.fromkeys(fingerprints)]
    staying = [each for fingerprint, each in has.items() if fingerprint not in set(fingerprints)]
    if not staying:
        message = f"all alerts of {incident.incident_id} would leave it: at least one must stay"
        raise IllegalTrigger(message)
    left = {**_counted(staying, incident, at), "alert_count": incident.alert_count - len(leaving)}
    if not {incident.probable_cause, *incident.impacted} <= {each.service for each in staying}:
        left |= _NO_BLAME
    fewer = Asked(Trigger.SPLIT, cause.author, left)
    step = book.advance(incident, fewer, at, cause)
    worst = min(leaving, key=lambda each: (each.severity, each.since, each.fingerprint))
    since = min(each.since for each in leaving)
    new = IncidentV1(
        occurred_at=step.occurred_at,
        incident_id=book.numbers.next_id(incident.tenant, at),
        tenant=incident.tenant,
        sequence=1,
        status=Status.INVESTIGATING,
        severity=worst.severity,
        severity_first=worst.severity,
        severity_peak=worst.severity,
        summary=worst.summary,
        service=worst.service,
        environment=incident.environment,
        labels=incident.labels,
        group_key=f"split/{cause.trigger_id}"[: limits.ID_LENGTH],
        started_at=since,
        # They were detected with the incident that they leave.
        detected_at=max(incident.detected_at, since),
        runbook=incident.runbook,
        owner=incident.owner,
    )
    new = new.model_copy(update={**_counted(leaving, new, at), "alert_count": len(leaving)})
    book.members.begin(place_of(new), new.environment)
    for each in leaving:
        book.members.put(place_of(new), each)
    book.part(incident, new)
    why = replace(cause, reason=f"split from {incident.incident_id}: {cause.reason}")
    said = [
        Joined(
            fingerprint=each.fingerprint,
            rule=each.rule,
            service=each.service,
            bond=Bond.PERSON,
            reason=why.reason[:200],
        )
        for each in leaving
    ]
    return [step, book.step(new, StepKind.OPENED, None, why, said)]


def _attach(
    book: Book, incident: IncidentV1, heard: Sequence[Heard], trigger: Trigger, at: datetime
) -> StepV1:
    sets = taken(incident, _enter(book, incident, heard), at)
    if trigger is Trigger.ATTACH:
        _lead(book, incident, heard)
    return book.advance(incident, Asked(trigger, TOCSIN, sets), at, _cause(heard), _said(heard))


def _enter(book: Book, incident: IncidentV1, heard: Sequence[Heard]) -> list[Change]:
    place = place_of(incident)
    changes = []
    for each in heard:
        now = member(each.alert)
        changes.append(Change(book.members.put(place, now), now, each.alert))
    return changes


def _lead(book: Book, incident: IncidentV1, heard: Sequence[Heard]) -> None:
    place = place_of(incident)
    for group_key in {each.alert.group_key for each in heard}:
        book.members.lead(place, group_key)


def _cause(heard: Sequence[Heard]) -> Cause:
    lead = heard[0]
    more = f"{len(heard)} alerts, the first of them: " if len(heard) > 1 else ""
    origins = dict.fromkeys(
        origin
        for each in heard[: limits.ORIGINS_LISTED]
        for origin in (each.origin, *each.alert.origins)
    )
    return Cause(
        TOCSIN,
        "alert",
        f"{more}{lead.alert.reason}; {lead.reason}",
        lead.alert.event_id,
        tuple(origins)[: limits.ORIGINS_LISTED],
    )


def _said(heard: Sequence[Heard]) -> list[Joined]:
    return [joined(each) for each in heard]


def _counted(alerts: Sequence[Member], incident: IncidentV1, at: datetime) -> dict[str, object]:
    firing = sum(each.state is not AlertState.RESOLVED for each in alerts)
    return {
        "alerts": listed((), alerts),
        "firing_count": firing,
        "clear_since": None if firing else incident.clear_since or at,
        "services": tuple(sorted({each.service for each in alerts}))[: limits.SERVICES_LISTED],
    }


def _blamed(blame: Blame | None) -> dict[str, object]:
    if blame is None:
        return {}
    return {
        "probable_cause": blame.service,
        "cause_score": blame.score,
        "cause_reason": blame.reason,
        "impacted": blame.impacted[: limits.SERVICES_LISTED],
    }


def _chunks(heard: Sequence[Heard]) -> Iterator[Sequence[Heard]]:
    for start in range(0, len(heard), limits.ALERTS_LISTED):
        yield heard[start : start + limits.ALERTS_LISTED]
