"""OpenTelemetry's metrics and logs: the same in protobuf and JSON, and what each kind of metric becomes."""

import orjson
import pytest

from schemas import limits
from schemas.contract import Unreadable
from schemas.topics import EXTERNAL, LOGS, METRICS
from streams.telemetry.formats.otlp import Otlp
from streams.telemetry.payload import Payload
from streams.telemetry.reading import read_signals
from tests.payloads import STAMPED, example, protobuf

AT = 1_700_000_000_000_000_000


def attributes(**values):
    return [{"key": key.replace("_", "."), "value": value} for key, value in values.items()]


def text(value):
    return {"stringValue": value}


def request(*metrics, resource=()):
    document = {
        "resourceMetrics": [
            {
                "resource": {"attributes": list(resource)},
                "scopeMetrics": [{"metrics": list(metrics)}],
            }
        ]
    }
    return orjson.dumps(document)


def point(**fields):
    return {"timeUnixNano": str(AT)} | fields


def read(value, settings=None, topic=METRICS):
    """Return the signals of *value*, which are the same in protobuf."""
    made = Otlp(**(settings or {}))
    signals = made.read(Payload(topic, value, stamped=STAMPED))
    assert made.read(Payload(topic, protobuf(value), stamped=STAMPED)) == signals
    return signals


def values(signals):
    return {signal.name: (signal.value, signal.unit) for signal in signals}


@pytest.mark.parametrize("name", ["metrics", "logs", "summary-and-resource"])
def test_protobuf_and_json_are_the_same_signals(name):
    ours, theirs = example("otlp", name), example("otlp", f"{name}-protobuf")
    assert read_signals(ours.topic, ours.value) == read_signals(theirs.topic, theirs.value)


def test_gauges_and_sums_are_the_metric_itself():
    signals = read(
        request(
            {"name": "load", "unit": "1", "gauge": {"dataPoints": [point(asDouble=0.0)]}},
            {"name": "requests", "sum": {"dataPoints": [point(asInt="41")], "isMonotonic": True}},
            {"name": "zero", "sum": {"dataPoints": [point(asInt="0")]}},
        )
    )
    assert values(signals) == {"load": (0.0, "1"), "requests": (41.0, ""), "zero": (0.0, "")}


def test_points_without_a_value_are_passed_over():
    signals = read(
        request(
            {
                "name": "load",
                "gauge": {
                    "dataPoints": [
                        point(),
                        point(flags=1),
                        point(flags=1, asDouble=7),
                        point(asDouble="NaN"),
                        point(asDouble="Infinity"),
                        point(asDouble=1),
                    ]
                },
            },
            {"name": "nothing"},
        )
    )
    assert values(signals) == {"load": (1.0, "")}


HISTOGRAM = point(
    count="20", sum=30.0, min=0, max=3, bucketCounts=["10", "10", "0"], explicitBounds=[1, 3]
)


def histogram(temporality, settings=None):
    metric = {
        "name": "latency",
        "unit": "s",
        "histogram": {"dataPoints": [HISTOGRAM], "aggregationTemporality": temporality},
    }
    return read(request(metric), settings)


def test_a_histogram_of_a_delta_has_quantiles():
    assert values(histogram(1)) == {
        "latency.count": (20, "1"),
        "latency.sum": (30, "s"),
        "latency.min": (0, "s"),
        "latency.max": (3, "s"),
        "latency.p50": (1, "s"),
        "latency.p90": (2.6, "s"),
        "latency.p95": (2.8, "s"),
        "latency.p99": (2.96, "s"),
    }
    assert "latency.p99.9" in values(histogram(1, {"quantiles": [0.999]}))


def test_a_histogram_since_the_start_has_none():
    """Otherwise the 99th percentile of a whole month would pass for the one of now."""
    names = set(values(histogram(2)))
    assert names == {"latency.count", "latency.sum", "latency.min", "latency.max"}


def test_buckets_are_metrics_where_they_are_asked_for():
    signals = histogram(2, {"buckets": True})
    buckets = {each.labels["le"]: each.value for each in signals if each.name == "latency.bucket"}
    assert buckets == {"1": 10, "3": 20, "+Inf": 20}


def test_an_exponential_histogram_is_read_likewise():
    exponential = point(
        count="4", sum=12.0, scale=0, zeroCount="0", positive={"offset": 1, "bucketCounts": ["4"]}
    )
    metric = {
        "name": "size",
        "exponentialHistogram": {"dataPoints": [exponential], "aggregationTemporality": 1},
    }
    found = values(read(request(metric), {"quantiles": [0.5]}))
    assert found == {"size.count": (4, "1"), "size.sum": (12, ""), "size.p50": (3, "")}


def test_a_summary_has_the_quantiles_that_it_brings():
    quantiles = [{"quantile": share, "value": share * 10} for share in (0, 0.5, 0.99, 1, 1.5)]
    metric = {
        "name": "rpc",
        "unit": "ms",
        "summary": {"dataPoints": [point(count="3", sum=9, quantileValues=quantiles)]},
    }
    assert values(read(request(metric))) == {
        "rpc.count": (3, "1"),
        "rpc.sum": (9, "ms"),
        "rpc.min": (0, "ms"),
        "rpc.p50": (5, "ms"),
        "rpc.p99": (9.9, "ms"),
        "rpc.max": (10, "ms"),
    }


LOAD = {
    "name": "load",
    "gauge": {"dataPoints": [point(asDouble=1, attributes=attributes(cpu=text("0")))]},
}


def test_the_resource_says_whose_it_is():
    resource = attributes(
        service_name=text("shop"), deployment_environment=text("old"), host_name=text("web-1")
    )
    (signal,) = read(request(LOAD, resource=resource))
    assert (signal.service, signal.environment) == ("shop", "old")
    assert signal.labels == {"cpu": "0", "host.name": "web-1"}
    newer = {"key": "deployment.environment.name", "value": text("new")}
    (signal,) = read(request(LOAD, resource=[*resource, newer]))
    assert signal.environment == "new"
    (signal,) = read(request(LOAD))
    assert (signal.service, signal.environment) == ("unknown", "production")
    (signal,) = read(request(LOAD, resource=resource), {"service": ["host.name"], "tenant": "acme"})
    assert (signal.service, signal.tenant) == ("web-1", "acme")


def test_what_tells_series_apart_finds_room_first():
    """Otherwise two pods would be one series as soon as a resource has many attributes."""
    many = [{"key": f"a.{number:02}", "value": text("v")} for number in range(40)]
    pod = {"key": "k8s.pod.name", "value": text("shop-1")}
    (signal,) = read(request(LOAD, resource=[*many, pod]))
    assert len(signal.labels) == limits.LABEL_COUNT
    assert signal.labels["cpu"] == "0"
    assert signal.labels["k8s.pod.name"] == "shop-1"


def test_values_of_every_type_are_shown():
    own = attributes(
        a=text("x"),
        b={"boolValue": False},
        c={"intValue": "7"},
        d={"doubleValue": 0.5},
        e={"arrayValue": {"values": [{"intValue": "1"}, text("y")]}},
        f={"kvlistValue": {"values": attributes(k=text("v"))}},
        g={"bytesValue": "AQI="},
        h={},
    )
    metric = {"name": "load", "gauge": {"dataPoints": [point(asDouble=1, attributes=own)]}}
    (signal,) = read(request(metric))
    assert signal.labels == {
        "a": "x",
        "b": "false",
        "c": "7",
        "d": "0.5",
        "e": '[1,"y"]',
        "f": '{"k":"v"}',
        "g": "AQI=",
    }


def test_one_bad_point_refuses_the_batch_and_is_named():
    bad = {"name": "", "gauge": {"dataPoints": [point(asDouble=1), point(asDouble=1)]}}
    place = r"^resourceMetrics\[0\]\.scopeMetrics\[0\]\.metrics\[1\]\.gauge\.dataPoints\[0\]"
    for made in (request(LOAD, bad), protobuf(request(LOAD, bad))):
        with pytest.raises(Unreadable, match=place + ": name: string should have at least 1"):
            Otlp().read(Payload(METRICS, made))
    timeless = {"name": "x", "gauge": {"dataPoints": [{"asDouble": 1}]}}
    with pytest.raises(Unreadable, match=place + r"\.timeUnixNano: must be between 1970 and 2200"):
        Otlp().read(Payload(METRICS, request(LOAD, timeless)))
    odd = {
        "name": "x",
        "histogram": {"dataPoints": [point(bucketCounts=["1"], explicitBounds=[1])]},
    }
    with pytest.raises(Unreadable, match=r"bucketCounts: must be one more than explicitBounds$"):
        Otlp().read(Payload(METRICS, request(odd)))


def test_a_batch_of_too_many_points_is_refused():
    """Otherwise half a million empty points, a megabyte, could hold the worker up for seconds."""
    points = [point(asDouble=1)] * (limits.BATCH_SIGNALS + 1)
    value = protobuf(request({"name": "x", "gauge": {"dataPoints": points}}))
    with pytest.raises(Unreadable, match=r"^holds more than 20000 signals"):
        Otlp().read(Payload(METRICS, value))


@pytest.mark.parametrize("topic", [METRICS, LOGS], ids=lambda topic: topic.name)
def test_a_batch_of_too_many_resources_is_refused(topic):
    """Otherwise half a million empty ones, a megabyte, could hold the worker up for seconds."""
    value = b"\x0a\x00" * (limits.BATCH_SIGNALS + 1)
    assert Otlp().recognises(Payload(topic, value))
    with pytest.raises(Unreadable, match=r"^holds more than 20000 signals"):
        Otlp().read(Payload(topic, value))


@pytest.mark.parametrize(
    "value", [b"\n", b"\n\x05abc", b"\n\x01a{", b"\nfailed to start", b"\n" + b"\xff" * 9]
)
def test_what_only_begins_like_protobuf_is_not_taken_for_it(value):
    """Otherwise a text that begins with an empty line would be."""
    assert not Otlp().recognises(Payload(LOGS, value))


def test_protobuf_is_told_apart_by_its_topic():
    logs, metrics = example("otlp", "logs-protobuf"), example("otlp", "metrics-protobuf")
    for value, topic in ((logs.value, METRICS), (metrics.value, LOGS)):
        with pytest.raises(Unreadable):
            Otlp().read(Payload(topic, value))
    with pytest.raises(
        Unreadable, match=r"^value: OTLP in protobuf is read from telemetry.metrics"
    ):
        Otlp().read(Payload(EXTERNAL, metrics.value))


def log(**fields):
    document = {"resourceLogs": [{"scopeLogs": [{"logRecords": [fields | {"spanId": ""}]}]}]}
    document["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0].setdefault("traceId", "")
    (signal,) = read(orjson.dumps(document), topic=LOGS)
    return signal


def test_a_record_without_a_time_has_the_observers_or_the_records():
    assert log(timeUnixNano=str(AT), observedTimeUnixNano="1").occurred_at.timestamp() == AT / 1e9
    assert log(observedTimeUnixNano=str(AT)).occurred_at.timestamp() == AT / 1e9
    assert log().occurred_at.timestamp() * 1_000 == STAMPED


def test_a_record_without_a_number_has_the_severity_that_its_text_says():
    assert log(severityNumber=17, severityText="INFO").severity_number == 17
    assert log(severityText="FATAL").severity_number == 21
    assert log().severity_number == 9
    assert log(severityNumber=99).severity_number == 9


def test_a_trace_of_zeros_is_none():
    assert log(traceId="00" * 16).trace_id is None
    assert log(traceId="5B8EFFF798038103D269B633813FC60C").trace_id == (
        "5b8efff798038103d269b633813fc60c"
    )


def test_a_body_of_fields_is_shown_and_a_long_one_cut():
    fields = {"kvlistValue": {"values": attributes(event=text("paid"), amount={"intValue": "3"})}}
    assert log(body=fields).body == '{"event":"paid","amount":3}'
    assert len(log(body=text("x" * 20_000)).body) == limits.TEXT_LENGTH
