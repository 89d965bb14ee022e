from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from schemas import limits
from schemas.alerts import AlertState, AlertV1
from schemas.lifecycle import Bond, IncidentV1, Status, StepKind, StepV1
from schemas.notices import NoticeV1, Purpose
from schemas.origin import Origin
from streams.incidents.alerts import Change, Heard, joined, member, taken

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def alert(number: int, *, state: AlertState = AlertState.FIRING, summary: str = "slow") -> AlertV1:
    return AlertV1(
        occurred_at=NOON + timedelta(seconds=number),
        fingerprint=f"{number:016x}",
        sequence=1 if state is AlertState.FIRING else 2,
        state=state,
        rule="slow",
        severity=2,
        service=f"service-{number:03}".ljust(limits.NAME_LENGTH, "€"),
        summary=summary,
        reason="too slow",
        group_key="all",
        started_at=NOON,
    )


@dataclass
class Growing:
    """An incident, and what it remembers of its alerts."""

    incident: IncidentV1

    def hear(self, said: AlertV1) -> None:
        remembered = {each.fingerprint: each for each in self.incident.alerts}
        change = Change(remembered.get(said.fingerprint), member(said), said)
        changed = taken(self.incident, [change], said.occurred_at)
        self.incident = self.incident.model_copy(update=changed)


def growing(**given: object) -> Growing:
    return Growing(
        IncidentV1.model_validate(
            {
                "occurred_at": NOON,
                "incident_id": "INC-2026-11-23-001",
                "sequence": 1,
                "status": Status.INVESTIGATING,
                "severity": 2,
                "severity_first": 2,
                "severity_peak": 2,
                "summary": "slow",
                "service": "service",
                "group_key": "all",
                "started_at": NOON,
                "detected_at": NOON,
                **given,
            }
        )
    )


def test_a_storm_at_every_limit_still_fits_into_one_message() -> None:
    """Nobody downstream could read the largest incidents, which are those that matter."""
    worst = "\x01" * limits.TEXT_LENGTH  # Six bytes a character in JSON.
    done = {"due_at": NOON, "done_at": NOON, "done_by": "€" * limits.NAME_LENGTH}
    task = {
        "name": "n" * limits.CHECKLIST_NAME_LENGTH,
        "text": worst[: limits.CHECKLIST_TEXT_LENGTH],
    }
    storm = growing(
        root_cause=worst,
        resolution=worst,
        impact=worst[: limits.LINE_LENGTH],
        checklist=[task | done] * limits.CHECKLIST_ITEMS,
    )
    for number in range(3 * limits.ALERTS_LISTED):
        storm.hear(alert(number, summary=worst[: limits.LINE_LENGTH]))

    step = StepV1(
        occurred_at=NOON,
        step_id="default/INC-2026-11-23-001.1",
        incident_id="INC-2026-11-23-001",
        sequence=1,
        kind=StepKind.ALERT_ATTACHED,
        author="tocsin",
        source="alert",
        reason=worst[: limits.LINE_LENGTH],
        detail=worst,
        trigger_id="alert-1",
        joined=[
            joined(
                Heard(
                    alert(number),
                    Origin(topic="alerts", partition=0, offset=2**53 - 1),
                    Bond.TOPOLOGY,
                    0.9,
                    worst,
                )
            )
            for number in range(limits.ALERTS_LISTED)
        ],
        incident=storm.incident,
    )
    notice = NoticeV1(
        occurred_at=NOON,
        notice_id="default/INC-2026-11-23-001.1/slack",
        incident_id="INC-2026-11-23-001",
        step=StepKind.ALERT_ATTACHED,
        purpose=Purpose.UPDATE,
        channel="slack",
        reason=worst[: limits.LINE_LENGTH],
        update=worst,
        incident=storm.incident,
    )
    assert NoticeV1.from_wire(notice.to_wire()) == notice
    read = StepV1.from_wire(step.to_wire())
    assert read.incident.alert_count == 3 * limits.ALERTS_LISTED
    assert len(read.incident.alerts) == limits.ALERTS_LISTED
    assert len(read.incident.services) == limits.SERVICES_LISTED


def test_what_fires_takes_the_place_of_what_is_resolved() -> None:
    """A page about the hundred and first alert would show a hundred that are over."""
    storm = growing()
    for number in range(limits.ALERTS_LISTED):
        storm.hear(alert(number))
        storm.hear(alert(number, state=AlertState.RESOLVED))
    assert storm.incident.clear_since is not None

    storm.hear(alert(500))

    assert storm.incident.alerts[0].fingerprint == f"{500:016x}"
    assert storm.incident.firing_count == 1
    assert storm.incident.clear_since is None
