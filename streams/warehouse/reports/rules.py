"""
Which rules woke people, and which of them were of use.

An incident counts for every rule of its alerts. It was of use where somebody acknowledged it; one that was resolved without was
noise, and one that is open and not acknowledged is neither yet.
"""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from streams.warehouse.charts import stacked
from streams.warehouse.columns import count, seconds, share, text
from streams.warehouse.report import Chart, Question, Recommendation, Row, Rows, Section, Shape
from streams.warehouse.scope import ChosenInSpan
from streams.warehouse.subjects import ALERTS

FIRED: Final = """
SELECT
    rule,
    countIf(state = 'firing') AS firings,
    uniqExactIf((tenant, fingerprint), state = 'firing') AS alerts
FROM alerts FINAL {where}
GROUP BY rule ORDER BY rule
"""
OPENED: Final = """
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

    name: ClassVar = "rules"
    title: ClassVar = "Rules: what they opened, and whether it was of use"

    def sections(self) -> tuple[Section, ...]:
        """Return its table."""
        return (
            Section(
                "rules",
                self.title,
                (
                    text("rule"),
                    count("firings", "fired"),
                    count("alerts", "different alerts"),
                    count("incidents"),
                    count("pages", "initial notices"),
                    count("useful", "of use"),
                    count("noise"),
                    share("useful_share", "share of use"),
                    seconds("mean_seconds", "MTTR"),
                ),
            ),
        )

    def questions(self) -> Mapping[str, Question]:
        """Ask for what fired, what it opened, and whom it woke."""
        return {
            "alerts": self.ask(FIRED, about=ALERTS),
            "incidents": self.ask(OPENED),
            "pages": self.ask(PAGES),
        }

    def rows(self, answers: Rows) -> Rows:
        """Return one row for each rule, those first that woke most."""
        by_rule = {name: {row["rule"]: row for row in its} for name, its in answers.items()}
        rows = [
            _rule(name, *(by_rule[part].get(name, {}) for part in ("alerts", "incidents", "pages")))
            for name in sorted(set().union(*by_rule.values()))
        ]
        rows.sort(key=lambda row: (-row["pages"], -row["incidents"], -row["firings"], row["rule"]))
        return {"rules": rows}

    def charts(self, rows: Rows) -> Iterator[Chart]:
        """Draw what became of the incidents of the leading rules."""
        yield stacked(
            "Incidents by rule",
            Shape.COUNT,
            [
                {**row, "open": row["incidents"] - row["useful"] - row["noise"]}
                for row in rows["rules"]
                if row["incidents"]
            ][:12],
            label="rule",
            series={"of use": "useful", "noise": "noise", "open": "open"},
        )

    def recommendations(self, rows: Rows) -> Iterator[Recommendation]:
        """Advise on rules that open what nobody takes."""
        for row in rows["rules"]:
            judged = row["useful"] + row["noise"]
            if judged >= _ENOUGH and row["useful_share"] <= _USELESS:
                yield Recommendation(
                    f"Make rule {row['rule']} stricter, or let it not page: hardly anybody takes what it opens.",
                    f"{row['useful']} of {judged} incidents of use, {row['pages']} initial notices",
                    f"at least {_ENOUGH} incidents that are over or taken, at most {100 * _USELESS:.0f} % of use",
                )

    def notes(self) -> tuple[str, ...]:
        """Return what a reader must know."""
        return ("An incident counts for each rule of its alerts: sums over rules are no totals.",)


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
