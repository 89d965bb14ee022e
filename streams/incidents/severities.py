"""What severities mean, and how soon an incident of each is dealt with."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict

from schemas.contract import Line, Name
from streams.durations import Duration


class SeverityLevel(BaseModel):
    """What one severity means, and how soon it is dealt with."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: Name
    """One word for it."""
    meaning: Line
    """When an incident has it."""
    respond_within: Duration
    """How soon somebody is on it."""
    resolve_within: Duration
    """How soon it is over."""
    escalation: Line = ""
    """Who is told when."""


#: Where the policy says nothing else.
SEVERITIES: Final[Mapping[int, SeverityLevel]] = {
    1: SeverityLevel(
        name="critical",
        meaning="Complete service outage",
        respond_within=timedelta(minutes=15),
        resolve_within=timedelta(hours=1),
        escalation="Immediately to the on-call engineer and management",
    ),
    2: SeverityLevel(
        name="high",
        meaning="Major feature degradation",
        respond_within=timedelta(minutes=30),
        resolve_within=timedelta(hours=4),
        escalation="On-call engineer within 1 hour",
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
        respond_within=timedelta(days=1),
        resolve_within=timedelta(weeks=1),
        escalation="Standard development workflow",
    ),
}
