"""How long history is kept, as far as a policy may say, and the statements that tell ClickHouse."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from streams.durations import Duration

_YEAR: Final = timedelta(days=365)
#: Statements about the tables as they are.
AS_THEY_ARE: Final = (
    "SELECT name, create_table_query AS made FROM system.tables WHERE database = {database:String}"
)
#: The column that says how old a row is, and the setting that says how old it may become.
_TABLES: Final[Mapping[str, tuple[str, str]]] = {
    "incident_steps": ("occurred_at", "steps"),
    "incidents": ("opened_on", "incidents"),
    "incident_turns": ("opened_on", "incidents"),
    "alerts": ("occurred_at", "alerts"),
    "notices": ("occurred_at", "notices"),
    "receipts": ("requested_at", "notices"),
    "changes": ("occurred_at", "changes"),
    "health_checks": ("occurred_at", "checks"),
    "metric_rollups": ("minute", "rollups"),
    "log_rollups": ("minute", "rollups"),
    "external_rollups": ("minute", "rollups"),
}


class HistorySettings(BaseModel):
    """The ``history:`` part of a policy: how long each sort of row is kept. `tocsin migrate` tells the warehouse."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        json_schema_extra={"examples": [{"alerts": "180d", "checks": "90d"}]},
    )

    incidents: Duration = 9 * _YEAR
    """Incidents with their times: what reports are made of."""
    steps: Duration = 3 * _YEAR
    """Every step of every incident."""
    alerts: Duration = 2 * _YEAR
    """Transitions of alerts."""
    notices: Duration = 2 * _YEAR
    """Notices and receipts."""
    changes: Duration = 2 * _YEAR
    """Deployments, flags and configuration changes."""
    checks: Duration = timedelta(days=400)
    """Results of health checks."""
    rollups: Duration = timedelta(days=400)
    """Metrics, logs and alerts of other systems, counted by service and minute."""
    count_signals: bool = True
    """Whether they are counted: a worker of the record hop heeds it when it starts. It reads all telemetry for it; what was not counted
    meanwhile is counted later, as far as topics still have it."""


def statements(settings: HistorySettings, tables: Mapping[str, Any]) -> Iterator[str]:
    """
    Yield what ClickHouse must be told, nothing where it has been told before.

    Rows go a month at a time, when the youngest of a month is old enough: deleting single rows would write the others anew.

    Args:
        settings: How long rows are kept.
        tables: How each table was made, by name: ``AS_THEY_ARE``.
    """
    for table, (column, setting) in _TABLES.items():
        seconds = int(getattr(settings, setting).total_seconds())
        made = str(tables.get(table, ""))
        if not made or f"toIntervalSecond({seconds})" in made:
            continue
        yield f"ALTER TABLE {table} MODIFY SETTING ttl_only_drop_parts = 1"
        # A DateTime ends in 2106, and a time beyond it would be one of long ago.
        yield (
            f"ALTER TABLE {table} MODIFY TTL"
            f" toDateTime(least(toDateTime64({column}, 0, 'UTC'), toDateTime64('2096-01-01 00:00:00', 0, 'UTC')), 'UTC')"
            f" + toIntervalSecond({seconds})"
        )
