"""The intake: which alerts a tick brings, whatever was read ahead of it."""

from datetime import timedelta

import orjson
import pytest

from schemas.origin import Origin
from streams.correlation.intake import Arrival, Intake
from streams.correlation.settings import Flapping
from streams.entries import unnamed
from tests.life import NOON, alert

NOON_STAMP = int(NOON.timestamp() * 1_000)


def arrival(offset: int, stamped: int = -1) -> Arrival:
    said = alert(f"{offset:x}", sequence=offset + 1)
    return Arrival.of(said, Origin(topic="alerts", partition=0, offset=offset), stamped)


def offsets(intake: Intake, before: int | None) -> list[int]:
    due = intake.due(NOON, before)
    return [each.origin.offset for round_ in due.rounds for each in round_]


def test_a_backlog_is_placed_second_by_second() -> None:
    """After an outage of ours an hour of alerts would be one moment."""
    intake = Intake(Flapping())
    for offset in range(5):
        intake.hear(arrival(offset))
    assert offsets(intake, 2) == [0, 1]
    assert offsets(intake, 2) == []
    assert offsets(intake, 5) == [2, 3, 4]


@pytest.mark.parametrize(
    ("stamped", "expected"), [(NOON_STAMP, [7]), (NOON_STAMP + 1, []), (-1, [])]
)
def test_a_broker_that_tells_the_last_batch_as_the_end_holds_nothing_back(
    stamped: int, expected: list[int]
) -> None:
    """The last alerts of an outage would wait for the first of the next."""
    intake = Intake(Flapping())
    intake.hear(arrival(7, stamped))
    assert offsets(intake, 7) == expected


def test_what_waits_for_its_tick_survives_a_restart() -> None:
    intake = Intake(Flapping())
    intake.hear(arrival(7, NOON_STAMP + 1))
    ((name, raw),) = intake.entries.changes().items()
    other = Intake(Flapping())
    assert raw is not None
    other.restore(*unnamed(name), orjson.loads(raw))
    assert other.due(NOON, 7).rounds == []
    assert [each.stamped for each in other.due(NOON + timedelta(seconds=1), 7).rounds[0]] == [
        NOON_STAMP + 1
    ]
