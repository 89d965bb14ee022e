"""
A made-up history that knows the truth about itself: the messages as they stand on the topics.

Incidents come back, change their severity, are merged, corrected late, never acknowledged or still open; some are exercises. Their deadlines are
made up: they follow from no severity.
Figures are worked out of it elsewhere, from the steps, without any SQL.
"""

import random
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.alerts import AlertState, AlertV1
from schemas.changes import ChangeKind, ChangeV1
from schemas.contract import Contract
from schemas.lifecycle import (
    AttachedAlert,
    CallV1,
    ChecklistItem,
    IncidentV1,
    Status,
    StepKind,
    StepV1,
)
from schemas.notices import NoticeV1, Outcome, Purpose, ReceiptV1, ShiftV1
from schemas.telemetry import HealthStatus, HealthV1, Signal
from streams.notifications.shifts import shift_notices
from tests.counting import made_up_signals

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
#: From begin to the end of what happens.
DAYS = 70
END = BEGIN + timedelta(days=DAYS)
SERVICES = ("api", "web", "database", "search")
PEOPLE = ("ada", "grace", "linus")
CHANNELS = {"ops": "slack", "phone": "pagerduty", "mail": "email"}
TASKS = ("acknowledge", "channel", "impact", "mitigation")
#: The part of notices that another message told instead.
MERGED = 0.05


@dataclass
class Truth:
    """Everything that happened, by what it is."""

    lives: list[list[StepV1]] = field(default_factory=list)
    alerts: list[AlertV1] = field(default_factory=list)
    notices: list[NoticeV1] = field(default_factory=list)
    receipts: list[ReceiptV1] = field(default_factory=list)
    changes: list[ChangeV1] = field(default_factory=list)
    #: Each is at the offset of its place.
    checks: list[HealthV1] = field(default_factory=list)
    #: Other telemetry, by topic, in the order of its offsets.
    signals: dict[str, list[Signal]] = field(default_factory=dict)

    def messages(self) -> list[Contract]:
        """All messages but health checks, which are known by their offset."""
        steps = [step for life in self.lives for step in life]
        return [*steps, *self.alerts, *self.notices, *self.receipts, *self.changes]


class Life:
    """One incident while it is made up."""

    def __init__(self, incident: IncidentV1) -> None:
        self.steps: list[StepV1] = []
        self.now = incident
        self._append(StepKind.OPENED, None, None)

    def happens(self, kind: StepKind, at: datetime, **changed: Any) -> None:
        """Take a step."""
        before = self.now
        self.now = before.model_copy(
            update={"occurred_at": at, "sequence": before.sequence + 1, **changed}
        )
        self._append(kind, before.status, before.severity)

    def _append(self, kind: StepKind, before: Status | None, severity: int | None) -> None:
        now = self.now
        self.steps.append(
            StepV1(
                occurred_at=now.occurred_at,
                step_id=f"{now.tenant}/{now.incident_id}.{now.sequence}",
                incident_id=now.incident_id,
                tenant=now.tenant,
                sequence=now.sequence,
                kind=kind,
                author="tocsin",
                source="alert",
                reason="made up",
                trigger_id="t",
                before=before,
                severity_before=severity,
                incident=now,
            )
        )


def made_up(count: int, seed: int) -> Truth:
    """Return a history of *count* incidents; the same seed gives the same."""
    chance = random.Random(seed)
    truth = Truth()
    for number in range(count):
        life = _life(number, chance)
        truth.lives.append(life.steps)
        _tell(life, truth, chance)
    _hand_over(truth, random.Random(seed))
    _merge(truth, chance)
    for number in range(count // 5):
        truth.changes.append(_change(number, chance))
    truth.checks.extend(_check(chance) for _ in range(4 * count))
    truth.signals = made_up_signals(4 * count, seed)
    return truth


def _later(chance: random.Random, moment: datetime, minutes: float) -> datetime:
    return moment + timedelta(microseconds=chance.randint(1, int(minutes * 60e6)))


def _life(number: int, chance: random.Random) -> Life:
    started = _later(chance, BEGIN, 60 * 24 * (DAYS - 2))
    detected = _later(chance, started, 20)
    severity = chance.choice([1, 2, 3, 4])
    service = chance.choice(SERVICES)
    rule = f"{service}-{chance.choice(['health', 'errors', 'slow'])}"
    fingerprint = f"{zlib.crc32(rule.encode()):016x}" if number % 7 else f"{number:016x}"
    life = Life(
        IncidentV1(
            occurred_at=detected,
            incident_id=f"INC-{detected:%Y-%m-%d}-{number:04}",
            tenant=chance.choice(["default", "default", "acme"]),
            sequence=1,
            status=Status.INVESTIGATING,
            severity=severity,
            severity_first=severity,
            severity_peak=severity,
            summary=f"{service} is down",
            service=service,
            services=tuple(sorted({service, chance.choice(SERVICES)})) if number % 9 else (),
            group_key=service,
            alerts=(
                AttachedAlert(
                    fingerprint=fingerprint,
                    sequence=1,
                    state=AlertState.FIRING,
                    rule=rule,
                    severity=severity,
                    service=service,
                    summary="x",
                    since=started,
                    changed_at=detected,
                ),
            ),
            alert_count=chance.randint(1, 4),
            firing_count=1,
            started_at=started,
            detected_at=detected,
            owner=chance.choice([None, "payments", "platform"]),
            drill=chance.random() < 0.05,
            checklist=_listed(number, detected),
            **_promised(number, detected),
        )
    )
    _work(life, detected, chance)
    _tick(life, number)
    return life


def _promised(number: int, detected: datetime) -> dict[str, datetime]:
    """Return the deadlines that an incident says it has; every other one is of a release that said nothing of them."""
    if number % 2:
        return {}
    own = random.Random(number)
    return {
        "respond_by": _later(own, detected, 200),
        "resolve_by": _later(own, detected, 1_000),
    }


def _listed(number: int, detected: datetime) -> tuple[ChecklistItem, ...]:
    """Return what is to be done about an incident; every fifth one is of a release that had no checklists."""
    own = random.Random(-number - 1)
    if number % 5 == 0:
        return ()
    items = []
    for place, name in enumerate(TASKS):
        due_at = None if own.random() < 0.1 else _later(own, detected, 60 * (place + 1))
        items.append(ChecklistItem(name=name, text=f"Do {name}", due_at=due_at))
    return tuple(items)


def _tick(life: Life, number: int) -> None:
    """
    Let people tick items, some of them twice, once everything else has happened: it is written down when they come to it.

    Whatever was done last counts, with the time that was said.
    """
    own = random.Random(-number - 1)
    at = life.now.occurred_at
    for item in life.now.checklist:
        for _ in range(own.choice([0, 1, 1, 1, 2, 3])):
            before = next(each for each in life.now.checklist if each.name == item.name)
            done = {
                "done_at": _later(own, life.now.detected_at, 150),
                "done_by": own.choice(PEOPLE),
                "source": "cli",
            }
            now = before.model_copy(
                update=done if before.done_at is None else dict.fromkeys(done, None)
            )
            at += timedelta(seconds=1)
            life.happens(
                StepKind.CHECKED_OFF,
                at,
                checklist=tuple(
                    now if each.name == item.name else each for each in life.now.checklist
                ),
            )


def _work(life: Life, at: datetime, chance: random.Random) -> None:
    if chance.random() < 0.3:
        at = _later(chance, at, 5)
        severity = chance.choice([1, 2, 3, 4])
        peak = min(life.now.severity_peak, severity)
        life.happens(StepKind.SEVERITY_CHANGED, at, severity=severity, severity_peak=peak)
    if chance.random() < 0.75:
        at = _later(chance, at, 90)
        person = chance.choice(PEOPLE)
        life.happens(StepKind.ACKNOWLEDGED, at, acknowledged_at=at, acknowledged_by=person)
    if chance.random() < 0.5:
        at = _later(chance, at, 120)
        life.happens(StepKind.MITIGATED, at, mitigated_at=at)
    if chance.random() < 0.3:
        at = _later(chance, at, 10)
        life.happens(StepKind.STATUS_CHANGED, at, status=Status.IDENTIFIED)
    while chance.random() < 0.9:
        at = _later(chance, at, 400)
        life.happens(
            StepKind.RESOLVED,
            at,
            status=Status.RESOLVED,
            resolved_at=at,
            mitigated_at=life.now.mitigated_at or at,
            root_cause=chance.choice(["", "bad deploy", "disk full", "expired certificate"]),
        )
        if chance.random() < 0.75:
            break
        since = at
        at = _later(chance, at, 600)
        life.happens(
            StepKind.REOPENED,
            at,
            status=Status.INVESTIGATING,
            resolved_at=None,
            mitigated_at=None,
            reopen_count=life.now.reopen_count + 1,
            time_resolved=life.now.time_resolved + (at - since),
            resolve_by=life.now.resolve_by and life.now.resolve_by + (at - since),
            checklist=tuple(
                item.model_copy(update={"due_at": item.due_at + (at - since)})
                if item.due_at and item.due_at > since
                else item
                for item in life.now.checklist
            ),
        )
    if chance.random() < 0.1:
        # A signal that came late says that it began earlier.
        at = _later(chance, at, 5)
        earlier = life.now.started_at - timedelta(minutes=chance.randint(1, 30))
        life.happens(StepKind.NOTED, at, started_at=earlier)
    if life.now.status is Status.RESOLVED and chance.random() < 0.5:
        at = _later(chance, at, 60)
        life.happens(StepKind.CLOSED, at, status=Status.CLOSED, closed_at=at)


def _merge(truth: Truth, chance: random.Random) -> None:
    """Let some incidents be taken over by others: the target begins with the earlier of the two."""
    for place, steps in enumerate(truth.lives):
        last = steps[-1].incident
        if last.status is not Status.INVESTIGATING or chance.random() < 0.5:
            continue
        others = [it for it in truth.lives if it[-1].tenant == steps[-1].tenant and it is not steps]
        target = chance.choice(others)
        if target[-1].incident.status is Status.MERGED:
            continue
        at = _later(chance, steps[-1].occurred_at, 5)
        truth.lives[place] = _longer(
            steps,
            StepKind.NOTED,
            at,
            status=Status.MERGED,
            merged_into=target[-1].incident_id,
        )
        start = min(target[-1].incident.started_at, last.started_at)
        truth.lives[truth.lives.index(target)] = _longer(
            target, StepKind.NOTED, target[-1].occurred_at, started_at=start
        )


def _longer(steps: list[StepV1], kind: StepKind, at: datetime, **changed: Any) -> list[StepV1]:
    life = Life.__new__(Life)
    life.steps, life.now = list(steps), steps[-1].incident
    life.happens(kind, at, **changed)
    return life.steps


def _tell(life: Life, truth: Truth, chance: random.Random) -> None:
    opened = life.steps[0].incident
    alert = opened.alerts[0]
    for number, state in enumerate((AlertState.FIRING, AlertState.CHANGED, AlertState.RESOLVED)):
        if state is AlertState.CHANGED and chance.random() < 0.7:
            continue
        truth.alerts.append(
            AlertV1(
                occurred_at=opened.detected_at + timedelta(minutes=10 * number),
                tenant=opened.tenant,
                fingerprint=alert.fingerprint,
                sequence=len(truth.alerts) + 1,
                state=state,
                rule=alert.rule,
                severity=opened.severity_first,
                service=opened.service,
                group_key=opened.group_key,
                summary=f"x{len(truth.alerts)}",
                reason="made up",
                owner=opened.owner,
                started_at=opened.started_at,
            )
        )
    for step in life.steps:
        purposes = {
            StepKind.OPENED: Purpose.INITIAL,
            StepKind.ACKNOWLEDGED: Purpose.UPDATE,
            StepKind.RESOLVED: Purpose.RESOLUTION,
        }
        if step.kind not in purposes:
            continue
        for channel in chance.sample(list(CHANNELS), chance.randint(1, 3)):
            notice = NoticeV1(
                occurred_at=step.occurred_at,
                notice_id=f"{step.step_id}/{channel}",
                tenant=step.tenant,
                incident_id=step.incident_id,
                step=step.kind,
                purpose=purposes[step.kind],
                channel=channel,
                reason="route 1",
                incident=step.incident,
            )
            truth.notices.append(notice)
            truth.receipts.extend(_receipts(notice, chance))


def _hand_over(truth: Truth, chance: random.Random) -> None:
    """Some shifts end: notices that are of no incident."""
    for opened, *_ in truth.lives[::10]:
        calls = [CallV1(channel=name, reason="primary: ada goes off call") for name in CHANNELS]
        shift = ShiftV1(schedule="primary", before="ada")
        for notice in shift_notices(shift, calls, [], opened.occurred_at):
            truth.notices.append(notice)
            truth.receipts.extend(_receipts(notice, chance))


def _receipts(notice: NoticeV1, chance: random.Random) -> list[ReceiptV1]:
    outcomes = [Outcome.RETRYING] * chance.choice([0, 0, 0, 1, 2])
    outcomes += chance.choice([[Outcome.DELIVERED]] * 8 + [[Outcome.GIVEN_UP], []])
    if chance.random() < MERGED:
        outcomes = [Outcome.MERGED]
    at, receipts = notice.occurred_at, []
    for attempt, outcome in enumerate(outcomes, 1):
        at += timedelta(microseconds=chance.randint(1, 20_000_000))
        receipts.append(
            ReceiptV1(
                occurred_at=at,
                notice_id=notice.notice_id,
                tenant=notice.tenant,
                incident_id=notice.incident_id,
                purpose=notice.purpose,
                channel=notice.channel,
                channel_kind=CHANNELS[notice.channel],
                attempt=attempt,
                outcome=outcome,
                reason="200" if outcome is Outcome.DELIVERED else chance.choice(["503", "timeout"]),
                requested_at=notice.occurred_at,
                took=timedelta(seconds=1),
            )
        )
    return receipts


def _change(number: int, chance: random.Random) -> ChangeV1:
    return ChangeV1(
        occurred_at=_later(chance, BEGIN, 60 * 24 * DAYS),
        change_id=f"c{number}",
        tenant=chance.choice(["default", "acme"]),
        service=chance.choice(SERVICES),
        kind=chance.choice(list(ChangeKind)),
        summary="release",
    )


def _check(chance: random.Random) -> HealthV1:
    at = _later(chance, BEGIN, 60 * 24 * DAYS)
    return HealthV1(
        occurred_at=at.replace(microsecond=at.microsecond // 1_000 * 1_000),
        tenant=chance.choice(["default", "acme"]),
        service=chance.choice(SERVICES),
        check="http",
        status=chance.choice([*[HealthStatus.HEALTHY] * 8, *HealthStatus]),
        latency=chance.choice([None, timedelta(milliseconds=20)]),
    )
