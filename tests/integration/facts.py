"""
What is true of each incident, worked out of its steps in plain Python, without any SQL and without the snapshots' sums.

The rules, in words: an incident counts in the time it was detected in, with its current severity; deadlines are its own, or those of
the worst it had. A merged one and an exercise count nowhere. Time to resolve is the sum of the times it was open, from its start. What
never happened (acknowledged, mitigated, resolved) is in no mean.
"""

import itertools
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from schemas.lifecycle import Status, StepKind, StepV1
from streams.warehouse.report import Report
from tests.integration.truth import Truth

Rows = list[dict[str, Any]]
OPEN = {Status.INVESTIGATING, Status.IDENTIFIED, Status.MONITORING}
NAMES = {1: "critical", 2: "high", 3: "medium", 4: "low"}
TARGETS = {1: (900, 3600), 2: (1800, 14400), 3: (7200, 86400), 4: (86400, 604800)}


@dataclass
class Fact:
    """What is known of one incident that counts."""

    tenant: str
    incident_id: str
    severity: int
    peak: int
    service: str
    services: tuple[str, ...]
    team: str
    rules: tuple[str, ...]
    cause: str
    summary: str
    alert_count: int
    started: datetime
    detected: datetime
    acknowledged: datetime | None
    person: str | None
    resolved: datetime | None
    reopened: int
    #: When it was open; None where it still is.
    open: list[tuple[datetime, datetime | None]]
    times: dict[str, float | None]
    #: Until when somebody had to be on it, and until when it had to be over had it never been resolved; None where it says nothing.
    respond_by: datetime | None
    resolve_by: datetime | None
    #: What was to be done: until when, had it never been resolved, and when it was done.
    tasks: dict[str, tuple[datetime | None, datetime | None]]


def facts(truth: Truth) -> list[Fact]:
    """All incidents that count."""
    return [_fact(life) for life in truth.lives if _counts(life)]


def _counts(life: list[StepV1]) -> bool:
    last = life[-1].incident
    return last.status is not Status.MERGED and not last.drill


def _fact(life: list[StepV1]) -> Fact:
    first, last = life[0].incident, life[-1].incident
    spans: list[tuple[datetime, datetime | None]] = []
    since: datetime | None = last.started_at
    for before, after in itertools.pairwise(life):
        if before.incident.status in OPEN and after.incident.status not in OPEN:
            assert since is not None
            spans.append((since, after.occurred_at))
            since = None
        elif before.incident.status not in OPEN and after.incident.status in OPEN:
            since = after.occurred_at
    if since is not None:
        spans.append((since, None))
    acknowledged = [it for it in life if it.kind is StepKind.ACKNOWLEDGED]
    returns = [it.sequence for it in life if it.kind is StepKind.REOPENED]
    eased = [
        it.occurred_at
        for it in life
        if it.kind in {StepKind.MITIGATED, StepKind.RESOLVED}
        and it.sequence > max(returns, default=0)
    ]
    resolved = None if since is not None else spans[-1][1]
    taken = acknowledged[0].occurred_at if acknowledged else None
    mitigated = eased[0] if eased else None

    def seconds(later: datetime | None, earlier: datetime | None) -> float | None:
        if later is None or earlier is None:
            return None
        return max(0.0, (later - earlier).total_seconds())

    down = sum(((end - begin) for begin, end in spans if end), timedelta(0)).total_seconds()
    return Fact(
        tenant=last.tenant,
        incident_id=last.incident_id,
        severity=last.severity,
        peak=min(it.incident.severity for it in life),
        service=first.service,
        services=last.services,
        team=last.owner or "",
        rules=tuple(sorted({alert.rule for alert in last.alerts})),
        cause=last.root_cause,
        summary=last.summary,
        alert_count=last.alert_count,
        started=last.started_at,
        detected=first.occurred_at,
        acknowledged=taken,
        person=acknowledged[0].incident.acknowledged_by if acknowledged else None,
        resolved=resolved,
        reopened=len(returns),
        open=spans,
        respond_by=first.respond_by,
        resolve_by=first.resolve_by,
        tasks={task.name: (task.due_at, _done_at(life, task.name)) for task in first.checklist},
        times={
            "TTD": seconds(first.occurred_at, last.started_at),
            "TTA": seconds(taken, first.occurred_at),
            "TTM": seconds(mitigated, taken),
            "TTR": down if resolved else None,
        },
    )


def _done_at(life: list[StepV1], task: str) -> datetime | None:
    """What the last step says that ticked it, or took that back."""
    said: datetime | None = None
    for before, after in itertools.pairwise(life):
        if after.kind is StepKind.CHECKED_OFF:
            was, now = (
                next(each.done_at for each in it.incident.checklist if each.name == task)
                for it in (before, after)
            )
            said = now if now != was else said
    return said


# -- numbers ----------------------------------------------------------------------------------------


def mean(values: Iterable[float | None]) -> float | None:
    have = [it for it in values if it is not None]
    return statistics.fmean(have) if have else None


def total(values: Iterable[float | None]) -> float | None:
    have = [it for it in values if it is not None]
    return sum(have) if have else None


def percentile(values: Iterable[float | None], share: float) -> float | None:
    """Between the two nearest ranks, in proportion."""
    have = sorted(it for it in values if it is not None)
    if not have:
        return None
    place = share * (len(have) - 1)
    low = int(place)
    return have[low] + (place - low) * (have[min(low + 1, len(have) - 1)] - have[low])


def figures(values: Sequence[float | None]) -> dict[str, Any]:
    return {
        "counted": sum(it is not None for it in values),
        "mean_seconds": mean(values),
        "p50_seconds": percentile(values, 0.5),
        "p90_seconds": percentile(values, 0.9),
        "p95_seconds": percentile(values, 0.95),
    }


def grouped(items: Iterable[Any], key: Any) -> dict[Any, list[Any]]:
    groups: dict[Any, list[Any]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return groups


def chosen(asked: Report, all_facts: list[Fact], span: Any = None) -> list[Fact]:
    """The incidents that a report is about."""
    since, until = span or asked.window
    given = dict(asked)
    return [
        it
        for it in all_facts
        if since <= it.detected < until
        and (not given.get("severity") or it.severity in given["severity"])
        and (not given.get("service") or given["service"] in {it.service, *it.services})
        and (not given.get("team") or it.team == given["team"])
        and (not given.get("tenant") or it.tenant == given["tenant"])
    ]
