"""OpenTelemetry's metrics and logs: the same in protobuf and JSON, and what each kind of metric becomes."""

import json

import orjson
import pytest

from schemas import limits
from schemas.contract import Unreadable
from schemas.topics import EXTERNAL, LOGS, METRICS
from streams.errors import Rejected
from streams.telemetry.formats.otlp import Otlp
from streams.telemetry.payload import Payload
from streams.telemetry.reading import read_record, read_signals
from tests.payloads import STAMPED, example, protobuf, read_whole

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
    signals = read_whole(made, Payload(topic, value, stamped=STAMPED))
    assert read_whole(made, Payload(topic, protobuf(value), stamped=STAMPED)) == signals
    return signals


def alone(value, topic=METRICS):
    """Return the signals of *value*, which says in JSON what protobuf cannot."""
    return read_whole(Otlp(), Payload(topic, value, stamped=STAMPED))


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


PLACE = "resourceMetrics[0].scopeMetrics[0].metrics[1]"
ODD = point(bucketCounts=["1"], explicitBounds=[1])


@pytest.mark.parametrize(
    ("bad", "unread", "said"),
    [
        (
            {"name": "", "gauge": {"dataPoints": [point(asDouble=1), point(asDouble=1)]}},
            PLACE,
            "name: is missing",
        ),
        (
            {"name": "n" * 129, "gauge": {"dataPoints": [point(asDouble=1)]}},
            f"{PLACE}.gauge.dataPoints[0]",
            "name: string should have at most 128 characters",
        ),
        (
            {"name": "x", "gauge": {"dataPoints": [{"asDouble": 1}]}},
            f"{PLACE}.gauge.dataPoints[0]",
            "timeUnixNano: must be between 1970 and 2200",
        ),
        (
            {"name": "x", "histogram": {"dataPoints": [ODD]}},
            f"{PLACE}.histogram.dataPoints[0]",
            "bucketCounts: must be one more than explicitBounds",
        ),
    ],
)
def test_one_bad_point_is_named_and_the_others_count(bad, unread, said):
    """Otherwise one name that is too long would lose the eight thousand points of its batch, each time."""
    value = request(LOAD, bad, LOAD)
    for made in (value, protobuf(value)):
        read = read_record(METRICS, made, stamped=STAMPED)
        assert [each.name for each in read.signals] == ["load", "load"]
        assert read.unread == (unread,)
        assert read.wrong.startswith(unread)
        assert read.wrong.endswith(said)


def test_one_bad_part_of_json_is_named_and_the_others_count():
    bad = {"name": "x", "gauge": {"dataPoints": [point(asDouble="hunter2")]}}
    read = read_record(METRICS, request(LOAD, bad, LOAD), stamped=STAMPED)
    assert [each.name for each in read.signals] == ["load", "load"]
    assert read.wrong == f"{PLACE}.gauge.dataPoints[0].asDouble: expected float | null, got str"
    assert read.unread == (PLACE,)
    records = [{"timeUnixNano": str(AT), "body": text("a")}, {"timeUnixNano": "soon"}]
    document = {"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}
    read = read_record(LOGS, orjson.dumps(document), stamped=STAMPED)
    assert [each.body for each in read.signals] == ["a"]
    assert read.unread == ("resourceLogs[0].scopeLogs[0].logRecords[1]",)


def test_what_is_null_in_json_is_not_there():
    """ProtoJSON takes it for every field."""
    nulls = dict.fromkeys(("attributes", "exemplars", "flags", "startTimeUnixNano"))
    metric = {"name": "load", "unit": None, "gauge": {"dataPoints": [point(asDouble=1, **nulls)]}}
    document = orjson.loads(request(metric))
    document["resourceMetrics"][0] |= {"resource": None, "schemaUrl": None}
    assert values(alone(orjson.dumps(document))) == {"load": (1, "")}


def test_enumerations_may_be_names_in_json():
    """OTLP has numbers only, but the Collector reads names, and who writes them is not told that they are wrong."""
    found = [HISTOGRAM]
    named, numbered = (
        {"name": "x", "histogram": {"dataPoints": found, "aggregationTemporality": temporality}}
        for temporality in ("AGGREGATION_TEMPORALITY_DELTA", 1)
    )
    assert alone(request(named)) == alone(request(numbered))
    levels = ("SEVERITY_NUMBER_ERROR", "SEVERITY_NUMBER_WARN2", "21", "SEVERITY_NUMBER_UNSPECIFIED")
    assert [log(severityNumber=name).severity_number for name in levels] == [17, 14, 21, 9]


def test_a_scopes_attributes_tell_series_apart():
    """OpenTelemetry's identity of a metric stream has them: two scopes would be one series."""
    document = orjson.loads(request(LOAD))
    scopes = document["resourceMetrics"][0]["scopeMetrics"]
    scopes.append(scopes[0] | {"scope": {"attributes": attributes(shard=text("2"), cpu=text("x"))}})
    one, other = read(orjson.dumps(document))
    assert one.labels == {"cpu": "0"}
    assert other.labels == {"cpu": "0", "shard": "2"}


@pytest.mark.parametrize(
    ("value", "headers", "said"),
    [
        (
            b'{"alerts": []}',
            [("tocsin_format", b"otlp")],
            "value: has neither resourceMetrics nor resourceLogs",
        ),
        (b'{"alerts": ', [("tocsin_format", b"otlp")], "value: is not JSON: it ends too soon"),
        (
            b"hunter2",
            [("tocsin_format", b"otlp")],
            "value: is no OTLP request for metrics in protobuf",
        ),
        (
            b'{"resourceSpans": []}',
            (),
            "resourceSpans: traces are not read: export metrics and logs",
        ),
    ],
)
def test_what_is_no_metrics_or_logs_is_refused_by_name(value, headers, said):
    with pytest.raises((Unreadable, Rejected)) as refusal:
        read_record(METRICS, value, headers)
    assert str(refusal.value) == said


def test_json_is_read_whatever_the_content_type_says():
    headers = [("content-type", b"application/x-protobuf")]
    assert len(read_record(METRICS, request(LOAD), headers).signals) == 1


def test_neither_logs_nor_metrics_pass_for_the_other():
    """In protobuf they differ by little more than what their fields are called."""
    numbers = {
        "timeUnixNano": str(AT),
        "severityNumber": 9,
        "body": {"intValue": "7"},
        "traceId": "",
        "spanId": "",
    }
    logs = orjson.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [numbers]}]}]})
    with pytest.raises(Unreadable, match=r"metrics\[0\]\.name: is missing$"):
        read_record(METRICS, protobuf(logs), stamped=STAMPED)
    counted = {"name": "x", "unit": "1", "sum": {"dataPoints": [point(asInt="1")]}}
    with pytest.raises(Unreadable, match=r"logRecords\[0\]: has neither time nor body nor attr"):
        read_record(LOGS, protobuf(request(counted)), stamped=STAMPED)


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
            read_record(topic, value)
    with pytest.raises(
        Unreadable, match=r"^value: OTLP in protobuf is read from telemetry.metrics"
    ):
        Otlp().read(Payload(EXTERNAL, metrics.value))


def log(**fields):
    record = {"body": text("paid")} | fields | {"spanId": ""}
    document = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}
    document["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0].setdefault("traceId", "")
    named = isinstance(fields.get("severityNumber"), str) or "x" in str(fields.get("traceId"))
    (signal,) = (alone if named else read)(orjson.dumps(document), topic=LOGS)
    return signal


def test_a_record_without_a_time_has_the_observers_or_the_records():
    assert log(timeUnixNano=str(AT), observedTimeUnixNano="1").occurred_at.timestamp() == AT / 1e9
    assert log(observedTimeUnixNano=str(AT)).occurred_at.timestamp() == AT / 1e9
    assert log().occurred_at.timestamp() * 1_000 == STAMPED


def test_a_record_without_a_number_has_the_severity_that_its_text_says():
    assert log(severityNumber=17, severityText="INFO").severity_number == 17
    assert log(severityText="FATAL").severity_number == 21
    assert log(severityText="ERROR3").severity_number == 19
    assert log().severity_number == 9
    assert log(severityNumber=99).severity_number == 9


def test_what_is_no_trace_is_none():
    """A record that says something is no less one for what its tracer left there."""
    assert log(traceId="00" * 16).trace_id is None
    assert log(traceId="x" * 32).trace_id is None
    assert log(traceId="5b8e").trace_id is None
    assert log(traceId="5B8EFFF798038103D269B633813FC60C").trace_id == (
        "5b8efff798038103d269b633813fc60c"
    )


def test_an_event_has_its_name():
    """OpenTelemetry's events are log records with a name, and most have no body."""
    event = log(eventName="shop.paid", body={}, timeUnixNano=str(AT))
    assert (event.body, event.attributes) == ("shop.paid", {"event.name": "shop.paid"})
    assert log(eventName="shop.paid").body == "paid"


def test_a_record_has_the_name_of_who_logged_it():
    document = orjson.loads(example("otlp", "logs").value)
    document["resourceLogs"][0]["scopeLogs"][0]["scope"]["name"] = "shop.checkout"
    (signal,) = read(orjson.dumps(document), topic=LOGS)
    assert signal.attributes["otel.scope.name"] == "shop.checkout"
    assert signal.attributes["my.scope.attribute"] == "some scope attribute"


def test_a_body_of_fields_is_shown_and_a_long_one_cut():
    fields = {"kvlistValue": {"values": attributes(event=text("paid"), amount={"intValue": "3"})}}
    assert log(body=fields).body == '{"event":"paid","amount":3}'
    assert len(log(body=text("x" * 20_000)).body) == limits.TEXT_LENGTH


BEYOND = 10**400


@pytest.mark.parametrize(
    ("metric", "field"),
    [
        ({"gauge": {"dataPoints": [point(asInt=BEYOND)]}}, "asInt"),
        ({"sum": {"dataPoints": [point(asInt=str(BEYOND))]}}, "asInt"),
        ({"summary": {"dataPoints": [point(count=BEYOND)]}}, "count"),
        ({"histogram": {"dataPoints": [point(count=BEYOND)]}}, "count"),
        ({"histogram": {"dataPoints": [point(bucketCounts=[BEYOND])]}}, r"bucketCounts\[0\]"),
        ({"exponentialHistogram": {"dataPoints": [point(scale=-BEYOND)]}}, "scale"),
        ({"gauge": {"dataPoints": [point(attributes=attributes(a={"intValue": BEYOND}))]}}, "int"),
    ],
)
def test_a_number_of_more_than_64_bits_is_refused(metric, field):
    """JSON has them and protobuf has not: as a float they would stop the worker."""
    document = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "x"} | metric]}]}]}
    with pytest.raises(Unreadable, match=rf"{field}.*: expected int"):
        read_record(METRICS, json.dumps(document).encode(), stamped=STAMPED)


def test_a_list_with_a_number_of_more_than_64_bits_is_refused():
    value = {
        "arrayValue": {"values": [{"kvlistValue": {"values": attributes(a={"intValue": BEYOND})}}]}
    }
    document = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": value}]}]}]}
    with pytest.raises(Unreadable, match=r"intValue: expected int"):
        read_record(LOGS, json.dumps(document).encode(), stamped=STAMPED)
