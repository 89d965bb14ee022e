"""Who took incidents, how fast, and how many of them out of hours; and when in the week they come."""

from collections.abc import Iterator
from typing import Any, ClassVar, Final

from streams.time_zones import ZoneName
from streams.warehouse.charts import stacked
from streams.warehouse.columns import PERCENTILES, count, seconds, text
from streams.warehouse.measures import mean_and_percentiles
from streams.warehouse.report import Chart, Question, Recommendation, Rows, Section, Shape
from streams.warehouse.scope import CHOICE_EXAMPLE, SPAN_EXAMPLE, ChosenInSpan, exampled

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
    {mean_and_percentiles("tta_seconds")},
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

    model_config = exampled(SPAN_EXAMPLE, CHOICE_EXAMPLE, zone="Europe/Vienna")

    name: ClassVar = "oncall"
    title: ClassVar = "Load of those on call"

    zone: ZoneName = "UTC"
    """Time zone of working hours (Monday to Friday, 9 to 18), such as Europe/Vienna."""

    def sections(self) -> tuple[Section, ...]:
        """Return its tables."""
        return (
            Section(
                "people",
                self.title,
                (
                    text("person"),
                    count("taken"),
                    count("out_of_hours"),
                    count("critical"),
                    seconds("mean_seconds", "MTTA"),
                    *PERCENTILES,
                    seconds("total_seconds", "time open"),
                ),
                BY_PERSON,
            ),
            Section(
                "teams",
                "By team",
                (
                    text("team"),
                    count("incidents"),
                    count("out_of_hours"),
                    count("not_acknowledged"),
                    seconds("mean_seconds", "MTTA"),
                ),
                BY_TEAM,
            ),
            Section(
                "hours",
                f"By hour of the day ({self.zone})",
                (text("hour"), count("incidents"), count("out_of_hours")),
                BY_HOUR,
            ),
        )

    def ask(self, statement: str, **more: Any) -> Question:
        """Ask in the report's time zone."""
        return super().ask(statement, zone=self.zone, **more)

    def rows(self, answers: Rows) -> Rows:
        """Return a row for each hour, also where nothing happened."""
        by_hour = {row["hour"]: row for row in answers["hours"]}
        return {
            **answers,
            "teams": [{**row, "team": row["team"] or "no team"} for row in answers["teams"]],
            "hours": [
                {
                    "hour": f"{hour:02}:00",
                    "incidents": by_hour.get(hour, {}).get("incidents", 0),
                    "out_of_hours": by_hour.get(hour, {}).get("out_of_hours", 0),
                }
                for hour in range(_HOURS)
            ],
        }

    def charts(self, rows: Rows) -> Iterator[Chart]:
        """Draw the hours of the day."""
        yield stacked(
            f"Incidents by hour of the day ({self.zone})",
            Shape.COUNT,
            [{**row, "in_hours": row["incidents"] - row["out_of_hours"]} for row in rows["hours"]],
            label="hour",
            series={"in working hours": "in_hours", "out of hours": "out_of_hours"},
            over_time=True,
        )

    def recommendations(self, rows: Rows) -> Iterator[Recommendation]:
        """Advise where one person takes most, and where much comes out of hours."""
        taken = sum(row["taken"] for row in rows["people"])
        if taken >= _ENOUGH and len(rows["people"]) > 1:
            first = rows["people"][0]
            if first["taken"] >= _ONE_PERSON * taken:
                yield Recommendation(
                    f"Share the load of {first['person']}.",
                    f"{first['taken']} of {taken} incidents",
                    f"at least {_ENOUGH} taken, one person at least {100 * _ONE_PERSON:.0f} %",
                )
        incidents, out = (
            sum(row[name] for row in rows["hours"]) for name in ("incidents", "out_of_hours")
        )
        if incidents >= _ENOUGH and out >= _OUT_SHARE * incidents:
            yield Recommendation(
                "Mute what can wait until the morning: many incidents come out of hours.",
                f"{out} of {incidents} incidents",
                f"at least {_ENOUGH} incidents, at least {100 * _OUT_SHARE:.0f} % out of hours",
            )

    def notes(self) -> tuple[str, ...]:
        """Return what a reader must know."""
        return ("Out of hours is not Monday to Friday from 9 to 18, by when it was detected.",)
