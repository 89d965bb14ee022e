"""How much is read of whom: on both sides of each limit."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi import HTTPException, Request

from streams.board import limits
from streams.board.application import application
from streams.board.limits import BODY_BYTES, BURST, Rate, bounded_body
from tests.unit.board.test_callbacks import CHANNELS, Broker, slack

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_a_burst_is_heard_and_then_so_many_a_second() -> None:
    """Otherwise a storm's webhooks would be refused, or an attacker's never."""
    rate = Rate(burst=3, each_second=2)
    assert [rate.wait("192.0.2.1", AT) for _ in range(4)] == [
        timedelta(0),
        timedelta(0),
        timedelta(0),
        SECOND / 2,
    ]
    assert rate.wait("192.0.2.1", AT + 0.499 * SECOND) > timedelta(0)
    assert rate.wait("192.0.2.1", AT + 0.5 * SECOND) == timedelta(0)
    # A long silence earns no more than a burst.
    heard = [rate.wait("192.0.2.1", AT + timedelta(days=1)) for _ in range(4)]
    assert [not each for each in heard] == [True, True, True, False]
    assert rate.wait("192.0.2.2", AT) == timedelta(0)


def test_a_network_is_one_address() -> None:
    """Otherwise whoever has IPv6 would have more addresses than we can count."""
    rate = Rate(burst=1, each_second=1)
    assert rate.wait("2001:db8::1", AT) == timedelta(0)
    assert rate.wait("2001:db8::2", AT) == SECOND
    assert rate.wait("2001:db8:0:1::1", AT) == timedelta(0)


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    """Otherwise a correction of the clock would open the door, or close it for long."""
    rate = Rate(burst=1, each_second=1)
    rate.wait("192.0.2.1", AT)
    assert rate.wait("192.0.2.1", AT - timedelta(hours=1)) == SECOND
    assert rate.wait("192.0.2.1", AT + SECOND) == timedelta(0)


def test_addresses_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise each address that ever asked would stay in memory."""
    monkeypatch.setattr(limits, "_ADDRESSES", 2)
    rate = Rate(burst=1, each_second=1)
    for number in range(10):
        rate.wait(f"192.0.2.{number}", AT)
    assert len(rate._accounts) == 2


async def test_too_many_callbacks_are_told_when_to_come_again() -> None:
    """Otherwise whoever guesses signatures could guess as fast as we can count."""
    broker = Broker()
    transport = httpx.ASGITransport(app=application(CHANNELS, broker, lambda: AT))
    async with httpx.AsyncClient(transport=transport, base_url="http://board") as client:
        headers, body = slack()
        answers = [
            await client.post("/callbacks/slack", headers=headers, content=body)
            for _ in range(BURST + 1)
        ]
        assert {each.status_code for each in answers[:-1]} == {200}
        assert (answers[-1].status_code, answers[-1].headers["retry-after"]) == (429, "1")
        assert len(broker.sent) == BURST
        # It is the callbacks that are too many.
        assert (await client.get("/openapi.json")).status_code == 200


def request(chunks: AsyncIterator[bytes], **headers: str) -> Request:
    async def receive() -> dict[str, object]:
        body = await anext(chunks, None)
        return {"type": "http.request", "body": body or b"", "more_body": body is not None}

    listed = [(name.replace("_", "-").encode(), each.encode()) for name, each in headers.items()]
    return Request({"type": "http", "headers": listed}, receive)


async def forever() -> AsyncIterator[bytes]:
    yield b"x"
    await asyncio.Event().wait()


async def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a few slow senders would keep everybody else out."""
    monkeypatch.setattr(limits, "BODY_WITHIN", timedelta(0))
    with pytest.raises(HTTPException) as refusal:
        await bounded_body(request(forever()))
    assert refusal.value.status_code == 408


async def test_half_a_body_of_whoever_left_is_no_body() -> None:
    """Half a batch would pass for a whole one, or each lost connection would be a fault in the log."""
    came = iter([{"type": "http.request", "body": b"x", "more_body": True}])

    async def receive() -> dict[str, object]:
        return next(came, {"type": "http.disconnect"})

    with pytest.raises(HTTPException) as refusal:
        await bounded_body(Request({"type": "http", "headers": []}, receive))
    assert (refusal.value.status_code, refusal.value.detail) == (400, "the body is not whole")


async def test_a_length_that_is_too_much_is_refused_before_it_is_read() -> None:
    """Otherwise all of it would have to be sent first."""
    with pytest.raises(HTTPException) as refusal:
        await bounded_body(request(forever(), content_length=str(BODY_BYTES + 1)))
    assert refusal.value.status_code == 413
