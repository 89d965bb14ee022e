"""Who took incidents, how fast, and how many of them out of hours; and when in the week they come."""

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Final
from zoneinfo import available_timezones

from pydantic import AfterValidator, ConfigDict

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
from streams.warehouse.scope import ChosenInSpan


def _known(zone: str) -> str:
    if zone not in available_timezones():
        message = "is no time zone"
        raise ValueError(message)
    return zone


Zone = Annotated[str, AfterValidator(_known)]

#: Working hours, in the report's time zone: Monday to Friday, from 9 to 18.
_OUT: Final = """
    (toDayOfWeek(detected_at, 0, {zone:String}) > 5
        OR toHour(detected_at, {zone:String}) < 9 OR toHour(detected_at, {zone:String}) >= 18)"""
BY_PERSON: Final = f"""
SELECT
    acknowledged_by AS person,
    count() AS taken,
    countIf({_OUT}) AS out_of_hours,
    countIf(severity = 1) AS critical,
    avg(tta_seconds) AS mean_seconds,
    quantilesExactInclusive(0.5, 0.9, 0.95)(tta_seconds) AS percentiles,
    percentiles[1] AS p50_seconds, percentiles[2] AS p90_seconds, percentiles[3] AS p95_seconds,
    sum(ttr_seconds) AS total_seconds
FROM counted_incidents {{where}} AND acknowledged_at IS NOT NULL
GROUP BY person
ORDER BY taken DESC, person
LIMIT 50
"""
BY_TEAM: Final = f"""
SELECT
    owner AS team,
    count() AS incidents,
    countIf({_OUT}) AS out_of_hours,
    countIf(acknowledged_at IS NULL) AS not_acknowledged,
    avg(tta_seconds) AS mean_seconds
FROM counted_incidents {{where}}
GROUP BY team
ORDER BY incidents DESC, team
LIMIT 50
"""
BY_HOUR: Final = f"""
SELECT toHour(detected_at, {{zone:String}}) AS hour, count() AS incidents, countIf({_OUT}) AS out_of_hours
FROM counted_incidents {{where}}
GROUP BY hour ORDER BY hour
"""
_HOURS: Final = 24
_ENOUGH: Final = 10
_ONE_PERSON: Final = 0.5
_OUT_SHARE: Final = 0.4


class OnCall(ChosenInSpan):
    """Settings of the report."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "since": "2024-03-01T00:00:00Z",
                    "until": "2024-04-01T00:00:00Z",
                    "zone": "Europe/Vienna",
                    "severity": [1, 2],
                    "service": "checkout",
                    "team": "payments",
                    "tenant": "default",
                }
            ]
        }
    )

    name: ClassVar = "oncall"
    title: ClassVar = "Load of those on call"

    zone: Zone = "UTC"
    """Time zone of working hours (Monday to Friday, 9 to 18), such as Europe/Vienna."""

    def questions(self) -> Mapping[str, Question]:
        """Return what the warehouse is asked."""
        return {
            "people": self.ask(BY_PERSON, zone=self.zone),
            "teams": self.ask(BY_TEAM, zone=self.zone),
            "hours": self.ask(BY_HOUR, zone=self.zone),
        }

    def tell(self, answers: Mapping[str, Sequence[Row]]) -> Account:
        """Return what the answers amount to."""
        by_hour = {row["hour"]: row for row in answers["hours"]}
        hours = [
            {
                "hour": f"{hour:02}:00",
                "incidents": by_hour.get(hour, {}).get("incidents", 0),
                "out_of_hours": by_hour.get(hour, {}).get("out_of_hours", 0),
            }
            for hour in range(_HOURS)
        ]
        return Account(
            tables=(
                Table(
                    "people",
                    self.title,
                    (
                        Column("person", "person"),
                        Column("taken", "taken", Shape.COUNT),
                        Column("out_of_hours", "out of hours", Shape.COUNT),
                        Column("critical", "critical", Shape.COUNT),
                        Column("mean_seconds", "MTTA", Shape.SECONDS),
                        Column("p50_seconds", "p50", Shape.SECONDS),
                        Column("p90_seconds", "p90", Shape.SECONDS),
                        Column("p95_seconds", "p95", Shape.SECONDS),
                        Column("total_seconds", "time open", Shape.SECONDS),
                    ),
                    answers["people"],
                ),
                Table(
                    "teams",
                    "By team",
                    (
                        Column("team", "team"),
                        Column("incidents", "incidents", Shape.COUNT),
                        Column("out_of_hours", "out of hours", Shape.COUNT),
                        Column("not_acknowledged", "not acknowledged", Shape.COUNT),
                        Column("mean_seconds", "MTTA", Shape.SECONDS),
                    ),
                    [{**row, "team": row["team"] or "no team"} for row in answers["teams"]],
                ),
                Table(
                    "hours",
                    f"By hour of the day ({self.zone})",
                    (
                        Column("hour", "hour"),
                        Column("incidents", "incidents", Shape.COUNT),
                        Column("out_of_hours", "out of hours", Shape.COUNT),
                    ),
                    hours,
                ),
            ),
            charts=(
                Chart(
                    f"Incidents by hour of the day ({self.zone})",
                    Draw.STACKED,
                    Shape.COUNT,
                    tuple(str(row["hour"]) for row in hours),
                    (
                        Series(
                            "in working hours",
                            tuple(row["incidents"] - row["out_of_hours"] for row in hours),
                        ),
                        Series("out of hours", tuple(row["out_of_hours"] for row in hours)),
                    ),
                    over_time=True,
                ),
            ),
            recommendations=tuple(_advice(answers)),
            notes=("Out of hours is not Monday to Friday from 9 to 18, by when it was detected.",),
        )


def _advice(answers: Mapping[str, Sequence[Row]]) -> list[Recommendation]:
    said = []
    taken = sum(row["taken"] for row in answers["people"])
    if taken >= _ENOUGH and len(answers["people"]) > 1:
        first = answers["people"][0]
        if first["taken"] >= _ONE_PERSON * taken:
            said.append(
                Recommendation(
                    f"Share the load of {first['person']}.",
                    f"{first['taken']} of {taken} incidents",
                    f"at least {_ENOUGH} taken, one person at least {100 * _ONE_PERSON:.0f} %",
                )
            )
    incidents = sum(row["incidents"] for row in answers["hours"])
    out = sum(row["out_of_hours"] for row in answers["hours"])
    if incidents >= _ENOUGH and out >= _OUT_SHARE * incidents:
        said.append(
            Recommendation(
                "Mute what can wait until the morning: many incidents come out of hours.",
                f"{out} of {incidents} incidents",
                f"at least {_ENOUGH} incidents, at least {100 * _OUT_SHARE:.0f} % out of hours",
            )
        )
    return said
