"""
Every message of which something is kept has its rows in ``tests/golden/rows/``.

Delete a golden file to have it written again; a changed one is a reviewed change.
"""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.alerts import AlertState, AlertV1
from schemas.contract import Contract
from schemas.lifecycle import AttachedAlert, IncidentV1, Status, StepKind, StepV1
from schemas.notices import NoticeV1, Outcome, Purpose, ReceiptV1
from schemas.origin import Origin
from schemas.ticks import TickV1
from schemas.topics import ALERTS, CHANGES, LIFECYCLE, NOTICES, RECEIPTS
from streams.errors import Rejected
from streams.warehouse.migration import migrations
from streams.warehouse.rows import rows_of

EXAMPLES = Path("schemas/examples")
GOLDEN = Path(__file__).parents[2] / "golden" / "rows"
AT = datetime(2024, 3, 1, 12, 30, 15, 250_001, tzinfo=UTC)
ORIGINS = (Origin(topic="telemetry.health", partition=3, offset=41),)

INCIDENT = IncidentV1(
    occurred_at=AT,
    incident_id="INC-2024-03-01-007",
    tenant="acme",
    sequence=4,
    status=Status.RESOLVED,
    severity=2,
    severity_first=3,
    severity_peak=1,
    summary="Database does not answer",
    impact="No orders",
    service="database",
    services=("database", "orders"),
    labels={"region": "eu"},
    group_key="acme/database",
    alerts=(
        AttachedAlert(
            fingerprint="00112233aabbccdd",
            sequence=9,
            state=AlertState.RESOLVED,
            rule="database-health",
            severity=1,
            service="database",
            summary="Database is unhealthy",
            since=AT - timedelta(minutes=30),
            changed_at=AT - timedelta(minutes=2),
        ),
    ),
    alert_count=1,
    started_at=AT - timedelta(minutes=30),
    detected_at=AT - timedelta(minutes=29),
    acknowledged_at=AT - timedelta(minutes=25),
    acknowledged_by="responder",
    mitigated_at=AT - timedelta(minutes=5),
    resolved_at=AT,
    reopen_count=1,
    time_resolved=timedelta(minutes=3, milliseconds=500),
    resolution="Failed over",
    owner="storage",
)
MESSAGES: dict[str, Contract] = {
    "step": StepV1(
        occurred_at=AT,
        step_id="INC-2024-03-01-007.4",
        incident_id=INCIDENT.incident_id,
        tenant="acme",
        sequence=4,
        kind=StepKind.RESOLVED,
        author="responder",
        source="cli",
        reason="resolved by hand",
        detail="Failed over to the replica",
        trigger_id="command-1",
        origins=ORIGINS,
        before=Status.MONITORING,
        incident=INCIDENT,
    ),
    "alert": AlertV1(
        occurred_at=AT,
        tenant="acme",
        fingerprint="00112233aabbccdd",
        sequence=9,
        state=AlertState.FIRING,
        rule="database-health",
        severity=1,
        service="database",
        labels={"check": "Database"},
        group_key="acme/database",
        summary="Database is unhealthy",
        reason="3 of 3 checks unhealthy",
        value=3.0,
        started_at=AT - timedelta(minutes=1),
        origins=ORIGINS,
    ),
    "notice": NoticeV1(
        occurred_at=AT,
        notice_id="INC-2024-03-01-007.4/ops",
        tenant="acme",
        incident_id=INCIDENT.incident_id,
        step=StepKind.RESOLVED,
        purpose=Purpose.RESOLUTION,
        channel="ops",
        reason="route 1: severity 1 or 2",
        incident=INCIDENT,
    ),
    "receipt": ReceiptV1(
        occurred_at=AT + timedelta(seconds=2),
        notice_id="INC-2024-03-01-007.4/ops",
        tenant="acme",
        incident_id=INCIDENT.incident_id,
        purpose=Purpose.RESOLUTION,
        channel="ops",
        channel_kind="slack",
        attempt=1,
        outcome=Outcome.RETRYING,
        reason="503",
        requested_at=AT,
        took=timedelta(milliseconds=120),
        retry_at=AT + timedelta(seconds=12),
    ),
    **{
        f"{topic.contract.event_type}/{file.stem}": topic.contract.from_wire(file.read_bytes())
        for topic in (LIFECYCLE, ALERTS, NOTICES, RECEIPTS, CHANGES)
        for file in sorted((EXAMPLES / topic.contract.event_type).glob("*.json"))
    },
}


def _as_json(rows: list[tuple[str, dict[str, Any]]]) -> str:
    return json.dumps([{table: row} for table, row in rows], indent=2, default=str) + "\n"


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_becomes_its_golden_rows(name: str) -> None:
    """Another meaning of a column, unseen, makes two halves of a table."""
    written = _as_json(rows_of(MESSAGES[name]))
    golden = GOLDEN / f"{name}.json"
    if not golden.exists():
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(written)
        pytest.fail(f"{golden} was written: look at it and commit it")

    assert written == golden.read_text()


@pytest.mark.parametrize("name", MESSAGES)
def test_rows_survive_the_wire(name: str) -> None:
    """A redelivery would write other rows than the first delivery."""
    message = MESSAGES[name]

    assert rows_of(type(message).from_wire(message.to_wire())) == rows_of(message)


@pytest.mark.parametrize("name", MESSAGES)
def test_rows_have_the_columns_of_their_table(name: str) -> None:
    """A column that nobody writes is empty for ever."""
    ours = [
        (statement.split(), statement)
        for migration in migrations()
        for statement in migration.statements
    ]
    statements = {words[5]: text for words, text in ours if words[:2] == ["CREATE", "TABLE"]}
    for table, row in rows_of(MESSAGES[name]):
        lines = statements[table].splitlines()
        body = lines[lines.index("(") + 1 : lines.index(")")]
        columns = [
            it.split()[0] for it in body if it.startswith("    ") and not it.startswith("     ")
        ]
        added = [
            words[8]
            for words, _ in ours
            if words[:5] == ["ALTER", "TABLE", table, "ADD", "COLUMN"]
            # ClickHouse makes these itself.
            and "MATERIALIZED" not in words
        ]
        assert list(row) == columns + added


@pytest.mark.parametrize(
    "day", ["2024-02-30", "2024-13-01", "0000-00-00", "1969-12-31", "2150-01-01"]
)
def test_an_id_without_a_day_is_rejected(day: str) -> None:
    """It would stop the worker, or land in another month's partition."""
    step = MESSAGES["step"]
    odd = INCIDENT.model_copy(update={"incident_id": f"INC-{day}-001"})

    with pytest.raises(Rejected, match="the incident's id names a day"):
        rows_of(step.model_copy(update={"incident": odd}))


@pytest.mark.parametrize(
    ("at", "kept"),
    [
        (datetime(1900, 12, 31, 23, 59, 59, tzinfo=UTC), False),
        (datetime(1901, 1, 1, tzinfo=UTC), True),
        (datetime(2298, 12, 31, 23, 59, 59, tzinfo=UTC), True),
        (datetime(2299, 1, 1, tzinfo=UTC), False),
    ],
)
def test_a_time_beyond_the_warehouse_is_rejected(*, at: datetime, kept: bool) -> None:
    """It would be stored as another time."""
    alert = MESSAGES["alert"].model_copy(update={"started_at": at})
    if kept:
        assert rows_of(alert)[0][1]["started_at"] == at
    else:
        with pytest.raises(Rejected) as refused:
            rows_of(alert)
        assert str(refused.value) == "alerts.started_at is outside the years 1901 to 2298"


def test_the_day_comes_from_the_id() -> None:
    """A corrected time would move the incident to another partition, where it counts twice."""
    later = INCIDENT.model_copy(update={"detected_at": AT + timedelta(days=40)})
    step = MESSAGES["step"].model_copy(update={"incident": later})

    assert rows_of(step)[1][1]["opened_on"] == date(2024, 3, 1)


def test_nothing_is_kept_of_ticks() -> None:
    """A topic that is recorded by mistake must say so at once."""
    with pytest.raises(TypeError, match="the warehouse keeps nothing of TickV1"):
        rows_of(TickV1(occurred_at=AT, partition=0))
