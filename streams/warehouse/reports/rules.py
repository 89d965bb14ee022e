"""
Which rules woke people, and which of them were of use.

An incident counts for every rule of its alerts. It was of use where somebody acknowledged it; one that was resolved without was
noise, and one that is open and not acknowledged is neither yet.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

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
from streams.warehouse.scope import OF_ALERTS, ChosenInSpan

ALERTS: Final = """
SELECT
    rule,
    countIf(state = 'firing') AS firings,
    uniqExactIf((tenant, fingerprint), state = 'firing') AS alerts
FROM alerts FINAL {where}
GROUP BY rule ORDER BY rule
"""
INCIDENTS: Final = """
SELECT
    rule,
    count() AS incidents,
    countIf(acknowledged_at IS NOT NULL) AS useful,
    countIf(acknowledged_at IS NULL AND resolved_at IS NOT NULL) AS noise,
    avg(ttr_seconds) AS mean_seconds
FROM counted_incidents
ARRAY JOIN rules AS rule
{where}
GROUP BY rule ORDER BY rule
"""
PAGES: Final = """
SELECT rule, sum(n.pages) AS pages
FROM
(
    SELECT tenant, incident_id, arrayJoin(rules) AS rule FROM counted_incidents {where}
) AS i
INNER JOIN
(
    SELECT tenant, incident_id, count() AS pages
    FROM notices FINAL
    WHERE purpose = 'initial' AND occurred_at >= {since:DateTime64(6, 'UTC')}
    GROUP BY tenant, incident_id
) AS n ON i.tenant = n.tenant AND i.incident_id = n.incident_id
GROUP BY rule ORDER BY rule
"""
_ENOUGH: Final = 5
_USELESS: Final = 0.2


class Rules(ChosenInSpan):
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

    name: ClassVar = "rules"
    title: ClassVar = "Rules: what they opened, and whether it was of use"

    def questions(self) -> Mapping[str, Question]:
        """Return what the warehouse is asked."""
        return {
            "alerts": self.ask(ALERTS, moment="occurred_at", knows=OF_ALERTS),
            "incidents": self.ask(INCIDENTS),
            "pages": self.ask(PAGES),
        }

    def tell(self, answers: Mapping[str, Sequence[Row]]) -> Account:
        """Return what the answers amount to."""
        by_rule = {name: {row["rule"]: row for row in rows} for name, rows in answers.items()}
        rows = [
            _rule(name, *(by_rule[part].get(name, {}) for part in ("alerts", "incidents", "pages")))
            for name in sorted(set().union(*by_rule.values()))
        ]
        rows.sort(key=lambda row: (-row["pages"], -row["incidents"], -row["firings"], row["rule"]))
        leading = [row for row in rows if row["incidents"]][:12]
        return Account(
            tables=(
                Table(
                    "rules",
                    self.title,
                    (
                        Column("rule", "rule"),
                        Column("firings", "fired", Shape.COUNT),
                        Column("alerts", "different alerts", Shape.COUNT),
                        Column("incidents", "incidents", Shape.COUNT),
                        Column("pages", "initial notices", Shape.COUNT),
                        Column("useful", "of use", Shape.COUNT),
                        Column("noise", "noise", Shape.COUNT),
                        Column("useful_share", "share of use", Shape.SHARE),
                        Column("mean_seconds", "MTTR", Shape.SECONDS),
                    ),
                    rows,
                ),
            ),
            charts=(
                Chart(
                    "Incidents by rule",
                    Draw.STACKED,
                    Shape.COUNT,
                    tuple(row["rule"] for row in leading),
                    (
                        Series("of use", tuple(row["useful"] for row in leading)),
                        Series("noise", tuple(row["noise"] for row in leading)),
                        Series(
                            "open",
                            tuple(
                                row["incidents"] - row["useful"] - row["noise"] for row in leading
                            ),
                        ),
                    ),
                ),
            ),
            recommendations=tuple(
                Recommendation(
                    f"Make rule {row['rule']} stricter, or let it not page: hardly anybody takes what it opens.",
                    f"{row['useful']} of {row['useful'] + row['noise']} incidents of use, {row['pages']} initial notices",
                    f"at least {_ENOUGH} incidents that are over or taken, at most {100 * _USELESS:.0f} % of use",
                )
                for row in rows
                if row["useful"] + row["noise"] >= _ENOUGH and row["useful_share"] <= _USELESS
            ),
            notes=(
                "An incident counts for each rule of its alerts: sums over rules are no totals.",
            ),
        )


def _rule(name: str, alerts: Row, incidents: Row, pages: Row) -> dict[str, Any]:
    useful, noise = incidents.get("useful", 0), incidents.get("noise", 0)
    return {
        "rule": name,
        "firings": alerts.get("firings", 0),
        "alerts": alerts.get("alerts", 0),
        "incidents": incidents.get("incidents", 0),
        "pages": pages.get("pages", 0),
        "useful": useful,
        "noise": noise,
        "useful_share": useful / (useful + noise) if useful + noise else None,
        "mean_seconds": incidents.get("mean_seconds"),
    }
