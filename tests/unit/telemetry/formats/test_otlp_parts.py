"""OpenTelemetry: what cannot be read of a request loses nothing else of it."""

import orjson
import pytest

from schemas.contract import Unreadable
from schemas.topics import LOGS, METRICS
from streams.telemetry.reading import read_record
from tests.payloads import STAMPED, protobuf
from tests.unit.telemetry.formats.test_otlp import AT, attributes, point, text


def of_resources(*described, scopes=({}, {}, {})):
    """A request of metrics from several resources, each with one scope."""
    metric = {"name": "load", "gauge": {"dataPoints": [point(asDouble=1)]}}
    return {
        "resourceMetrics": [
            {
                "resource": {"attributes": each},
                "scopeMetrics": [{"scope": scope, "metrics": [metric]}],
            }
            for each, scope in zip(described, scopes, strict=False)
        ]
    }


def named(name):
    return attributes(service_name=text(name))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ([{"key": 5}], "resource.attributes[0].key: expected str, got int"),
        (
            [{"key": "a", "value": {"intValue": "hunter2"}}],
            "resource.attributes[0].value.intValue: expected int | null, got str",
        ),
        ("hunter2", "resource.attributes: expected array, got str"),
    ],
)
def test_a_resource_that_cannot_be_read_does_not_lose_the_others(wrong, said):
    """Each Collector sends what many services say in one record, and sends it again where it is refused."""
    document = of_resources(named("a"), wrong, named("b"))
    read = read_record(METRICS, orjson.dumps(document), stamped=STAMPED)
    assert [each.service for each in read.signals] == ["a", "b"]
    assert read.unread == ("resourceMetrics[1]",)
    assert read.wrong == f"resourceMetrics[1].{said}"
    record = {"timeUnixNano": str(AT), "body": text("a")}
    resources = [
        {"resource": each["resource"], "scopeLogs": [{"logRecords": [record]}]}
        for each in document["resourceMetrics"]
    ]
    read = read_record(LOGS, orjson.dumps({"resourceLogs": resources}), stamped=STAMPED)
    assert [each.service for each in read.signals] == ["a", "b"]
    assert read.unread == ("resourceLogs[1]",)


def test_a_resource_that_was_put_aside_counts_when_it_is_mended_and_sent_again():
    headers = [("tocsin_unread", b"resourceMetrics[1]")]
    document = of_resources(named("a"), named("c"), named("b"))
    read = read_record(METRICS, orjson.dumps(document), headers, stamped=STAMPED)
    assert [each.service for each in read.signals] == ["c"]


def test_a_scope_that_cannot_be_read_does_not_lose_the_others():
    document = of_resources(named("a"), named("b"), scopes=[{}, {"name": 5}])
    scopes = document["resourceMetrics"][1]["scopeMetrics"]
    scopes.append(scopes[0] | {"scope": {}})
    read = read_record(METRICS, orjson.dumps(document), stamped=STAMPED)
    assert [each.service for each in read.signals] == ["a", "b"]
    assert read.unread == ("resourceMetrics[1].scopeMetrics[0]",)
    assert read.wrong == "resourceMetrics[1].scopeMetrics[0].scope.name: expected str, got int"


UTF_8 = "is not what OTLP has here in protobuf, or has texts that are not UTF-8"


@pytest.mark.parametrize(
    ("wrong", "places", "left"),
    [
        (b"service-b", ["resourceLogs[1]"], ["a0", "a1", "c0", "c1"]),
        (b"scope-b", ["resourceLogs[1].scopeLogs[0]"], ["a0", "a1", "c0", "c1"]),
        (b"b1", ["resourceLogs[1].scopeLogs[0].logRecords[1]"], ["a0", "a1", "b0", "c0", "c1"]),
        (
            b"1",
            [f"resourceLogs[{each}].scopeLogs[0].logRecords[1]" for each in range(3)],
            ["a0", "b0", "c0"],
        ),
    ],
)
def test_a_text_that_is_no_utf_8_loses_what_it_belongs_to_alone(wrong, places, left):
    """A program that logs bytes would lose the records of all others in its batch, each time."""
    logs = {
        "resourceLogs": [
            {
                "resource": {
                    "attributes": [*named(f"service-{each}"), *attributes(note=text("n" * 300))]
                },
                "scopeLogs": [
                    {
                        "scope": {"name": f"scope-{each}"},
                        "logRecords": [
                            {
                                "timeUnixNano": str(AT),
                                "body": text(f"{each}{number}"),
                                "traceId": "",
                                "spanId": "",
                            }
                            for number in range(2)
                        ],
                    }
                ],
                "schemaUrl": "s",
            }
            for each in "abc"
        ]
    }
    value = protobuf(orjson.dumps(logs))
    assert len(read_record(LOGS, value, stamped=STAMPED).signals) == 6
    value = value.replace(wrong, b"\xff" * len(wrong))
    read = read_record(LOGS, value, stamped=STAMPED)
    assert [each.body for each in read.signals] == left
    assert [each.service for each in read.signals] == [f"service-{body[0]}" for body in left]
    assert read.unread == tuple(places)
    assert read.wrong.split("; ")[0] == f"{places[0]}: {UTF_8}"


def test_so_it_is_where_nothing_says_whose_it_is():
    records = [
        {"timeUnixNano": str(AT), "body": text(each), "traceId": "", "spanId": ""} for each in "ab"
    ]
    logs = {"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}
    value = protobuf(orjson.dumps(logs)).replace(b"b", b"\xff")
    read = read_record(LOGS, value, stamped=STAMPED)
    assert [(each.service, each.body) for each in read.signals] == [("unknown", "a")]


def test_so_it_is_with_a_metric():
    value = protobuf(orjson.dumps(of_resources(named("a"), named("b"))))
    place = value.rindex(b"load")
    read = read_record(METRICS, value[:place] + b"\xff" + value[place + 1 :], stamped=STAMPED)
    assert [each.service for each in read.signals] == ["a"]
    assert read.unread == ("resourceMetrics[1].scopeMetrics[0].metrics[0]",)


def test_a_request_that_ends_too_soon_is_refused_as_a_whole():
    """What is cut off is not all that was said, and nobody can tell what else there was."""
    one = protobuf(orjson.dumps(of_resources(named("a"))))
    value = one + protobuf(orjson.dumps(of_resources(named("b"))))
    for end in range(len(one) + 1, len(value)):
        with pytest.raises(Unreadable, match=r"^value: is no OTLP request for metrics in protobuf"):
            read_record(METRICS, value[:end], [("tocsin_format", b"otlp")], stamped=STAMPED)


@pytest.mark.parametrize(
    "field",
    [
        b"\x10\x05",
        b"\x19" + bytes(8),
        b"\x25" + bytes(4),
        b"\x18" + b"\xff" * 9 + b"\x01",
    ],
)
def test_fields_that_are_not_known_are_passed_over_beside_what_cannot_be_parsed(field):
    """They may be of a later version."""
    one, other = (protobuf(orjson.dumps(of_resources(named(name)))) for name in ("a", "service-b"))
    value = one + field + other.replace(b"service-b", b"\xff" * 9) + one
    headers = [("tocsin_format", b"otlp")]
    read = read_record(METRICS, value, headers, stamped=STAMPED)
    assert [each.service for each in read.signals] == ["a", "a"]
    assert read.unread == ("resourceMetrics[1]",)


@pytest.mark.parametrize("end", [b"\x13", b"\x18" + b"\xff" * 10, b"\x18\xff", b"\x12\x05a"])
def test_what_is_no_protobuf_at_all_is_refused(end):
    other = protobuf(orjson.dumps(of_resources(named("service-b"))))
    value = other.replace(b"service-b", b"\xff" * 9) + end
    with pytest.raises(Unreadable, match=r"^value: is no OTLP request for metrics in protobuf"):
        read_record(METRICS, value, [("tocsin_format", b"otlp")], stamped=STAMPED)
