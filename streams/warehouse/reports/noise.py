"""How much comes in and how much of it reaches people: health checks, alerts, incidents, notices; and the noisiest alerts."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from pydantic import ConfigDict

from streams.warehouse.report import (
    Account,
    Chart,
    Column,
    Draw,
    Question,
    Recommendation,
    Row,
    Series,
    Shape,
    Table,
)
from streams.warehouse.scope import OF_ALERTS, OF_NOTICES, OF_SERVICES, ChosenInSpan

CHECKS: Final = """
SELECT count() AS checks, countIf(status != 'healthy') AS failed
FROM health_checks FINAL {where}
"""
ALERTS: Final = """
SELECT
    countIf(state = 'firing') AS firings,
    countIf(state = 'changed') AS changes,
    countIf(state = 'resolved') AS resolutions,
    uniqExactIf((tenant, fingerprint), state = 'firing') AS alerts
FROM alerts FINAL {where}
"""
INCIDENTS: Final = """
SELECT
    count() AS incidents,
    countIf(acknowledged_at IS NULL AND resolved_at IS NOT NULL) AS ended_alone,
    countIf(reopen_count > 0) AS reopened,
    sum(alert_count) AS alerts
FROM counted_incidents {where}
"""
NOTICES: Final = """
SELECT count() AS notices, countIf(purpose = 'initial') AS initial
FROM notices FINAL {where} AND NOT drill
"""
NOISIEST: Final = """
SELECT
    tenant, fingerprint, rule, service,
    countIf(state = 'firing') AS firings,
    argMax(summary, sequence) AS latest
FROM alerts FINAL {where}
GROUP BY tenant, fingerprint, rule, service
HAVING firings > 1
ORDER BY firings DESC, tenant, fingerprint, rule, service
LIMIT 10
"""
_ENOUGH: Final = 10
_OFTEN: Final = 10
_ALONE: Final = 0.5


class Noise(ChosenInSpan):
    """Settings of the report."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "since": "2024-03-01T00:00:00Z",
                    "until": "2024-04-01T00:00:00Z",
                    "severity": [1, 2],
                    "service": "checkout",
                    "team": "payments",
                    "tenant": "default",
                }
            ]
        }
    )

    name: ClassVar = "noise"
    title: ClassVar = "From checks to notices"

    def questions(self) -> Mapping[str, Question]:
        """Return what the warehouse is asked."""
        return {
            "checks": self.ask(CHECKS, moment="occurred_at", knows=OF_SERVICES),
            "alerts": self.ask(ALERTS, moment="occurred_at", knows=OF_ALERTS),
            "incidents": self.ask(INCIDENTS),
            "notices": self.ask(NOTICES, moment="occurred_at", knows=OF_NOTICES),
            "noisiest": self.ask(NOISIEST, moment="occurred_at", knows=OF_ALERTS),
        }

    def tell(self, answers: Mapping[str, Sequence[Row]]) -> Account:
        """Return what the answers amount to."""
        alerts, incidents, notices = (
            answers[name][0] for name in ("alerts", "incidents", "notices")
        )
        steps = [
            ("health checks", answers["checks"][0]["checks"]),
            ("health checks that failed", answers["checks"][0]["failed"]),
            ("alerts that fired", alerts["firings"]),
            ("incidents", incidents["incidents"]),
            ("notices", notices["notices"]),
        ]
        funnel = [
            {"stage": stage, "count": count, "per_incident": _ratio(count, incidents["incidents"])}
            for stage, count in steps
        ]
        details = [
            {"figure": figure, "count": count}
            for figure, count in (
                ("different alerts that fired", alerts["alerts"]),
                ("changes of severity while firing", alerts["changes"]),
                ("alerts that resolved", alerts["resolutions"]),
                ("alerts attached to incidents", incidents["alerts"]),
                ("incidents that ended without acknowledgement", incidents["ended_alone"]),
                ("incidents that came back", incidents["reopened"]),
                ("initial notices", notices["initial"]),
            )
        ]
        whole = funnel[1:]
        return Account(
            tables=(
                Table(
                    "funnel",
                    self.title,
                    (
                        Column("stage", ""),
                        Column("count", "count", Shape.COUNT),
                        Column("per_incident", "for each incident", Shape.NUMBER),
                    ),
                    funnel,
                ),
                Table(
                    "details",
                    "In detail",
                    (Column("figure", ""), Column("count", "count", Shape.COUNT)),
                    details,
                ),
                Table(
                    "noisiest",
                    "Alerts that fired most",
                    (
                        Column("rule", "rule"),
                        Column("service", "service"),
                        Column("firings", "fired", Shape.COUNT),
                        Column("latest", "latest summary"),
                    ),
                    answers["noisiest"],
                ),
            ),
            charts=(
                Chart(
                    self.title,
                    Draw.BARS,
                    Shape.COUNT,
                    tuple(row["stage"] for row in whole),
                    (Series("count", tuple(row["count"] for row in whole)),),
                ),
            ),
            recommendations=tuple(_advice(incidents, answers["noisiest"])),
            notes=(
                "Checks know no severity and no team, notices no service and no team: those settings leave them as they are. Metrics, logs and alerts of other systems are not counted.",
            ),
        )


def _ratio(count: float, of: int) -> float | None:
    return count / of if of else None


def _advice(incidents: Row, noisiest: Sequence[Row]) -> list[Recommendation]:
    said = [
        Recommendation(
            f"Give rule {row['rule']} a longer `for` or a clear threshold: one of its alerts goes on and off.",
            f"fired {row['firings']} times for {row['service']}",
            f"the same alert at least {_OFTEN} times",
        )
        for row in noisiest
        if row["firings"] >= _OFTEN
    ]
    total, alone = incidents["incidents"], incidents["ended_alone"]
    if total >= _ENOUGH and alone >= _ALONE * total:
        said.append(
            Recommendation(
                "Page for less: most incidents end before anybody takes them.",
                f"{alone} of {total} incidents ended without acknowledgement",
                f"at least {_ENOUGH} incidents, at least {100 * _ALONE:.0f} % of them",
            )
        )
    return said
