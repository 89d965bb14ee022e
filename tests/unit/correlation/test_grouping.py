"""Which incident an alert belongs to, on both sides of every boundary."""

from datetime import UTC, datetime, timedelta

import pytest

from schemas.alerts import AlertState, AlertV1
from schemas.lifecycle import AttachedAlert, IncidentV1, Status
from streams.correlation.grouping import Placement, place

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
WITHIN = timedelta(minutes=30)


def alert(state: AlertState, fingerprint: str = "00000000000000aa") -> AlertV1:
    return AlertV1(
        occurred_at=NOON,
        fingerprint=fingerprint,
        sequence=2,
        state=state,
        rule="database-down",
        severity=2,
        service="database",
        group_key="database",
        summary="Database does not answer",
        reason="unhealthy 2 of 2 times",
        started_at=NOON,
    )


def incident(status: Status, **facts: object) -> IncidentV1:
    attached = AttachedAlert(
        fingerprint="00000000000000aa",
        sequence=1,
        state=AlertState.FIRING,
        rule="database-down",
        severity=2,
        service="database",
        summary="Database does not answer",
        since=NOON,
        changed_at=NOON,
    )
    return IncidentV1(
        occurred_at=NOON,
        incident_id="INC-2026-03-02-001",
        sequence=1,
        status=status,
        severity=2,
        severity_first=2,
        severity_peak=2,
        summary="Database does not answer",
        service="database",
        group_key="database",
        alerts=(attached,),
        started_at=NOON,
        detected_at=NOON,
    ).model_copy(update=facts)


@pytest.mark.parametrize(
    ("state", "candidate", "expected"),
    [
        (AlertState.FIRING, None, Placement.OPENS),
        (AlertState.CHANGED, None, Placement.OPENS),
        (AlertState.RESOLVED, None, Placement.IGNORED),
        (AlertState.FIRING, Status.INVESTIGATING, Placement.JOINS),
        (AlertState.RESOLVED, Status.MONITORING, Placement.JOINS),
        (AlertState.FIRING, Status.CLOSED, Placement.OPENS),
        (AlertState.FIRING, Status.MERGED, Placement.OPENS),
        (AlertState.RESOLVED, Status.CLOSED, Placement.IGNORED),
    ],
)
def test_placement(state: AlertState, candidate: Status | None, expected: Placement) -> None:
    found = incident(candidate) if candidate else None
    assert place(alert(state), found, NOON, reopen_within=WITHIN).placement is expected


@pytest.mark.parametrize(
    ("ago", "expected"),
    [(WITHIN, Placement.REOPENS), (WITHIN + timedelta(seconds=1), Placement.OPENS)],
)
def test_a_refire_reopens_within_the_time_and_opens_anew_after_it(
    ago: timedelta, expected: Placement
) -> None:
    resolved = incident(Status.RESOLVED, resolved_at=NOON - ago)
    placed = place(alert(AlertState.FIRING), resolved, NOON, reopen_within=WITHIN)
    assert placed.placement is expected
    assert f"was resolved {ago.total_seconds():.0f} s ago" in placed.reason


def test_the_end_of_an_alert_that_outlived_the_resolution_is_no_new_trouble() -> None:
    resolved = incident(Status.RESOLVED, resolved_at=NOON)
    for state in (AlertState.RESOLVED, AlertState.CHANGED):
        placed = place(alert(state), resolved, NOON, reopen_within=WITHIN)
        assert placed.placement is Placement.JOINS


def test_a_change_of_an_alert_it_never_had_is_new_trouble() -> None:
    resolved = incident(Status.RESOLVED, resolved_at=NOON)
    unknown = alert(AlertState.CHANGED, "00000000000000bb")
    assert place(unknown, resolved, NOON, reopen_within=WITHIN).placement is Placement.REOPENS
