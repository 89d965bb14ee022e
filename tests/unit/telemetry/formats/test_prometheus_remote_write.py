"""Prometheus remote write: the two versions, and what could be wrong with them."""

import cramjam
import pytest

from schemas import limits
from schemas.contract import Unreadable
from schemas.topics import EXTERNAL, METRICS
from streams.telemetry.formats.prometheus_remote_write import PrometheusRemoteWrite
from streams.telemetry.payload import Payload
from streams.telemetry.reading import read_record
from tests.payloads import (
    REMOTE_WRITE_1,
    REMOTE_WRITE_2,
    STALE,
    part,
    read_whole,
    varint,
    version_1,
    version_2,
)

AT = 1_700_000_000_000


def packed(value):
    return bytes(cramjam.snappy.compress_raw(value))


def payload(value, headers=REMOTE_WRITE_1, topic=METRICS):
    return Payload(topic, value, {name.lower(): each for name, each in headers})


def read(value, headers=REMOTE_WRITE_1, **settings):
    return read_whole(PrometheusRemoteWrite(**settings), payload(packed(value), headers))


def series(labels, *samples):
    pairs = (part(1, part(1, name) + part(2, value)) for name, value in labels.items())
    return part(1, b"".join((*pairs, *(part(2, part(1, v) + part(2, at)) for v, at in samples))))


def test_labels_say_whose_it_is_in_the_order_that_the_policy_says():
    labels = {"__name__": "up", "job": "node", "cluster": "eu", "env": "lab", "empty": ""}
    (metric,) = read(series(labels, (1.0, AT)))
    assert (metric.service, metric.environment) == ("node", "lab")
    assert metric.labels == {"job": "node", "cluster": "eu"}
    (metric,) = read(series(labels, (1.0, AT)), service=["cluster"], tenant="acme")
    assert (metric.service, metric.tenant) == ("eu", "acme")


def test_what_is_no_number_is_passed_over():
    numbers = (float("nan"), float("inf"), 2.0)
    samples = [(value, AT + index) for index, value in enumerate(numbers)]
    assert [each.value for each in read(series({"__name__": "up"}, *samples))] == [2.0]


def test_metadata_alone_says_nothing():
    """Prometheus sends it in requests of its own."""
    value = packed(part(3, part(1, 1) + part(2, "up")))
    assert PrometheusRemoteWrite().read(payload(value)) == []


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (series({"job": "shop"}, (1.0, AT)), "timeseries[0].labels: have no __name__"),
        (
            series({"__name__": "up"}, (1.0, AT)) + series({"__name__": "up"}, (1.0, -1)),
            "timeseries[1].timestamp: must be between 1970 and 2200",
        ),
        (
            series({"__name__": "up"}, (1.0, 2**62)),
            "timeseries[0].timestamp: must be between 1970 and 2200",
        ),
        (
            series({"__name__": "n" * 129}, (1.0, AT)),
            "timeseries[0]: name: string should have at most 128 characters",
        ),
        (b"\x0a\xff", "value: is no remote write message"),
    ],
)
def test_one_bad_series_is_named(value, said):
    with pytest.raises(Unreadable) as refusal:
        read(value)
    assert str(refusal.value) == said


@pytest.mark.parametrize(
    ("references", "said"),
    [
        ((1, 2, 1), "timeseries[0].labels_refs: must be pairs"),
        ((1, 99), "timeseries[0].labels_refs: refer to symbols that are not there"),
    ],
)
def test_references_that_lead_nowhere_are_refused(references, said):
    symbols = b"".join(part(4, symbol) for symbol in ("", "__name__", "up"))
    sample = part(2, part(1, 1.0) + part(2, AT))
    refs = part(1, b"".join(varint(number) for number in references))
    with pytest.raises(Unreadable) as refusal:
        read(symbols + part(5, refs + sample), REMOTE_WRITE_2)
    assert str(refusal.value) == said


def test_a_few_bytes_that_stand_for_many_are_refused_before_they_are_unpacked():
    """Otherwise a kilobyte could take all the memory."""
    bomb = packed(b"\x0a" + b"\x00" * limits.UNPACKED_BYTES)
    assert len(bomb) < limits.BATCH_BYTES
    with pytest.raises(Unreadable) as refusal:
        PrometheusRemoteWrite().read(payload(bomb))
    assert str(refusal.value) == "value: is no snappy block of at most 4194304 bytes unpacked"
    with pytest.raises(Unreadable, match=r"^value: is no snappy block$"):
        PrometheusRemoteWrite().read(payload(b"\x05hello"))


def test_a_request_of_too_many_samples_is_refused():
    samples = [(1.0, AT + number) for number in range(limits.BATCH_SIGNALS + 1)]
    with pytest.raises(Unreadable, match=r"^holds more than 20000 signals"):
        read(series({"__name__": "up"}, *samples))
    with pytest.raises(Unreadable, match=r"^holds more than 20000 signals"):
        read(part(1, b"") * (limits.BATCH_SIGNALS + 1))


def test_a_bare_block_is_recognised_in_the_topic_of_metrics_only():
    """Its first bytes say little: elsewhere they may be anything."""
    for value in (version_1(), version_1()[:40], series({"__name__": "u" * 100}, (1.0, AT))):
        assert PrometheusRemoteWrite().recognises(payload(packed(value), ()))
        assert not PrometheusRemoteWrite().recognises(payload(packed(value), (), EXTERNAL))
    assert PrometheusRemoteWrite().recognises(payload(packed(version_1()), topic=EXTERNAL))


def test_one_bad_series_leaves_the_others():
    """Otherwise one long name would lose each request that it comes in."""
    value = series({"__name__": "up"}, (1.0, AT)) + series({"__name__": "n" * 129}, (1.0, AT))
    read = read_record(METRICS, packed(value))
    assert [each.name for each in read.signals] == ["up"]
    assert read.wrong == "timeseries[1]: name: string should have at most 128 characters"


def test_the_mark_of_a_histogram_that_ended_is_no_count():
    """Otherwise each target that goes away would look like a counter that began anew."""
    labels = part(1, part(1, "__name__") + part(2, "request_seconds"))
    ended = part(4, part(3, STALE) + part(15, AT))
    assert read(part(1, labels + ended)) == []
    of_all = part(4, part(1, 7) + part(3, float("nan")) + part(15, AT))
    assert [each.name for each in read(part(1, labels + of_all))] == ["request_seconds_count"]


@pytest.mark.parametrize(
    ("value", "headers"), [(version_1(), REMOTE_WRITE_2), (version_2(), REMOTE_WRITE_1)]
)
def test_the_bytes_say_which_version_it_is_whatever_the_header_says(value, headers):
    """Otherwise the wrong one would be an empty message: its fields have other numbers."""
    assert read(value, headers) == read(value, ())


def test_a_request_of_metadata_alone_is_recognised_without_headers():
    """Otherwise each minute's would be a dead letter."""
    read = read_record(METRICS, packed(part(3, part(1, 1) + part(2, "up"))))
    assert (list(read.signals), read.unread) == ([], ())


@pytest.mark.parametrize(
    ("value", "encoding", "said"),
    [
        (packed(version_1()), b"zstd", "content-encoding: must be snappy"),
        (
            bytes(cramjam.snappy.compress(version_1())),
            b"snappy",
            "value: is in Snappy's framing format: must be one block without it",
        ),
        (packed(b"hunter2"), b"snappy", "value: is no remote write message"),
    ],
)
def test_what_is_packed_otherwise_is_told_how_it_must_be(value, encoding, said):
    headers = [("Content-Encoding", encoding), ("Content-Type", b"application/x-protobuf")]
    with pytest.raises(Unreadable) as refusal:
        read_record(METRICS, value, headers)
    assert str(refusal.value) == said
