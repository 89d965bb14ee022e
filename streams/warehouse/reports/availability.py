"""
How long services were down, and what share of their health checks was good.

Down is the time in which at least one incident of that severity or worse was open on the service: incidents at the same time
count once, and the time in which an incident was resolved before it came back does not count.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field

from schemas.contract import Name, Severity
from streams.warehouse.charts import bars
from streams.warehouse.columns import count, seconds, share, text
from streams.warehouse.report import Chart, Question, Recommendation, Row, Rows, Section, Shape
from streams.warehouse.scope import SPAN_EXAMPLE, InSpan, exampled
from streams.warehouse.subjects import HEALTH_CHECKS, TENANTS
from streams.warehouse.wording import duration

_SINCE: Final = "toUnixTimestamp64Micro({since:DateTime64(6, 'UTC')})"
_UNTIL: Final = "toUnixTimestamp64Micro({until:DateTime64(6, 'UTC')})"
_TOUCHES: Final = """started_at < {until:DateTime64(6, 'UTC')}
        AND (resolved_at IS NULL OR resolved_at > {since:DateTime64(6, 'UTC')})
        AND severity_peak <= {down:UInt8}"""
#: Most incidents were open once, from start to resolution; when the others were stands in ``incident_turns``, which is read
#: for their days alone. A first opening begins where the incident started, which can be before it was detected.
#: ``incidents`` itself is read: to understand ``counted_incidents`` with all its columns takes ClickHouse as long as to answer.
OUTAGES: Final = f"""
WITH touching AS
(
    SELECT
        incident_key AS key,
        toUnixTimestamp64Micro(started_at) AS started,
        ifNull(toUnixTimestamp64Micro(resolved_at), {_UNTIL}) AS resolved,
        reopen_count > 0 AS came_back,
        if(empty(services), [service], services) AS all_services
    FROM incidents FINAL
    WHERE status != 'merged' AND NOT drill
        AND {_TOUCHES}{{chosen}}
),
changing AS
(
    SELECT
        incident_key AS key,
        arraySort(groupArray((sequence, toUnixTimestamp64Micro(occurred_at), open))) AS turns
    FROM incident_turns FINAL
    WHERE (opened_on, incident_key) IN
    (
        SELECT opened_on, incident_key FROM incidents FINAL WHERE reopen_count > 0 AND {_TOUCHES}
    )
    GROUP BY key
),
openings AS
(
    SELECT
        key,
        if(place = 1, NULL, turn.2) AS opened,
        if(following.1 = 0, {_UNTIL}, following.2) AS ended
    FROM changing
    ARRAY JOIN turns AS turn, arrayShiftLeft(turns, 1) AS following, arrayEnumerate(turns) AS place
    WHERE turn.3
),
outages AS
(
    SELECT
        t.key AS key,
        t.came_back AS came_back,
        t.all_services AS all_services,
        greatest(ifNull(o.opened, t.started), {_SINCE}) AS from,
        least(if(t.came_back, o.ended, t.resolved), {_UNTIL}) AS to
    FROM touching AS t LEFT JOIN openings AS o ON t.key = o.key
    WHERE to > from
)
SELECT
    service,
    countIf(NOT came_back) + uniqExactIf(key, came_back) AS incidents,
    max(to - from) / 1e6 AS longest_seconds,
    intervalLengthSum(from, to) / 1e6 AS down_seconds
FROM outages ARRAY JOIN all_services AS service
{{services}}
GROUP BY service
ORDER BY down_seconds DESC, service
"""
#: Minutes are made of the bad checks alone, after they are put together: few of millions are bad.
CHECKS: Final = """
SELECT
    service,
    count() AS checks,
    countIf(status = 'healthy') AS good_checks,
    arrayUniq(
        arrayMap(
            bad -> (bad.1, toStartOfMinute(bad.2)),
            groupArrayIf((sipHash64(tenant), occurred_at), status = 'unhealthy'))) AS bad_minutes
FROM health_checks FINAL {where}
GROUP BY service
ORDER BY service
"""


class Availability(InSpan):
    """Settings of the report."""

    model_config = exampled(SPAN_EXAMPLE, service="checkout", down=2, objective=99.9)

    name: ClassVar = "availability"
    title: ClassVar = "Availability of services"

    down: Severity = 2
    """The mildest severity that counts as down, 1 to 4; 2 where nothing is said. By the worst the incident ever had."""
    objective: Annotated[float, Field(gt=0, lt=100)] = 99.9
    """Percent of the time that a service should be up; 99.9 where nothing is said."""
    service: Name | None = None
    """Only this service."""

    @property
    def allowed(self) -> float:
        """The seconds that a service may be down."""
        since, until = self.window
        return (until - since).total_seconds() * (1 - self.objective / 100)

    def sections(self) -> tuple[Section, ...]:
        """Return its table."""
        return (
            Section(
                "services",
                self.title,
                (
                    text("service"),
                    share("availability", "up"),
                    seconds("down_seconds", "down"),
                    share("budget_used"),
                    count("incidents"),
                    seconds("longest_seconds", "longest"),
                    count("checks"),
                    share("good_share", "good checks"),
                    count("bad_minutes", "minutes unhealthy"),
                ),
            ),
        )

    def questions(self) -> Mapping[str, Question]:
        """Ask when incidents were open, and how health checks ended."""
        chosen = "WHERE service = {service:String}" if self.service else ""
        more: dict[str, Any] = {"service": self.service} if self.service else {}
        return {
            "outages": self.ask(
                OUTAGES.replace("{services}", chosen), about=TENANTS, down=self.down, **more
            ),
            "checks": self.ask(CHECKS, about=HEALTH_CHECKS),
        }

    def rows(self, answers: Rows) -> Rows:
        """Return one row for each service, the worst first."""
        since, until = self.window
        span = (until - since).total_seconds()
        outages = {row["service"]: row for row in answers["outages"]}
        checks = {row["service"]: row for row in answers["checks"]}
        rows = [
            _service(name, outages.get(name), checks.get(name), span, self.allowed)
            for name in sorted({*outages, *checks})
        ]
        rows.sort(key=lambda row: (row["availability"], row["service"]))
        return {"services": rows}

    def charts(self, rows: Rows) -> Iterator[Chart]:
        """Draw how long the worst were down."""
        worst = rows["services"][:15]
        yield bars(
            "Time down",
            Shape.SECONDS,
            worst,
            label="service",
            series={"down": "down_seconds"},
        )

    def recommendations(self, rows: Rows) -> Iterator[Recommendation]:
        """Advise on services that were down for longer than they may."""
        for row in rows["services"]:
            if row["down_seconds"] > self.allowed:
                yield Recommendation(
                    f"Put reliability of {row['service']} before new features: its error budget is used up.",
                    f"down {duration(row['down_seconds'])}, allowed {duration(self.allowed)}",
                    f"up for less than {self.objective:g} % of the time",
                )

    def notes(self) -> tuple[str, ...]:
        """Return what a reader must know."""
        return (
            f"Down: an incident of severity {self.down} or worse is open on it. Objective: {self.objective:g} %.",
        )


def _service(
    name: str, outage: Row | None, checks: Row | None, span: float, allowed: float
) -> dict[str, Any]:
    """Put together what is known of one service; nothing known of checks is no share of them."""
    down = outage["down_seconds"] if outage else 0.0
    asked = checks["checks"] if checks else 0
    return {
        "service": name,
        "availability": 1 - down / span,
        "down_seconds": down,
        "budget_used": down / allowed,
        "incidents": outage["incidents"] if outage else 0,
        "longest_seconds": outage["longest_seconds"] if outage else None,
        "checks": asked,
        "good_share": checks["good_checks"] / asked if checks and asked else None,
        "bad_minutes": checks["bad_minutes"] if checks else 0,
    }
