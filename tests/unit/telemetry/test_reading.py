"""From records to signals, or to a reason that quotes nothing."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from schemas import limits
from schemas.contract import Unreadable
from schemas.telemetry import LogV1, MetricV1
from schemas.topics import EXTERNAL, HEALTH, LOGS, METRICS, TELEMETRY
from streams.errors import Rejected
from streams.telemetry.batch import AHEAD
from streams.telemetry.format import Format
from streams.telemetry.formats.alertmanager import Alertmanager
from streams.telemetry.formats.syslog import Syslog
from streams.telemetry.formats.telegraf import Telegraf
from streams.telemetry.reading import UNREAD, Formats, read_record, read_signals
from tests.payloads import STAMPED as STAMPED_LATE
from tests.payloads import example

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


SYSLOG = example("syslog", "example-1")


def test_a_header_that_names_no_format_says_which_there_are():
    with pytest.raises(Unreadable) as refusal:
        read_signals(LOGS, SYSLOG.value, [("tocsin_format", b"hunter2")])
    assert str(refusal.value) == (
        "tocsin_format: names no format; there are alertmanager, cloudevents, cloudwatch, datadog, grafana, native, otlp, "
        "pagerduty, prometheus_remote_write, sentry, syslog, telegraf"
    )


def test_a_topic_given_to_a_format_is_read_by_it_and_by_no_other():
    """Otherwise a log line that looks like JSON would be read as something else."""
    given = Formats([Syslog(topics=("telemetry.logs",), tenant="acme")])
    (log,) = read_signals(LOGS, SYSLOG.value, formats=given)
    assert log.tenant == "acme"
    with pytest.raises(Unreadable, match=r"^PRI: "):
        read_signals(LOGS, b'{"resourceLogs":[]}', formats=given)
    assert read_signals(METRICS, metric(T0), formats=given)
    assert given.foreign(LOGS)
    assert not given.foreign(METRICS)


def test_a_header_counts_more_than_the_topics_format():
    """Otherwise `tocsin probe` could not publish beside another system."""
    given = Formats([Telegraf(topics=("telemetry.metrics", "telemetry.health"))])
    headers = [("ce_type", b"tocsin.telemetry.metric.v1")]
    assert read_signals(METRICS, metric(T0), headers, formats=given)
    assert read_signals(METRICS, metric(T0), [("tocsin_format", b"native")], formats=given)
    assert read_signals(HEALTH, metric(T0), headers, formats=given)
    with pytest.raises(Unreadable):
        read_signals(METRICS, metric(T0), formats=given)


def test_settings_without_topics_hold_wherever_the_format_is_recognised():
    given = Formats(
        [Alertmanager(tenant="acme"), Alertmanager(topics=("telemetry.logs",), tenant="b")]
    )
    firing = example("alertmanager", "firing").value
    headers = [("tocsin_format", b"alertmanager")]
    for topic, tenant in ((EXTERNAL, "acme"), (LOGS, "b")):
        for found in (
            read_signals(topic, firing, formats=given),
            read_signals(topic, firing, headers, formats=given),
        ):
            assert found[0].tenant == tenant


def test_of_a_batch_with_one_signal_from_the_future_the_others_are_taken():
    """Otherwise one clock that is wrong would keep the alerts of all others back."""
    alerts = example("grafana", "two-firing").value
    stamped = int(datetime(2021, 10, 12, 7, 50, tzinfo=UTC).timestamp() * 1_000)
    read = read_record(EXTERNAL, alerts, stamped=stamped)
    assert [each.summary for each in read.signals] == ["This alert was triggered for zone us-1"]
    assert read.wrong == (
        "alerts[1]: occurred_at: is more than 5 minutes ahead of the record's own time; is the producer's clock right?"
    )
    assert len(read_signals(EXTERNAL, alerts, stamped=stamped + 2 * 60_000)) == 2
    with pytest.raises(Rejected, match=r"^alerts\[0\]: occurred_at: is more than .*; alerts\[1\]"):
        read_record(EXTERNAL, alerts, stamped=stamped - 10 * 60_000)


def test_a_dead_letter_sent_again_gives_what_was_not_read_and_nothing_else():
    """Otherwise the others would count twice."""
    alerts = example("grafana", "two-firing").value
    for unread, labels in (
        (b"alerts[1]", ["eu-1"]),
        (b"alerts[0],alerts[1]", ["us-1", "eu-1"]),
        (b" alerts[0].startsAt", []),
        (b"alerts", ["us-1", "eu-1"]),
        (b"alerts[1", []),
        (b"", ["us-1", "eu-1"]),
    ):
        read = read_record(EXTERNAL, alerts, [(UNREAD, unread)], stamped=STAMPED_LATE)
        assert [each.labels["zone"] for each in read.signals] == labels
        assert not read.unread


def test_a_header_of_too_many_places_is_refused():
    """Otherwise a megabyte of them could hold the worker up for minutes."""
    places = ",".join(f"alerts[{number}]" for number in range(limits.BATCH_FAULTS + 1)).encode()
    alerts = example("grafana", "two-firing").value
    with pytest.raises(Unreadable, match=r"^tocsin_unread: names more than 100 places$"):
        read_record(EXTERNAL, alerts, [(UNREAD, places)])
    kept = places.rpartition(b",")[0]
    assert len(read_record(EXTERNAL, alerts, [(UNREAD, kept)]).signals) == 2


def test_of_a_batch_that_is_mostly_wrong_nothing_is_taken():
    """Otherwise a dead letter would have to name thousands of places."""
    document = json.loads(example("grafana", "two-firing").value)
    good = document["alerts"][0]
    for wrong in (limits.BATCH_FAULTS, limits.BATCH_FAULTS + 1):
        document["alerts"] = [good, *[{"hunter2": 1}] * wrong]
        value = json.dumps(document).encode()
        if wrong == limits.BATCH_FAULTS:
            read = read_record(EXTERNAL, value)
            assert (len(read.signals), len(read.unread)) == (1, wrong)
            assert read.wrong.endswith(f"alerts[3].status: is missing; and {wrong - 3} more")
            continue
        with pytest.raises(Unreadable) as refusal:
            read_record(EXTERNAL, value)
        assert str(refusal.value) == (
            "alerts[1].status: is missing; alerts[2].status: is missing; alerts[3].status: is missing; "
            "and 98 more: more than 100 elements are wrong, and none counts"
        )


def test_json_that_is_cut_off_hears_of_nothing_else():
    """Its sender would look for a header, where a limit of its own cut it."""
    with pytest.raises(Unreadable) as refusal:
        read_record(METRICS, b'{"resourceMetrics": [{"scopeMetr')
    assert str(refusal.value) == "value: is not JSON: it ends too soon"


def test_a_value_that_no_format_reads_is_told_how_large_it_may_be():
    """A batch that is too large would hear of the limit of our own JSON, a quarter of its own."""
    with pytest.raises(Unreadable) as refusal:
        read_record(METRICS, b'{"resourceMetrics": []}' + b" " * limits.BATCH_BYTES)
    assert str(refusal.value) == "the value has 1048599 bytes: at most 1048576 are read"


def test_topics_of_formats_are_those_of_telemetry():
    """Otherwise a new topic could not be given to a format."""
    field = str(Format.model_fields["topics"].annotation)
    assert all(f"'{topic.name}'" in field for topic in TELEMETRY)
    assert field.count("'") == 2 * len(TELEMETRY)


def test_our_own_json_asks_no_other_format(monkeypatch):
    """Otherwise every record would pay for formats that it is not in."""
    made = Formats()
    monkeypatch.setattr(made, "_asked", None)
    spaced = (
        b' { "service": "shop", "name": "load", "value": 1, "occurred_at": "2024-03-01T00:00:00Z" }'
    )
    for value in (metric(T0), spaced):
        assert read_signals(METRICS, value, formats=made)


@pytest.mark.parametrize(
    "name",
    ["", "ce_type", "tocsin_format", "content-type", "content-encoding", "sentry-hook-timestamp"],
)
def test_headers_without_a_value_or_of_no_text_say_nothing(name):
    """Otherwise a producer that sets one could stop the worker."""
    for value in (None, b"", b"\xff\xfe", b"x" * 300_000):
        if value and name == "tocsin_format":
            continue  # That one is refused: it names no format.
        assert read_signals(METRICS, metric(T0), [(name, value)])


@pytest.mark.parametrize("value", [b"\x0a\xff\xff", b"Oct 11 22:14:15 host su: failed", b"[]"])
def test_what_looks_like_nothing_is_told_how_to_say_what_it_is(value):
    """Who sends protobuf that is cut off would only hear that it is not JSON."""
    with pytest.raises(Unreadable, match="looks like no other format: a header tocsin_format"):
        read_signals(LOGS, value)
    with pytest.raises(Unreadable) as refusal:
        read_signals(LOGS, value, [("tocsin_format", b"native")])
    assert "other format" not in str(refusal.value)
