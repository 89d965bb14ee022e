"""
A rule that costs too much is named: what rules cost is telemetry, and a rule that every installation has listens to it.

A worker measures how much of a processor core each rule takes, and tells of those that take a noteworthy part as a metric. So the
alert follows from what stands in the log, like any other: reading it again gives the same.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from schemas.contract import Severity
from schemas.telemetry import MetricV1
from streams.detection.kinds.threshold import Threshold
from streams.detection.rule import Rule
from streams.runbooks import Link

#: Name of the metric: the part of one core that a rule takes in one worker.
COST: Final = "tocsin.rule_cost"
#: The service that the alerts are about.
SERVICE: Final = "tocsin"
#: The label that names the rule.
LABEL: Final = "rule_name"
#: The rule that every installation has.
COSTLY: Final = "costly-rule"
#: What costs less than this part of the limit is not told of.
NOTEWORTHY: Final = 0.5


class DetectionSettings(BaseModel):
    """The ``detection:`` part of a policy."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        json_schema_extra={"examples": [{"rule_cost": 0.25, "rule_cost_severity": 4}]},
    )

    rule_cost: Annotated[FiniteFloat, Field(gt=0, le=1)] = 0.5
    """The part of one processor core that one rule may take in one worker before an alert names it."""
    rule_cost_severity: Severity = 4
    """1 critical to 4 low, of that alert."""
    runbooks: Link | None = None
    """The link below which people read the files beside the policy that rules name as runbooks."""


def watched_rules(rules: Sequence[Rule], settings: DetectionSettings) -> tuple[Rule, ...]:
    """Return *rules* and the one about what they cost, unless one of theirs has its name."""
    if any(rule.name == COSTLY for rule in rules):
        return tuple(rules)
    costly = {
        "name": COSTLY,
        "service": SERVICE,
        "metric": COST,
        "threshold": settings.rule_cost,
        "clear": settings.rule_cost * NOTEWORTHY,
        "for": timedelta(seconds=30),
        "group_by": [LABEL],
        "severity": settings.rule_cost_severity,
        "summary": f"the rule {{{{ labels.{LABEL} }}}} costs too much",
        "description": (
            f"It takes {{{{ '%.0f' % (100 * value) }}}} % of a processor core in one worker; detection.rule_cost allows "
            f"{100 * settings.rule_cost:.0f} %. Let it hear less (service, match), or group by fewer labels."
        ),
        "forget_after": timedelta(minutes=10),
    }
    return (*rules, Threshold.model_validate(costly))


def costs_to_tell(
    shares: Mapping[str, float], limit: float, told: Collection[str], at: datetime
) -> Iterator[MetricV1]:
    """
    Yield what is to be told of the *shares* of a core that rules took.

    A rule that was *told* of is told of until it takes little, once more with that.
    """
    for rule in sorted({*shares, *told}):
        share = shares.get(rule, 0.0)
        if share >= limit * NOTEWORTHY or rule in told:
            yield MetricV1(
                occurred_at=at,
                service=SERVICE,
                name=COST,
                value=round(share, 4),
                labels={LABEL: rule},
                unit="1",
            )
