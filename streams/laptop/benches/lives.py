"""
A year of incidents as the rows that the record hop would write: twelve steps each, with their alerts, notices and receipts.

What a row holds comes from real messages, once for each sort of life; then ids and times are put in, so that a million of them can
be made faster than they are written.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from schemas.alerts import AlertState, AlertV1
from schemas.contract import Contract
from schemas.lifecycle import AttachedAlert, IncidentV1, Status, StepKind, StepV1
from schemas.notices import NoticeV1, Outcome, Purpose, ReceiptV1
from streams.incidents.checking import By, followed
from streams.incidents.checklists import CHECKLIST
from streams.warehouse.rows import Row, rows_of

#: The end of the year that is made up.
END: Final = datetime(2025, 1, 1, tzinfo=UTC)
YEAR: Final = timedelta(days=365)
STEPS: Final = 12
SERVICES: Final = 50
_BEGIN: Final = datetime(2020, 1, 1, tzinfo=UTC)
_ID: Final = "INC-2020-01-01-001"
_FINGERPRINT: Final = "00112233aabbccdd"
_MINUTES: Final = (0, 1, 2, 4, 5, 9, 14, 20, 31, 44, 47, 90)

#: The steps of a life, and what each sets; True stands for its time.
Life = tuple[tuple[StepKind, dict[str, Any]], ...]
_USUAL: Final[Life] = (
    (StepKind.OPENED, {}),
    (StepKind.ALERT_ATTACHED, {"alert_count": 2}),
    (StepKind.ALERT_ATTACHED, {"alert_count": 3}),
    (StepKind.ACKNOWLEDGED, {"acknowledged_at": True, "acknowledged_by": "p"}),
    (StepKind.ASSIGNED, {"assigned_to": "p"}),
    (StepKind.NOTED, {}),
    (StepKind.STATUS_CHANGED, {"status": Status.IDENTIFIED}),
    (StepKind.NOTED, {}),
    (StepKind.MITIGATED, {"mitigated_at": True}),
    (StepKind.ALERT_RESOLVED, {"firing_count": 0}),
    (StepKind.RESOLVED, {"status": Status.RESOLVED, "resolved_at": True, "root_cause": "c"}),
    (StepKind.CLOSED, {"status": Status.CLOSED, "closed_at": True}),
)
_BACK: Final[Life] = (
    *_USUAL[:4],
    (StepKind.RESOLVED, {"status": Status.RESOLVED, "resolved_at": True, "mitigated_at": True}),
    (
        StepKind.REOPENED,
        {
            "status": Status.INVESTIGATING,
            "resolved_at": None,
            "mitigated_at": None,
            "reopen_count": 1,
            "time_resolved": timedelta(minutes=4),
        },
    ),
    *_USUAL[6:],
)
_ALONE: Final[Life] = tuple(
    (StepKind.NOTED, {}) if kind in {StepKind.ACKNOWLEDGED, StepKind.ASSIGNED} else (kind, sets)
    for kind, sets in _USUAL
)
_OPEN: Final[Life] = (*_USUAL[:10], (StepKind.NOTED, {}), (StepKind.NOTED, {}))


@dataclass(frozen=True)
class Template:
    """One row, and which of its values are times, relative to the incident's detection."""

    table: str
    row: Row
    times: tuple[tuple[str, timedelta], ...]
    #: The columns that all rows of an incident have in common.
    ours: tuple[str, ...]


def batches(incidents: int, size: int) -> Iterator[dict[str, list[Row]]]:
    """Yield the rows of *incidents*, by table, *size* steps at a time."""
    lives = {name: templates(life) for name, life in _LIVES.items()}
    rows: dict[str, list[Row]] = {}
    steps = 0
    gap = YEAR / incidents
    for number in range(incidents):
        detected = END - YEAR + gap * number
        ours = _ours(number, detected)
        for template in lives[_life_of(number, incidents)]:
            rows.setdefault(template.table, []).append(_filled(template, number, detected, ours))
        steps += STEPS
        if steps >= size:
            yield rows
            rows, steps = {}, 0
    if steps:
        yield rows


def checks(days: int, services: int) -> Iterator[list[Row]]:
    """Yield a health check every 15 seconds of the last *days* of *services*, one service's at a time."""
    count = days * 24 * 60 * 4
    for service in range(services):
        yield [
            {
                "tenant": "default",
                "service": f"service-{service}",
                "occurred_at": END - timedelta(seconds=15 * (number + 1)),
                "partition": service % 4,
                "offset": service * count + number,
                "place": 0,
                "environment": "production",
                "check": "http",
                "status": "healthy" if number % 997 else "unhealthy",
                "critical": True,
                "latency_seconds": 0.02 + number % 89 / 1_000,
            }
            for number in range(count)
        ]


def _life_of(number: int, incidents: int) -> str:
    if number >= incidents - 20 or number % 10_000 == 0:
        return "open"
    if number % 10 == 0:
        return "back"
    return "alone" if number % 4 == 0 else "usual"


_LIVES: Final[Mapping[str, Life]] = {"usual": _USUAL, "back": _BACK, "alone": _ALONE, "open": _OPEN}


def templates(life: Life) -> list[Template]:
    """Return the rows that *life*, with its alert, notices and receipts, becomes."""
    steps = _steps(life)
    messages: list[Contract] = [*steps, *_alerts(steps[0].incident)]
    for step in (steps[0], steps[-2]):
        notice = _notice(step)
        messages += [notice, _receipt(notice)]
    return [_template(table, row) for message in messages for table, row in rows_of(message)]


def _template(table: str, row: Row) -> Template:
    times = tuple((name, it - _BEGIN) for name, it in row.items() if isinstance(it, datetime))
    return Template(table, row, times, tuple(name for name in _ours(0, END) if name in row))


def _ours(number: int, detected: datetime) -> Row:
    """Return what all rows of one incident have in common."""
    return {
        "incident_id": f"INC-{detected:%Y-%m-%d}-{number:07}",
        "opened_on": detected.date(),
        "service": f"service-{number % SERVICES}",
        "severity": 1 + number // 7 % 4,
        "owner": f"team-{number % 11}",
    }


def _filled(template: Template, number: int, detected: datetime, ours: Row) -> Row:
    """Put *number*'s ids and times into a row; times vary a little, so that no two lives are alike."""
    row = template.row.copy()
    stretch = 0.5 + number % 1_009 / 500
    for name, after in template.times:
        row[name] = detected + after * stretch
    for name in template.ours:
        row[name] = ours[name]
    if template.table in _MORE:
        _MORE[template.table](row, number, stretch)
    return row


def _step(row: Row, number: int, stretch: float) -> None:
    del number, stretch
    row["step_id"] = f"default/{row['incident_id']}.{row['sequence']}"


def _told(row: Row, number: int, stretch: float) -> None:
    del number, stretch
    row["notice_id"] = f"{row['incident_id']}/{row['notice_id']}"


def _snapshot(row: Row, number: int, stretch: float) -> None:
    row["severity_first"] = row["severity_peak"] = row["severity"]
    row["services"] = [row["service"], f"service-{(number + 1) % SERVICES}"]
    row["rules"] = [f"rule-{number % 97}"]
    row["seconds_resolved"] *= stretch
    row["root_cause"] = row["root_cause"] and f"cause {number % 19}"
    row["acknowledged_by"] = row["acknowledged_by"] and f"person-{number % 31}"
    detected = row["detected_at"]
    row["checklist"] = [
        (
            item,
            task,
            due_at and detected + (due_at - _BEGIN),
            done_at and detected + (done_at - _BEGIN) * stretch,
            done_by,
            source,
        )
        for item, task, due_at, done_at, done_by, source in row["checklist"]
        if row["severity"] in CHECKLIST[item].severities
    ]


def _alert(row: Row, number: int, stretch: float) -> None:
    del stretch
    row["rule"] = f"rule-{number % 97}"
    row["fingerprint"] = f"{number % 200_003:016x}"
    row["sequence"] += 2 * number


_MORE: Final[Mapping[str, Callable[[Row, int, float], None]]] = {
    "incident_steps": _step,
    "incidents": _snapshot,
    "alerts": _alert,
    "notices": _told,
    "receipts": _told,
}


def _steps(life: Life) -> list[StepV1]:
    steps: list[StepV1] = []
    now = IncidentV1(
        occurred_at=_BEGIN,
        incident_id=_ID,
        sequence=1,
        status=Status.INVESTIGATING,
        severity=1,
        severity_first=1,
        severity_peak=1,
        summary="Checkout answers slowly for customers in one region",
        impact="Orders take longer than ten seconds",
        service="s",
        services=("s",),
        labels={"region": "eu-central-1", "cluster": "blue"},
        group_key="default/s",
        alerts=(
            AttachedAlert(
                fingerprint=_FINGERPRINT,
                sequence=1,
                state=AlertState.FIRING,
                rule="r",
                severity=1,
                service="s",
                summary="slow",
                since=_BEGIN,
                changed_at=_BEGIN,
            ),
        ),
        alert_count=1,
        firing_count=1,
        started_at=_BEGIN - timedelta(minutes=2),
        detected_at=_BEGIN,
    )
    for number, (kind, sets) in enumerate(life):
        at = _BEGIN + timedelta(minutes=_MINUTES[number])
        previous = now if number else None
        before = previous.status if previous else None
        given = {name: at if value is True else value for name, value in sets.items()}
        now = now.model_copy(update={**given, "occurred_at": at, "sequence": number + 1})
        now = followed(now, previous, kind, By("p", "cli"), CHECKLIST)
        steps.append(
            StepV1(
                occurred_at=at,
                step_id=f"{_ID}.{number + 1}",
                incident_id=_ID,
                sequence=number + 1,
                kind=kind,
                author="tocsin",
                source="alert",
                reason="p95 of http_request_duration 11.2 s > 10 s for 2m",
                trigger_id=f"{_FINGERPRINT}.{number}",
                before=before,
                incident=now,
            )
        )
    return steps


def _alerts(incident: IncidentV1) -> list[AlertV1]:
    return [
        AlertV1(
            occurred_at=_BEGIN + timedelta(minutes=44 * number),
            fingerprint=_FINGERPRINT,
            sequence=number + 1,
            state=state,
            rule="r",
            severity=1,
            service="s",
            group_key=incident.group_key,
            summary=incident.summary,
            reason="p95 of http_request_duration 11.2 s > 10 s for 2m",
            started_at=incident.started_at,
        )
        for number, state in enumerate((AlertState.FIRING, AlertState.RESOLVED))
    ]


def _notice(step: StepV1) -> NoticeV1:
    return NoticeV1(
        occurred_at=step.occurred_at,
        notice_id=f"{step.sequence}/phone",
        incident_id=_ID,
        step=step.kind,
        purpose=Purpose.INITIAL if step.sequence == 1 else Purpose.RESOLUTION,
        channel="phone",
        reason="route 1: severity 1",
        incident=step.incident,
    )


def _receipt(notice: NoticeV1) -> ReceiptV1:
    return ReceiptV1(
        occurred_at=notice.occurred_at + timedelta(milliseconds=800),
        notice_id=notice.notice_id,
        incident_id=_ID,
        purpose=notice.purpose,
        channel=notice.channel,
        channel_kind="pagerduty",
        attempt=1,
        outcome=Outcome.DELIVERED,
        reason="202",
        requested_at=notice.occurred_at,
        took=timedelta(milliseconds=300),
    )
