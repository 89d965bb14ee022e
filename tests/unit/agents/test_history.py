"""What a record of the log becomes in the warehouse."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.contract import Unreadable
from schemas.telemetry import HealthV1
from schemas.topics import HEALTH, LIFECYCLE, NOTICES, RECEIPTS, TopicDeclaration, by_name
from streams.agents.history import RECORDED, rows_in
from streams.gateways.rebuilding import TABLES
from streams.warehouse.migration import migrations

AT = datetime(2024, 3, 1, 12, tzinfo=UTC)


@dataclass
class Record:
    value: bytes | None
    headers: tuple[Any, ...] = ()
    partition: int = 3
    offset: int = 41
    timestamp: int = int(AT.timestamp() * 1000)


def test_a_health_check_is_known_by_its_place_in_the_log() -> None:
    """Two checks of one moment would be one row, or one check that is read twice two."""
    check = HealthV1(
        occurred_at=AT,
        service="shop",
        check="Database",
        status="degraded",
        latency=timedelta(milliseconds=20),
    )

    assert rows_in(HEALTH, Record(check.to_wire())) == [
        (
            "health_checks",
            {
                "tenant": "default",
                "service": "shop",
                "occurred_at": AT,
                "partition": 3,
                "offset": 41,
                "place": 0,
                "environment": "production",
                "check": "Database",
                "status": "degraded",
                "critical": False,
                "latency_seconds": 0.02,
            },
        )
    ]


@pytest.mark.parametrize("topic", RECORDED, ids=lambda topic: topic.name)
def test_what_is_no_message_becomes_no_row(topic: Any) -> None:
    """A worker would stop at what a stranger wrote."""
    with pytest.raises(Unreadable):
        rows_in(topic, Record(b"{"))


def test_a_rebuild_empties_every_table_that_topics_fill() -> None:
    """What stays behind would be counted beside what comes back."""
    made = {
        statement.split()[5]
        for migration in migrations()[1:]
        for statement in migration.statements
        if statement.startswith("CREATE TABLE")
    }
    # What the policy promised and what was mailed is in no topic.
    assert set(TABLES) == made - {"severity_levels", "digests"}
    assert all(by_name(topic.name) is topic for topic in RECORDED)


@pytest.mark.parametrize(
    ("topic", "example", "words"),
    [
        (LIFECYCLE, "tocsin.incident.step.v1/noted.json", {"kind": "muted"}),
        (NOTICES, "tocsin.notice.v1/update-slack.json", {"step": "muted", "purpose": "reminder"}),
        (RECEIPTS, "tocsin.receipt.v1/delivered.json", {"purpose": "reminder", "outcome": "read"}),
    ],
    ids=lambda it: getattr(it, "name", ""),
)
def test_words_of_a_newer_release_are_kept(
    topic: TopicDeclaration, example: str, words: dict[str, str]
) -> None:
    """While workers are brought up to date, what the new ones write would be put aside by the old one."""
    message = json.loads((Path("schemas/examples") / example).read_text(encoding="utf-8"))
    plain = rows_in(topic, Record(json.dumps(message).encode()))
    newer = rows_in(topic, Record(json.dumps(message | words).encode()))

    assert newer == [(plain[0][0], plain[0][1] | words), *plain[1:]]
