"""Withheld alerts: what nobody was told of, who or what saw to that, and what became of it."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from schemas.alerts import AlertState
from schemas.contract import Contract, Identifier, Line, Moment, Name, Ordinal, Severity
from schemas.lifecycle import IncidentId
from schemas.origin import Origin


class Withholding(StrEnum):
    """Why an alert opens and joins no incident, or that it no longer does."""

    SILENCED = "silenced"
    """A silence or a maintenance window matches it."""
    INHIBITED = "inhibited"
    """Its cause fires."""
    FLAPPING = "flapping"
    """It comes and goes too often; it counts as firing until it is quiet."""
    WAITING = "waiting"
    """Too few alerts of its incident fire."""
    RELEASED = "released"
    """Nothing withholds it any more: it is placed as if it fired now."""
    ENDED = "ended"
    """It resolved before anybody was told."""
    UNKNOWN = "unknown"
    """It resolved, and no incident had it."""


class WithheldV1(Contract):
    """One alert that nobody is told of. ``occurred_at`` is when that was decided."""

    event_type: ClassVar[str] = "tocsin.alert.withheld.v1"

    tenant: Name = "default"
    """The alert's tenant."""
    fingerprint: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    """Identity of the alert."""
    sequence: Ordinal
    """The transition of it."""
    state: AlertState
    """What the transition said."""
    rule: Name
    """The rule that found it."""
    service: Name
    """The service it is about."""
    environment: Name = "production"
    """Deployment environment."""
    severity: Severity
    """Its severity."""
    group_key: Identifier
    """Its group key."""
    summary: Line
    """What is wrong."""
    withholding: Withholding
    """What was decided."""
    by: Name
    """Who or what decided: the author of the silence, or ``tocsin``."""
    reason: Line
    """Why, with the silence, rule or number that it rests on."""
    silence_id: Identifier | None = None
    """The silence, where it is one."""
    incident_id: IncidentId | None = None
    """The incident that has it all the same."""
    until: Moment | None = None
    """When it ends by itself, where that is known."""
    origin: Origin | None = None
    """The record that carried the alert."""

    @property
    def event_id(self) -> str:
        return f"{self.fingerprint}.{self.sequence}.{self.withholding}"
