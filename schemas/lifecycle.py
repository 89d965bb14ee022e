"""Incidents and the steps of their lives."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, FiniteFloat

from schemas import limits
from schemas.alerts import AlertState
from schemas.contract import (
    Contract,
    Count,
    Identifier,
    Labels,
    Line,
    Moment,
    Name,
    Ordinal,
    Part,
    Seconds,
    Severity,
    Text,
)
from schemas.origin import Origin
from schemas.public import PublicV1

INCIDENT_ID = r"^INC-\d{4}-\d{2}-\d{2}-\d{3,}$"
INCIDENT_ID_LENGTH = 32
IncidentId = Annotated[str, Field(pattern=INCIDENT_ID, max_length=INCIDENT_ID_LENGTH)]


class Status(StrEnum):
    """Where an incident stands."""

    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MONITORING = "monitoring"
    RESOLVED = "resolved"
    CLOSED = "closed"
    MERGED = "merged"


class StepKind(StrEnum):
    """What happened to an incident."""

    OPENED = "opened"
    ALERT_ATTACHED = "alert_attached"
    ALERT_CHANGED = "alert_changed"
    ALERT_RESOLVED = "alert_resolved"
    ACKNOWLEDGED = "acknowledged"
    ASSIGNED = "assigned"
    NOTED = "noted"
    STATUS_CHANGED = "status_changed"
    SEVERITY_CHANGED = "severity_changed"
    MITIGATED = "mitigated"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    CLOSED = "closed"
    REFUSED = "refused"
    UNACKNOWLEDGED = "unacknowledged"
    AT_RISK = "at_risk"
    MISSED = "missed"
    ESCALATED = "escalated"
    HANDED_OVER = "handed_over"
    CAUSE_FOUND = "cause_found"
    SUSPECTS_RANKED = "suspects_ranked"
    MERGED = "merged"
    """It became part of another incident."""
    ABSORBED = "absorbed"
    """It took another incident over."""
    SPLIT = "split"
    """Some of its alerts left and are another incident."""
    CORRECTED = "corrected"
    """A person set one of its times right."""
    PUBLISHED = "published"
    """People outside were told something."""
    REMINDED = "reminded"
    """Its commander was reminded that an update is due."""
    CHECKED_OFF = "checked_off"
    """An item of its checklist was done, or was not after all."""
    OVERDUE = "overdue"
    """Items of its checklist were not done in time."""


class Bond(StrEnum):
    """What ties an alert to its incident."""

    FIRST = "first"
    """It opened it, alone or with others."""
    MEMBER = "member"
    """The incident had it before."""
    GROUP_KEY = "group_key"
    TOPOLOGY = "topology"
    SHARED = "shared"
    """An attribute that both have, within a time window."""
    PERSON = "person"
    """A person put it there."""


class Joined(Part):
    """One alert of a step: why it is there, how sure that is, and where it stands in the log."""

    fingerprint: Identifier
    """Identity of the alert."""
    rule: Name
    """The rule that found it."""
    service: Name
    """The service it is about."""
    bond: Bond
    """What ties it to the incident."""
    reason: Line
    """That in words."""
    score: Annotated[FiniteFloat, Field(ge=0, le=1)] = 1.0
    """How sure that is: 1 certain."""
    origin: Origin | None = None
    """The record that carried the alert."""


class Suspect(Part):
    """A change that may have caused an incident."""

    change_id: Identifier
    """The change."""
    kind: Name
    """What sort of change."""
    service: Name
    """The service that was changed."""
    summary: Line
    """What was changed."""
    changed_at: Moment
    """When."""
    version: Annotated[str, Field(max_length=200)] | None = None
    """Version that is in force afterwards."""
    author: Name | None = None
    """Who made it."""
    url: Annotated[str, Field(max_length=2_000)] | None = None
    """Where a person can look at it."""
    score: Annotated[FiniteFloat, Field(ge=0, le=1)]
    """How suspicious it is, 1 most."""
    reason: Line
    """The arithmetic of the score."""


class AttachedAlert(Part):
    """What an incident remembers of one of its alerts."""

    fingerprint: Identifier
    """Identity of the alert."""
    sequence: Ordinal
    """The latest transition of it that was seen."""
    state: AlertState
    """Whether it fires."""
    rule: Name
    """The rule that found it."""
    severity: Severity
    """Its own severity."""
    service: Name
    """The service it is about."""
    summary: Line
    """What is wrong."""
    since: Moment
    """Event time of its first bad signal."""
    changed_at: Moment
    """Event time of its latest transition."""


class ChecklistItem(Part):
    """One thing to do about an incident, as the policy had it when the incident came to have it."""

    name: Annotated[str, Field(min_length=1, max_length=limits.CHECKLIST_NAME_LENGTH)]
    """Its name in the policy."""
    text: Annotated[str, Field(max_length=limits.CHECKLIST_TEXT_LENGTH)]
    """What is to be done."""
    within: Seconds | None = None
    """How soon, in seconds; None at any time."""
    due_at: Moment | None = None
    """Until when; the time between a resolution and a reopening is not counted."""
    fact: Annotated[str, Field(max_length=limits.CHECKLIST_NAME_LENGTH)] | None = None
    """What ticks it by itself; None where only a person does."""
    done_at: Moment | None = None
    """When it was done; None where it is not."""
    done_by: Name | None = None
    """Who did it."""
    source: Annotated[str, Field(max_length=limits.CHECKLIST_NAME_LENGTH)] | None = None
    """Through what that came, as a step has it."""
    overdue: bool = False
    """Whether a step said that it was not done in time."""


class IncidentV1(Contract):
    """
    An incident as it stands; ``occurred_at`` is the time of its latest step.

    ``incidents.current`` carries it, compacted, and every step carries what it led to.
    """

    event_type: ClassVar[str] = "tocsin.incident.v1"
    bytes_read: ClassVar[int] = limits.INCIDENT_BYTES

    incident_id: IncidentId
    """``INC-YYYY-MM-DD-NNN``: the UTC day it was detected, and its number in that tenant and day."""
    tenant: Name = "default"
    """The scope of its number and its alerts."""
    sequence: Ordinal
    """How many steps it has had."""
    status: Status
    """Where it stands."""
    severity: Severity
    """1 critical to 4 low: the worst of its alerts, lowered only by a person."""
    severity_first: Severity
    """Severity when it opened."""
    severity_peak: Severity
    """Worst severity it ever had; deadlines are judged by it."""
    summary: Line
    """What is wrong, in one line."""
    impact: Line = ""
    """Who notices what."""
    service: Name
    """The service it began with."""
    services: Annotated[tuple[Name, ...], Field(max_length=limits.SERVICES_LISTED)] = ()
    """The services of its alerts, a hundred at most."""
    environment: Name = "production"
    """Deployment environment."""
    labels: Labels = {}
    """The labels all its alerts share."""
    group_key: Identifier
    """What its alerts have in common."""
    alerts: Annotated[tuple[AttachedAlert, ...], Field(max_length=limits.ALERTS_LISTED)] = ()
    """Its alerts, the firing ones first."""
    alert_count: Count = 0
    """How many distinct alerts it has had."""
    firing_count: Count = 0
    """How many of them fire now."""
    started_at: Moment
    """Event time of its first bad signal."""
    detected_at: Moment
    """When it opened."""
    acknowledged_at: Moment | None = None
    """When somebody first took it."""
    acknowledged_by: Name | None = None
    """Who did."""
    respond_by: Moment | None = None
    """When somebody must be on it, by its worst severity."""
    assigned_to: Name | None = None
    """Who works on it."""
    mitigated_at: Moment | None = None
    """When users stopped suffering."""
    clear_since: Moment | None = None
    """Since when none of its alerts has fired; None while one does."""
    resolve_by: Moment | None = None
    """When it must be over, by its worst severity; the time between a resolution and a reopening is not counted."""
    escalations: Count | None = None
    """How many steps its escalation has taken; None before the first."""
    resolved_at: Moment | None = None
    """When it was last resolved; None while it is open."""
    closed_at: Moment | None = None
    """When it was closed."""
    reopen_count: Count = 0
    """How often it came back after it was resolved."""
    time_resolved: Seconds = timedelta(0)
    """Seconds it spent resolved before it was reopened: they do not count as down."""
    root_cause: Text = ""
    """Why it happened."""
    resolution: Text = ""
    """What ended it."""
    runbook: Annotated[str, Field(max_length=2_000)] | None = None
    """Link to what to do about it."""
    owner: Name | None = None
    """The team that owns it."""
    merged_into: IncidentId | None = None
    """The incident that took it over."""
    drill: bool = False
    """Whether it is an exercise."""
    responders: Annotated[tuple[Name, ...], Field(max_length=limits.RESPONDERS_LISTED)] = ()
    """Who else works on it."""
    probable_cause: Name | None = None
    """The service that the others of its services depend on; None where the catalogue shows none."""
    cause_reason: Line = ""
    """Why it is thought to be the cause."""
    cause_score: Annotated[FiniteFloat, Field(ge=0, le=1)] | None = None
    """The part of its services that this cause explains."""
    impacted: Annotated[tuple[Name, ...], Field(max_length=limits.SERVICES_LISTED)] = ()
    """The services that fail because of the cause."""
    suspects: Annotated[tuple[Suspect, ...], Field(max_length=limits.SUSPECTS_LISTED)] = ()
    """Changes of the day before, the most suspicious first."""
    next_update_at: Moment | None = None
    """When its commander is reminded to say something, unless something is said before; None where nobody is."""
    public: PublicV1 | None = None
    """What people outside are told of it; None while they are told nothing."""
    told_as: Severity | None = None
    """The worst severity of the published incidents that were merged into it: who was told of those hears of this one; None without them."""
    checklist: Annotated[tuple[ChecklistItem, ...], Field(max_length=limits.CHECKLIST_ITEMS)] = ()
    """What is to be done about it, in the order of the policy."""

    @property
    def event_id(self) -> str:
        return f"{self.tenant}/{self.incident_id}.{self.sequence}"


class CallV1(Part):
    """One channel that a step calls, beside those that routes choose."""

    channel: Name
    """The channel's name in the policy."""
    people: Annotated[tuple[Name, ...], Field(max_length=limits.PEOPLE_CALLED)] = ()
    """Whom it reaches; nobody in particular where it is empty."""
    reason: Line
    """Why it is called."""


class StepV1(Contract):
    """One step of an incident's life, and what it led to."""

    event_type: ClassVar[str] = "tocsin.incident.step.v1"
    bytes_read: ClassVar[int] = limits.INCIDENT_BYTES

    step_id: Identifier
    """A function of tenant, incident and sequence: a repeat has the same id."""
    incident_id: IncidentId
    """The incident."""
    tenant: Name = "default"
    """Its tenant."""
    sequence: Ordinal
    """1 for the first step of the incident; no number is left out."""
    kind: StepKind
    """What happened."""
    author: Name
    """The person who did it, or ``tocsin``."""
    source: Name
    """Where it came from: ``alert``, ``clock``, ``cli``, ``board``, ``chat``, ``api``."""
    reason: Line
    """Why it happened."""
    detail: Text = ""
    """What was said with it: the note, the update, the report."""
    trigger_id: Identifier
    """Id of the alert, command or tick that asked for it."""
    origins: Annotated[tuple[Origin, ...], Field(max_length=limits.ORIGINS_LISTED)] = ()
    """The records that it rests on."""
    before: Status | None = None
    """Status before; None for the first step."""
    severity_before: Severity | None = None
    """Severity before; None for the first step."""
    calls: Annotated[tuple[CallV1, ...], Field(max_length=limits.CHANNELS_CALLED)] = ()
    """Whom an escalation or a handover calls."""
    late: bool = False
    """Whether it was due during an outage of the pipeline: it counts, and nobody is told of it."""
    joined: Annotated[tuple[Joined, ...], Field(max_length=limits.ALERTS_LISTED)] = ()
    """The alerts that it is about, where it is about alerts."""
    incident: IncidentV1
    """The incident after this step."""

    @property
    def event_id(self) -> str:
        return self.step_id
