"""History for other tools, cut into days or months: what one file holds, and how it is asked for."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from streams.warehouse.report import Question

#: What files can be, and ClickHouse's names of it.
FORMATS: Final = {"parquet": "Parquet", "csv": "CSVWithNames", "json": "JSONEachRow"}
#: What can be taken elsewhere, and the column by which it is cut.
SOURCES: Final = {
    "incidents_now": "detected_at",
    "incident_timeline": "occurred_at",
    "incident_outages": "detected_at",
    "deadlines": "detected_at",
    "deadline_outcomes": "detected_at",
    "checklist_outcomes": "detected_at",
    "alert_transitions": "occurred_at",
    "notice_outcomes": "requested_at",
    "changes_made": "occurred_at",
    "service_minutes": "minute",
    "metric_minutes": "minute",
    "log_minutes": "minute",
    "external_minutes": "minute",
    "signal_minutes": "minute",
}
_STATEMENT: Final = "SELECT * FROM {source} WHERE {moment} >= {since:DateTime64(6, 'UTC')} AND {moment} < {until:DateTime64(6, 'UTC')}"
_LONGEST_MONTH: Final = timedelta(days=32)


@dataclass(frozen=True)
class Piece:
    """One file."""

    name: str
    question: Question


def pieces(
    source: str, since: datetime, until: datetime, *, by_day: bool, form: str
) -> Iterator[Piece]:
    """
    Yield the files of *source* from *since* up to, and without, *until*; each a day or a month in UTC.

    Raises:
        KeyError: There is no such source.
    """
    statement = _STATEMENT.replace("{source}", source).replace("{moment}", SOURCES[source])
    at = since.astimezone(UTC)
    while at < until:
        day = at.replace(hour=0, minute=0, second=0, microsecond=0)
        following = (
            day + timedelta(days=1)
            if by_day
            else (day.replace(day=1) + _LONGEST_MONTH).replace(day=1)
        )
        end = min(following, until)
        name = f"{source}-{at:%Y-%m-%d}" if by_day else f"{source}-{at:%Y-%m}"
        yield Piece(f"{name}.{form}", Question(statement, {"since": at, "until": end}))
        at = following
