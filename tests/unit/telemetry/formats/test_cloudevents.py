"""CloudEvents that hold our contracts."""

import base64

import orjson
import pytest

from schemas.contract import Unreadable
from schemas.telemetry import HealthV1, MetricV1
from schemas.topics import EXTERNAL, HEALTH, METRICS
from streams.telemetry.reading import read_record, read_signals
from tests.payloads import STAMPED, example


def read(headers=(), **changes):
    document = orjson.loads(example("cloudevents", "structured").value) | changes
    document = {name: value for name, value in document.items() if value is not None}
    (signal,) = read_signals(EXTERNAL, orjson.dumps(document), headers, stamped=STAMPED)
    return signal


def test_the_type_says_what_it_is_whatever_the_topic():
    assert isinstance(read(), MetricV1)


def test_the_events_id_and_time_stand_in_for_the_datas():
    data = {"service": "shop", "check": "Database", "status": "healthy"}
    signal = read(type="tocsin.telemetry.health.v1", data=data)
    assert isinstance(signal, HealthV1)
    assert signal.signal_id == "C234-1234-1234"
    assert signal.occurred_at.isoformat() == "2026-11-23T09:12:02+00:00"
    signal = read(type="tocsin.telemetry.health.v1", data=data | {"signal_id": "own"})
    assert signal.signal_id == "own"


def test_data_may_be_base64():
    data = {"service": "shop", "name": "load", "value": 1}
    encoded = base64.b64encode(orjson.dumps(data)).decode()
    assert read(data=None, data_base64=encoded).name == "load"
    with pytest.raises(Unreadable, match=r"^data_base64: is not base64$"):
        read(data=None, data_base64="hunter2!")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"specversion": "0.3"}, "specversion: must be 1.0"),
        ({"data": None}, "data: is missing"),
        ({"data": "hunter2"}, "data: value: input should be an object"),
        ({"data": {"name": "load", "value": 1}}, "data: service: field required"),
        (
            {"type": "com.example.hunter2"},
            (
                "type: is none of ours; there are tocsin.telemetry.external.v1, tocsin.telemetry.health.v1, "
                "tocsin.telemetry.log.v1, tocsin.telemetry.metric.v1"
            ),
        ),
    ],
)
def test_what_is_no_such_event_is_refused_by_the_field(changes, said):
    with pytest.raises(Unreadable) as refusal:
        read(**changes)
    assert str(refusal.value) == said


def test_one_bad_event_is_named_and_the_others_count():
    events = orjson.loads(example("cloudevents", "batch").value)
    del events[1]["data"]["name"]
    headers = [("content-type", b"application/cloudevents-batch+json; charset=UTF-8")]
    read = read_record(METRICS, orjson.dumps([*events, 7]), headers, stamped=STAMPED)
    assert len(read.signals) == 1
    assert read.wrong == "[1].data: name: field required; [2]: expected object, got int"
    assert read.unread == ("[1]", "[2]")


def test_a_batch_is_recognised_without_a_header():
    value = example("cloudevents", "batch").value
    assert len(read_record(EXTERNAL, value, stamped=STAMPED).signals) == 2


def test_an_event_in_one_piece_may_have_the_headers_of_one_in_parts():
    """Otherwise what the Kafka Protocol Binding allows (section 3.3.3) would be read without its envelope."""
    published = example("cloudevents", "structured")
    headers = [
        ("content-type", b"application/cloudevents+json; charset=UTF-8"),
        ("ce_specversion", b"1.0"),
        ("ce_type", b"tocsin.telemetry.metric.v1"),
    ]
    (signal,) = read_signals(METRICS, published.value, headers, stamped=STAMPED)
    assert signal.signal_id == "C234-1234-1234"


def test_a_wrong_time_of_an_event_is_the_events():
    with pytest.raises(Unreadable, match=r"^time: is no RFC 3339 time$"):
        read(time="hunter2", data={"service": "shop", "name": "load", "value": 1})


def test_headers_of_another_release_of_cloudevents_are_refused():
    published = example("cloudevents", "binary")
    headers = [("ce_type", b"tocsin.telemetry.metric.v1"), ("ce_specversion", b"0.3")]
    with pytest.raises(Unreadable, match=r"^ce_specversion: must be 1\.0$"):
        read_signals(HEALTH, published.value, headers, stamped=STAMPED)


def test_headers_say_what_the_data_is_whatever_the_topic():
    published = example("cloudevents", "binary")
    (signal,) = read_signals(HEALTH, published.value, published.headers, stamped=STAMPED)
    assert isinstance(signal, MetricV1)
    assert signal.signal_id == "C234-1234-1234"


def test_headers_of_another_type_leave_the_data_to_speak_for_itself():
    """Otherwise Alertmanager's notifications could not come from a CloudEvents producer."""
    published = example("alertmanager", "firing")
    headers = [("ce_type", b"com.prometheus.alert"), ("ce_specversion", b"1.0")]
    (alert,) = read_signals(EXTERNAL, published.value, headers, stamped=STAMPED)
    assert alert.source == "alertmanager"
