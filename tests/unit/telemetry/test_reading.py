"""From records to signals, or to a reason that quotes nothing."""

from datetime import UTC, datetime, timedelta

import pytest

from schemas.contract import Unreadable
from schemas.telemetry import LogV1, MetricV1
from schemas.topics import LOGS, METRICS, TELEMETRY
from streams.errors import Rejected
from streams.telemetry.reading import AHEAD, read_signals

T0 = datetime(2024, 3, 1, tzinfo=UTC)
STAMPED = int(T0.timestamp() * 1000)


def metric(at: datetime) -> bytes:
    return MetricV1(occurred_at=at, service="shop", name="load", value=1).to_wire()


def test_a_native_payload_is_the_signal_of_its_topic():
    log = LogV1(occurred_at=T0, service="shop", body="refused")
    assert list(read_signals(LOGS, log.to_wire(), [("ce_type", b"x")])) == [log]


@pytest.mark.parametrize(
    "payload", [None, b"", b"{", b"[]", b'{"password":"hunter2"}', b"\xff\x00"]
)
def test_what_is_no_signal_is_refused_without_quoting_it(payload):
    """Otherwise secrets and hostile text would end in headers and logs."""
    for topic in TELEMETRY:
        with pytest.raises(Unreadable) as refusal:
            read_signals(topic, payload)
        assert "hunter2" not in str(refusal.value)
        assert "password" not in str(refusal.value)


def test_a_time_from_the_future_is_refused_from_just_beyond_the_limit():
    """Otherwise one wrong clock would make all later signals of the series look old."""
    assert read_signals(METRICS, metric(T0 + AHEAD), stamped=STAMPED)
    with pytest.raises(Rejected) as refusal:
        read_signals(METRICS, metric(T0 + AHEAD + timedelta(microseconds=1)), stamped=STAMPED)
    assert str(refusal.value) == (
        "occurred_at: is more than 5 minutes ahead of the record's own time; is the producer's clock right?"
    )
    assert read_signals(METRICS, metric(T0 + timedelta(days=9)), stamped=-1)
    assert read_signals(METRICS, metric(T0 - timedelta(days=900)), stamped=STAMPED)


@pytest.mark.parametrize(
    "written",
    [
        "0001-01-01T00:00:00+14:00",
        "1969-12-31T23:59:59Z",
        "2200-01-01T00:00:00Z",
        "9999-12-31T23:59:59-14:00",
    ],
)
def test_a_time_that_cannot_be_reckoned_with_is_refused(written):
    """Otherwise adding a rule's patience to it would stop the worker."""
    payload = metric(T0).replace(b"2024-03-01T00:00:00Z", written.encode())
    with pytest.raises(Unreadable, match=r"^occurred_at: must be between 1970 and 2200$"):
        read_signals(METRICS, payload)
