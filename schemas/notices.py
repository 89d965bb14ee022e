"""Notices: what one receiver is told. Receipts: what became of it."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from schemas import limits
from schemas.contract import (
    Contract,
    Identifier,
    Line,
    Moment,
    Name,
    Ordinal,
    Part,
    Seconds,
    Text,
)
from schemas.lifecycle import IncidentId, IncidentV1, StepKind
from schemas.public import PageV1


class Purpose(StrEnum):
    """Which of the messages it is."""

    INITIAL = "initial"
    UPDATE = "update"
    RESOLUTION = "resolution"
    SEVERITY = "severity"
    ESCALATION = "escalation"
    AT_RISK = "at_risk"
    HANDOVER = "handover"
    REMINDER = "reminder"
    PUBLIC = "public"
    """For people outside: it holds nothing but what was published."""


class TimingV1(Part):
    """When a notice may go out, where it is not at once."""

    group: Identifier
    """What it is grouped with: notices of one group and channel go out at the same moments."""
    wait: Seconds = timedelta(0)
    """How long a new group waits for more of it."""
    interval: Seconds = timedelta(0)
    """How long a group that was told of waits before it is told of again."""
    repeat: Seconds | None = None
    """How long after a message the receiver is reminded, until the incident is over."""
    mute: Annotated[tuple[Name, ...], Field(max_length=32)] = ()
    """Names of the times at which nothing goes out."""
    active: Annotated[tuple[Name, ...], Field(max_length=32)] = ()
    """Names of the only times at which anything goes out; always where there are none."""


class ShiftV1(Part):
    """A handover of a schedule."""

    schedule: Name
    """The schedule's name in the policy."""
    before: Name | None = None
    """Who was on call; None where nobody was."""
    now: Name | None = None
    """Who is; None where nobody is."""


class NoticeV1(Contract):
    """One message to one channel. ``occurred_at`` is when the step happened that it tells of."""

    event_type: ClassVar[str] = "tocsin.notice.v1"
    # It holds the incident.
    bytes_read: ClassVar[int] = limits.INCIDENT_BYTES

    notice_id: Identifier
    """
    The idempotency key: a function of incident, step and channel.

    A notice that was confirmed is never sent again under the same id, and providers that can deduplicate are
    given it.
    """
    tenant: Name = "default"
    """The incident's tenant."""
    incident_id: IncidentId
    """The incident."""
    step: StepKind
    """The step that it tells of."""
    purpose: Purpose
    """Which message it is."""
    channel: Name
    """The channel's name in the policy."""
    people: Annotated[tuple[Name, ...], Field(max_length=limits.PEOPLE_CALLED)] | None = None
    """Whom it is for, where an escalation or a schedule chose it."""
    reason: Line
    """Why this channel is told: the route or the escalation that chose it."""
    update: Text = ""
    """What is new, in words."""
    next_update_at: Moment | None = None
    """When the receiver can expect the next message."""
    timing: TimingV1 | None = None
    """When it may go out; None at once."""
    instead_of: Annotated[tuple[Name, ...], Field(max_length=8)] = ()
    """Channels that were to be told and could not, in their order."""
    page: PageV1 | None = None
    """The status page, where it is for people outside; then the incident says only what they may know."""
    shift: ShiftV1 | None = None
    """The handover, where it is of no incident; then the incident stands in for none, and its number begins with 000."""
    incident: IncidentV1
    """The incident after the step."""

    @property
    def event_id(self) -> str:
        return self.notice_id


class Outcome(StrEnum):
    """What became of one attempt."""

    DELIVERED = "delivered"
    RETRYING = "retrying"
    GIVEN_UP = "given_up"
    MERGED = "merged"


class ReceiptV1(Contract):
    """The outcome of one attempt to deliver a notice. ``occurred_at`` is when it ended."""

    event_type: ClassVar[str] = "tocsin.receipt.v1"

    notice_id: Identifier
    """The notice."""
    tenant: Name = "default"
    """The incident's tenant."""
    incident_id: IncidentId
    """The incident."""
    purpose: Purpose
    """Which message it was."""
    channel: Name
    """The channel's name in the policy."""
    channel_kind: Name
    """What sort of channel it is, such as ``slack``."""
    attempt: Ordinal
    """1 for the first attempt."""
    outcome: Outcome
    """What became of it."""
    reason: Line
    """What the receiver said, or why it could not be asked."""
    requested_at: Moment
    """When the step happened that the notice tells of."""
    took: Seconds
    """How long the attempt took, in seconds."""
    retry_at: Moment | None = None
    """When it will be tried again."""
    provider_id: Annotated[str, Field(max_length=255)] | None = None
    """The receiver's own id of the message."""

    @property
    def event_id(self) -> str:
        return f"{self.notice_id}#{self.attempt}"
