"""
What severities promise, over time: incidents are judged by what the policy said when they were detected.

A promise that changes is written down as of now and changes nothing about incidents before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

TABLE: Final = "severity_levels"
LATEST: Final = """
SELECT severity, argMax((name, respond_seconds, resolve_seconds, respond_counted, resolve_counted), valid_from) AS level
FROM severity_levels FINAL GROUP BY severity
"""


@dataclass(frozen=True)
class Promise:
    """What one severity promises."""

    severity: int
    name: str
    respond_within: timedelta
    resolve_within: timedelta
    #: ``business hours`` or ``next business day``; empty around the clock.
    respond_counted: str = ""
    resolve_counted: str = ""


def changed(
    promises: Sequence[Promise], latest: Sequence[Mapping[str, Any]], at: datetime
) -> list[dict[str, Any]]:
    """
    Return the rows for what is promised otherwise than before.

    Args:
        promises: What the policy says now.
        latest: The rows of ``LATEST``.
        at: Since when it says so.
    """
    known = {row["severity"]: tuple(row["level"]) for row in latest}
    rows = []
    for it in promises:
        level = (
            it.name,
            it.respond_within.total_seconds(),
            it.resolve_within.total_seconds(),
            it.respond_counted,
            it.resolve_counted,
        )
        if known.get(it.severity) != level:
            rows.append(
                {
                    "severity": it.severity,
                    "valid_from": at,
                    "name": level[0],
                    "respond_seconds": level[1],
                    "resolve_seconds": level[2],
                    "respond_counted": level[3],
                    "resolve_counted": level[4],
                    "written_at": at,
                }
            )
    return rows
