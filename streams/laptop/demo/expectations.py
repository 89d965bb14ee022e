"""What must be true of what was seen: an expectation returns what was expected and seen instead, None where it held."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from schemas.lifecycle import IncidentV1, StepKind, StepV1
from schemas.notices import NoticeV1, Outcome, Purpose, ReceiptV1
from schemas.telemetry import HealthStatus, HealthV1

#: What happens to the demo's incident, in this order, whatever else happens in between.
STORY: Final = (
    StepKind.OPENED,
    StepKind.ACKNOWLEDGED,
    StepKind.ASSIGNED,
    StepKind.NOTED,
    StepKind.ALERT_RESOLVED,
    StepKind.RESOLVED,
)
#: How far apart two computations of the same duration may be: the warehouse keeps microseconds.
_ROUNDING: Final = timedelta(milliseconds=1)


def all_well(healths: Sequence[HealthV1], checks: Sequence[str], *, times: int) -> str | None:
    """Every check was healthy the last so many times it was asked."""
    for check in checks:
        latest = [each.status for each in healths if each.check == check][-times:]
        if len(latest) < times or set(latest) != {HealthStatus.HEALTHY}:
            return f"{check} healthy {times} times in a row, seen {', '.join(latest) or 'nothing'}"
    return None


def story_is_complete(steps: Sequence[StepV1]) -> str | None:
    """No step is missing or twice, and the story's steps came in their order."""
    numbers = [step.sequence for step in steps]
    if sorted(numbers) != list(range(1, len(numbers) + 1)):
        return f"steps numbered 1 to {len(numbers)}, seen {numbers}"
    kinds = iter([step.kind for step in sorted(steps, key=lambda step: step.sequence)])
    # The iterator is used up on the way: each must come after the one before.
    missing = [wanted for wanted in STORY if wanted not in kinds]
    if missing:
        seen = ", ".join(step.kind for step in steps)
        return f"steps {', '.join(STORY)} in this order, seen {seen}"
    return None


def one_incident(steps: Sequence[StepV1]) -> str | None:
    """All that happened belongs to the same incident."""
    incidents = sorted({step.incident_id for step in steps})
    return None if len(incidents) == 1 else f"one incident, seen {', '.join(incidents) or 'none'}"


def undelivered(
    notices: Sequence[NoticeV1], receipts: Sequence[ReceiptV1], purpose: Purpose
) -> list[str]:
    """Return the channels that should have been told with this purpose and have not been."""
    delivered = {each.notice_id for each in receipts if each.outcome is Outcome.DELIVERED}
    return sorted(
        notice.channel
        for notice in notices
        if notice.purpose is purpose and notice.notice_id not in delivered
    )


def nobody_was_told_twice(receipts: Sequence[ReceiptV1], arrivals: Mapping[str, int]) -> str | None:
    """Each notice was delivered once, and receivers of each kind got as many messages as receipts say."""
    per_notice = Counter(each.notice_id for each in receipts if each.outcome is Outcome.DELIVERED)
    twice = sorted(notice for notice, count in per_notice.items() if count > 1)
    if twice:
        return f"each notice delivered once, seen twice: {', '.join(twice)}"
    delivered = Counter(each.channel_kind for each in receipts if each.outcome is Outcome.DELIVERED)
    if dict(delivered) != {kind: count for kind, count in arrivals.items() if count}:
        return f"messages as receipts say ({dict(delivered)}), receivers got {dict(arrivals)}"
    return None


def everything_was_accepted(problems: Sequence[str]) -> str | None:
    """No receiver refused a message."""
    return f"messages that their receivers accept, seen {'; '.join(problems)}" if problems else None


def warehouse_agrees(incident: IncidentV1, row: Mapping[str, Any]) -> str | None:
    """The durations that ClickHouse computes are those that follow from the last step."""
    for name, expected in durations(incident).items():
        seen = row[f"{name}_seconds"]
        if seen is None or abs(timedelta(seconds=float(seen)) - expected) > _ROUNDING:
            return f"{name.upper()} {expected.total_seconds():.3f} s in ClickHouse, seen {seen}"
    return None


def history_is_complete(expected: Mapping[str, int], rows: Mapping[str, int]) -> str | None:
    """ClickHouse has one row for each message that was seen."""
    wrong = {name: rows.get(name, 0) for name in expected if rows.get(name, 0) != expected[name]}
    if wrong:
        return f"rows in ClickHouse {dict(expected)}, seen {dict(rows)}"
    return None


def nothing_was_put_aside(dead: Sequence[str]) -> str | None:
    """There are no dead letters."""
    return f"no dead letters, seen {len(dead)}: {'; '.join(dead[:3])}" if dead else None


def durations(incident: IncidentV1) -> dict[str, timedelta]:
    """Return how long it took to detect, acknowledge and resolve, by the milestones that were reached."""
    found = {"ttd": incident.detected_at - incident.started_at}
    if incident.acknowledged_at:
        found["tta"] = incident.acknowledged_at - incident.detected_at
    if incident.resolved_at:
        found["ttr"] = incident.resolved_at - incident.started_at - incident.time_resolved
    return found


def seconds_between(earlier: datetime, later: datetime) -> str:
    """Return the time between two moments as the last line says it."""
    return f"{(later - earlier).total_seconds():.1f}"
