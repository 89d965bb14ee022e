"""Alerts: what a rule found about one set of labels, told only when it changes."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, FiniteFloat

from schemas import limits
from schemas.contract import (
    Contract,
    Identifier,
    Labels,
    Line,
    Moment,
    Name,
    Ordinal,
    Severity,
    Text,
)
from schemas.origin import Origin


class AlertState(StrEnum):
    """What became of the finding."""

    FIRING = "firing"
    CHANGED = "changed"
    RESOLVED = "resolved"


class AlertV1(Contract):
    """One transition of one alert. ``occurred_at`` is the event time of the transition."""

    event_type: ClassVar[str] = "tocsin.alert.v1"

    tenant: Name = "default"
    """The scope inside which it correlates."""
    fingerprint: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    """Identity of the alert: tenant, rule and identifying labels, hashed."""
    sequence: Ordinal
    """Grows with every alert of one detection partition: what is not newer has been seen."""
    state: AlertState
    """Whether it began to fire, changed its severity while firing, or resolved."""
    rule: Name
    """The rule's name in the policy."""
    severity: Severity
    """1 critical to 4 low; of a resolved alert, what it was while it fired."""
    service: Name
    """The service it is about."""
    environment: Name = "production"
    """Deployment environment."""
    labels: Labels = {}
    """The labels that tell this alert from others of the same rule."""
    group_key: Identifier
    """Alerts of one tenant with the same key belong to one incident."""
    summary: Line
    """What is wrong, in one line."""
    description: Text = ""
    """What else helps."""
    reason: Line
    """Why the rule says so: the comparison, with its numbers."""
    value: FiniteFloat | None = None
    """The value that decided, where there is one."""
    runbook: Annotated[str, Field(max_length=2_000)] | None = None
    """Link to what to do about it."""
    owner: Name | None = None
    """The team that owns the rule."""
    started_at: Moment
    """Event time of the first bad signal of this episode."""
    origins: Annotated[tuple[Origin, ...], Field(max_length=limits.ORIGINS_LISTED)] = ()
    """The records that decided."""

    @property
    def event_id(self) -> str:
        return f"{self.fingerprint}.{self.sequence}"
