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

_TOUCHING: Final = """
touching AS
(
    SELECT tenant, incident_id, opened_on, started_at, resolved_at, reopen_count, if(empty(services), [service], services) AS all_services
    FROM counted_incidents
    WHERE started_at < {until:DateTime64(6, 'UTC')}
        AND (resolved_at IS NULL OR resolved_at > {since:DateTime64(6, 'UTC')})
        AND severity_peak <= {down:UInt8}{chosen}
)"""
OUTAGES: Final = f"""
WITH {_TOUCHING},
openings AS
(
    SELECT
        tenant,
        incident_id,
        arraySort(groupArray((sequence, occurred_at, open))) AS turns,
        arrayMap(
            (turn, following, place) -> (
                place = 1, turn.3, turn.2, if(following.1 = 0, NULL, following.2)),
            turns, arrayShiftLeft(turns, 1), arrayEnumerate(turns)) AS spans
    FROM incident_turns FINAL
    WHERE (tenant, opened_on, incident_id) IN
    (
        SELECT tenant, opened_on, incident_id
        FROM incidents_now
        WHERE reopen_count > 0 AND started_at < {{until:DateTime64(6, 'UTC')}}
            AND (resolved_at IS NULL OR resolved_at > {{since:DateTime64(6, 'UTC')}})
            AND severity_peak <= {{down:UInt8}}
    )
    GROUP BY tenant, incident_id
),
outages AS
(
    SELECT t.tenant AS tenant, t.incident_id AS incident_id, t.all_services AS all_services,
        if(span.1, t.started_at, span.3) AS down_from, span.4 AS down_until
    FROM touching AS t LEFT JOIN openings AS o ON t.tenant = o.tenant AND t.incident_id = o.incident_id
    ARRAY JOIN if(t.reopen_count = 0, [(true, true, t.started_at, t.resolved_at)], o.spans) AS span
    WHERE span.2
),
clipped AS
(
    SELECT
        tenant, incident_id, all_services,
        toUnixTimestamp64Micro(greatest(down_from, {{since:DateTime64(6, 'UTC')}})) AS from,
        toUnixTimestamp64Micro(least(coalesce(down_until, {{until:DateTime64(6, 'UTC')}}), {{until:DateTime64(6, 'UTC')}})) AS to
    FROM outages
    WHERE to > from
)
SELECT
    service,
    uniqExact(tenant, incident_id) AS incidents,
    max(to - from) / 1e6 AS longest_seconds,
    arrayFold(
        (seen, span) -> (
            seen.1 + greatest(toInt64(0), span.2 - greatest(span.1, seen.2)), greatest(seen.2, span.2)),
        arraySort(groupArray((from, to))), (toInt64(0), toInt64(0))).1 / 1e6 AS down_seconds
FROM clipped ARRAY JOIN all_services AS service
{{services}}
GROUP BY service
ORDER BY down_seconds DESC, service
"""
CHECKS: Final = """
SELECT
    service,
    count() AS checks,
    countIf(status = 'healthy') AS good_checks,
    uniqExactIf((tenant, toStartOfMinute(occurred_at)), status = 'unhealthy') AS bad_minutes
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
