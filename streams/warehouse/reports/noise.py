"""How much comes in and how much of it reaches people: health checks, alerts, incidents, notices; and the noisiest alerts."""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Final

from streams.warehouse.charts import bars
from streams.warehouse.columns import count, number, text
from streams.warehouse.report import Chart, Question, Recommendation, Rows, Section, Shape
from streams.warehouse.scope import ChosenInSpan
from streams.warehouse.subjects import ALERTS, HEALTH_CHECKS, NOTICES

CHECKED: Final = """
SELECT count() AS checks, countIf(status != 'healthy') AS failed
FROM health_checks FINAL {where}
"""
FIRED: Final = """
SELECT
    countIf(state = 'firing') AS firings,
    countIf(state = 'changed') AS changes,
    countIf(state = 'resolved') AS resolutions,
    uniqExactIf((tenant, fingerprint), state = 'firing') AS alerts
FROM alerts FINAL {where}
"""
OPENED: Final = """
SELECT
    count() AS incidents,
    countIf(acknowledged_at IS NULL AND resolved_at IS NOT NULL) AS ended_alone,
    countIf(reopen_count > 0) AS reopened,
    sum(alert_count) AS alerts
FROM counted_incidents {where}
"""
TOLD: Final = """
SELECT count() AS notices, countIf(purpose = 'initial') AS initial
FROM notices FINAL {where} AND NOT drill
-- The handover of a shift is of no incident: no number of one begins so.
AND substring(incident_id, 16, 3) != '000'
"""
#: Counted by a hash first: texts are read of the leading ones alone.
NOISIEST: Final = """
SELECT
    tenant, fingerprint, rule, service,
    countIf(state = 'firing') AS firings,
    argMax(summary, sequence) AS latest
FROM alerts FINAL {where} AND sipHash64(tenant, fingerprint, rule, service) IN
(
    SELECT key
    FROM
    (
        SELECT sipHash64(tenant, fingerprint, rule, service) AS key, count() AS firings
        FROM alerts FINAL {where} AND state = 'firing'
        GROUP BY key
        HAVING firings > 1
        ORDER BY firings DESC
        LIMIT 10 WITH TIES
    )
)
GROUP BY tenant, fingerprint, rule, service
ORDER BY firings DESC, tenant, fingerprint, rule, service
LIMIT 10
"""
_ENOUGH: Final = 10
_OFTEN: Final = 10
_ALONE: Final = 0.5


class Noise(ChosenInSpan):
    """Settings of the report."""

    name: ClassVar = "noise"
    title: ClassVar = "From checks to notices"

    def sections(self) -> tuple[Section, ...]:
        """Return its tables."""
        return (
            Section(
                "funnel",
                self.title,
                (text("stage", ""), count("count"), number("per_incident", "for each incident")),
            ),
            Section("details", "In detail", (text("figure", ""), count("count"))),
            Section(
                "noisiest",
                "Alerts that fired most",
                (
                    text("rule"),
                    text("service"),
                    count("firings", "fired"),
                    text("latest", "latest summary"),
                ),
                NOISIEST,
                ALERTS,
            ),
        )

    def questions(self) -> Mapping[str, Question]:
        """Ask how many there are of each."""
        return {
            **super().questions(),
            "checks": self.ask(CHECKED, about=HEALTH_CHECKS),
            "alerts": self.ask(FIRED, about=ALERTS),
            "incidents": self.ask(OPENED),
            "notices": self.ask(TOLD, about=NOTICES),
        }

    def rows(self, answers: Rows) -> Rows:
        """Return the counts, one row each."""
        checks, alerts, incidents, notices = (
            answers[name][0] for name in ("checks", "alerts", "incidents", "notices")
        )
        stages = {
            "health checks": checks["checks"],
            "health checks that failed": checks["failed"],
            "alerts that fired": alerts["firings"],
            "incidents": incidents["incidents"],
            "notices": notices["notices"],
        }
        details = {
            "different alerts that fired": alerts["alerts"],
            "changes of severity while firing": alerts["changes"],
            "alerts that resolved": alerts["resolutions"],
            "alerts attached to incidents": incidents["alerts"],
            "incidents that ended without acknowledgement": incidents["ended_alone"],
            "incidents that came back": incidents["reopened"],
            "initial notices": notices["initial"],
        }
        of = incidents["incidents"]
        return {
            **answers,
            "funnel": [
                {"stage": stage, "count": its, "per_incident": its / of if of else None}
                for stage, its in stages.items()
            ],
            "details": [{"figure": figure, "count": its} for figure, its in details.items()],
        }

    def charts(self, rows: Rows) -> Iterator[Chart]:
        """Draw the funnel but its first stage, beside which nothing else would be seen."""
        yield bars(
            self.title,
            Shape.COUNT,
            rows["funnel"][1:],
            label="stage",
            series={"count": "count"},
        )

    def recommendations(self, rows: Rows) -> Iterator[Recommendation]:
        """Advise on alerts that go on and off, and on incidents that nobody takes."""
        for row in rows["noisiest"]:
            if row["firings"] >= _OFTEN:
                yield Recommendation(
                    f"Give rule {row['rule']} a longer `for` or a clear threshold: one of its alerts goes on and off.",
                    f"fired {row['firings']} times for {row['service']}",
                    f"the same alert at least {_OFTEN} times",
                )
        total, alone = (rows["incidents"][0][name] for name in ("incidents", "ended_alone"))
        if total >= _ENOUGH and alone >= _ALONE * total:
            yield Recommendation(
                "Page for less: most incidents end before anybody takes them.",
                f"{alone} of {total} incidents ended without acknowledgement",
                f"at least {_ENOUGH} incidents, at least {100 * _ALONE:.0f} % of them",
            )

    def notes(self) -> tuple[str, ...]:
        """Return what a reader must know."""
        return (
            "Checks know no severity and no team, notices no service and no team: those settings leave them as they are. Metrics, logs and alerts of other systems are not counted.",
        )
