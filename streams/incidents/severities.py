"""What severities mean, and how soon an incident of each is dealt with."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from schemas.contract import Line, Name
from streams.durations import Duration, read_duration

NextBusinessDay = Literal["next business day"]
NEXT_BUSINESS_DAY: Final[NextBusinessDay] = "next business day"


def _within(written: Any) -> timedelta | NextBusinessDay:
    if isinstance(written, str) and " ".join(written.split()) == NEXT_BUSINESS_DAY:
        return NEXT_BUSINESS_DAY
    try:
        return read_duration(written)
    except ValueError as error:
        message = f"{error}, or {NEXT_BUSINESS_DAY}"
        raise ValueError(message) from None


class SeverityLevel(BaseModel):
    """What one severity means, and how soon it is dealt with."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: Name
    """One word for it."""
    meaning: Line
    """When an incident has it."""
    respond_within: Annotated[timedelta | NextBusinessDay, BeforeValidator(_within)]
    """How soon somebody is on it: a duration, or ``next business day``, which is until it closes."""
    resolve_within: Duration
    """How soon it is over."""
    calendar: Name = "business"
    """The calendar whose business days and hours count."""
    counted_in: Literal["all_hours", "business_hours"] = "all_hours"
    """Whether durations are counted around the clock, or only while the calendar is open."""
    escalation: Line = ""
    """Who is told when."""
    update_every: Annotated[Duration, Field(ge=timedelta(minutes=1))] | None = None
    """How long its commander may say nothing about an open incident before a reminder; without it nobody is reminded."""


#: Where the policy says nothing else.
SEVERITIES: Final[Mapping[int, SeverityLevel]] = {
    1: SeverityLevel(
        name="critical",
        meaning="Complete service outage",
        respond_within=timedelta(minutes=15),
        resolve_within=timedelta(hours=1),
        escalation="Immediately to the on-call engineer and management",
        update_every=timedelta(minutes=30),
    ),
    2: SeverityLevel(
        name="high",
        meaning="Major feature degradation",
        respond_within=timedelta(minutes=30),
        resolve_within=timedelta(hours=4),
        escalation="On-call engineer within 1 hour",
        update_every=timedelta(minutes=30),
    ),
    3: SeverityLevel(
        name="medium",
        meaning="Minor feature issues",
        respond_within=timedelta(hours=2),
        resolve_within=timedelta(hours=24),
        escalation="Standard business hours support",
    ),
    4: SeverityLevel(
        name="low",
        meaning="Cosmetic, or an enhancement",
        respond_within=NEXT_BUSINESS_DAY,
        resolve_within=timedelta(weeks=1),
        escalation="Standard development workflow",
    ),
}
