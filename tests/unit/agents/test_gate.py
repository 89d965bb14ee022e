"""Ticks wait for the records before them."""

from datetime import UTC, datetime

from schemas.ticks import TickV1
from streams.agents.gate import Gate

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def tick(**reached: int) -> TickV1:
    return TickV1(occurred_at=NOON, partition=0, reached=reached)


def test_a_tick_passes_when_every_input_has_been_read_that_far() -> None:
    gate = Gate(["logs", "metrics"])
    gate.hold(tick(logs=5, metrics=3), "record")
    assert gate.passing({"logs": 5, "metrics": 2}) is None
    assert gate.lagging({"logs": 5, "metrics": 2}) == {"metrics"}
    passed = gate.passing({"logs": 5, "metrics": 3})
    assert passed is not None
    assert passed.record == "record"
    assert len(gate) == 0


def test_inputs_of_other_hops_hold_nothing_back() -> None:
    gate = Gate(["logs"])
    gate.hold(tick(alerts=1_000), "record")
    assert gate.passing({}) is not None


def test_ticks_pass_in_the_order_they_came() -> None:
    gate = Gate(["logs"])
    gate.hold(tick(logs=9), "first")
    gate.hold(tick(logs=1), "second")
    assert gate.passing({"logs": 1}) is None
    assert [gate.passing({"logs": 9}).record for _ in range(2)] == ["first", "second"]  # type: ignore[union-attr]


def test_a_tick_can_be_let_through_when_its_records_are_gone() -> None:
    gate = Gate(["logs"])
    gate.hold(tick(logs=9), "record")
    assert gate.passing({}, forced=True) is not None


def test_an_unreadable_tick_keeps_its_place_in_line() -> None:
    gate = Gate(["logs"])
    gate.hold(tick(logs=9), "first")
    gate.hold(None, "garbage")
    assert gate.passing({}) is None
    assert [gate.passing({"logs": 9}).record for _ in range(2)] == ["first", "garbage"]  # type: ignore[union-attr]
