"""Which records a post becomes: whose they are, what is beside the value, and what travels of what is wrong."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import cramjam
import orjson
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from schemas import limits
from schemas.contract import Unreadable
from schemas.telemetry import ExternalV1, LogV1, MetricV1, Signal
from schemas.topics import EXTERNAL, HEALTH, LOGS, METRICS, TELEMETRY, TopicDeclaration
from streams.agents.outgoing import Outgoing
from streams.errors import Rejected
from streams.intake.sorting import RECORD_BYTES, Posted, Sorting, sort
from streams.telemetry.batch import TooLarge
from streams.telemetry.formats.alertmanager import Alertmanager
from streams.telemetry.formats.telegraf import Telegraf
from streams.telemetry.reading import Formats, Read, read_record
from tests.payloads import STALE, Published, example, part, published

AT = datetime(2027, 1, 15, 8, tzinfo=UTC)
STAMPED = int(AT.timestamp() * 1_000)
NO_NUMBER = "value: input should be a valid number, unable to parse string as a number"
NAMED: dict[str, Any] = {topic.name: topic for topic in TELEMETRY}


def posted(value: bytes, topic: TopicDeclaration = EXTERNAL, **said: Any) -> Sorting:
    return sort(Posted(topic, value, **said), Formats(), AT)


def heard(record: Outgoing) -> Read:
    """Return what a hop reads of a record."""
    assert record.value is not None
    return read_record(NAMED[record.topic], record.value, record.headers, stamped=STAMPED)


def alerts(*services: str, **changed: Any) -> bytes:
    """A notification of Alertmanager about these services."""
    group = json.loads(example("alertmanager", "firing").value)
    first = group["alerts"][0]
    group["alerts"] = [
        first | {"labels": {"alertname": "Down", "service": each}, "fingerprint": f"f{number}"}
        for number, each in enumerate(services)
    ]
    return json.dumps(group | changed).encode()


def metric(service: str = "shop", **changed: Any) -> dict[str, Any]:
    made = MetricV1(occurred_at=AT, service=service, name="load", value=1)
    return json.loads(made.to_wire()) | changed


def lines(*documents: Any) -> bytes:
    return b"\n".join(orjson.dumps(each) for each in documents)


@pytest.mark.parametrize("of", published(), ids=lambda of: f"{of.kind}-{of.name}")
def test_what_is_posted_is_read_later_as_it_would_have_been_from_a_topic(of: Published) -> None:
    """Otherwise a producer that cannot speak Kafka would get other alerts than one that can."""
    expected = read_record(of.topic, of.value, of.headers, stamped=STAMPED).signals
    headers = tuple((name.lower(), value) for name, value in of.headers)
    binary = not of.is_json and of.kind != "syslog"
    made = posted(of.value, of.topic, headers=headers, binary=binary)

    found: list[Signal] = []
    for record in made.records:
        signals = heard(record).signals
        places = {f"{each.tenant}/{each.service}".encode() for each in signals}
        assert record.key in places | {b"default/pagerduty"}
        assert record.topic == next(
            name for name, topic in NAMED.items() if isinstance(signals[0], topic.contract)
        )
        found += signals
    assert Counter(each.to_wire() for each in found) == Counter(each.to_wire() for each in expected)
    assert (made.accepted, made.unread, made.said) == (len(expected), [], "")


def test_one_service_stays_as_it_was_written() -> None:
    """Otherwise nobody could replay what was really sent."""
    body = alerts("shop", "shop").replace(b", ", b" ,  ")
    (record,) = posted(body).records
    assert (record.topic, record.key, record.value) == ("telemetry.external", b"default/shop", body)
    assert record.headers == (("tocsin_format", b"alertmanager"),)


def test_several_services_are_a_record_each() -> None:
    """Rules remember a service in its partition: in another's they would hear nothing of it."""
    made = posted(alerts("shop", "bank", "shop"))
    assert [
        (each.key, [signal.alert_id for signal in heard(each).signals]) for each in made.records
    ] == [(b"default/shop", ["f0", "f2"]), (b"default/bank", ["f1"])]
    # What stands beside the alerts is in both.
    groups = {orjson.loads(each.value or b"")["groupKey"] for each in made.records}
    assert len(groups) == 1


def test_of_a_wrong_alert_the_others_count_and_it_is_told() -> None:
    """Otherwise one of them would be lost without a word, or take the others with it."""
    group = orjson.loads(alerts("shop", "bank", "till"))
    group["alerts"][1]["startsAt"] = "yesterday"
    made = posted(orjson.dumps(group))
    assert (made.accepted, made.unread) == (2, ["alerts[1]"])
    assert made.said == "alerts[1].startsAt: is no RFC 3339 time"
    assert [each.key for each in made.records] == [b"default/shop", None, b"default/till"]
    with pytest.raises(Unreadable, match=r"alerts\[0\].startsAt: is no RFC 3339 time"):
        heard(made.records[1])

    # Where the others are of one service, all of it travels as it is.
    group["alerts"][2]["labels"]["service"] = "shop"
    whole = orjson.dumps(group)
    (record,) = posted(whole).records
    assert (record.value, heard(record).unread) == (whole, ("alerts[1]",))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "the value is empty: this topic carries no tombstones"),
        (b"{", "value: is not JSON: it ends too soon"),
        (b"[", "value: is not JSON"),
        (b"[1, 2]", "[0]: value: input should be an object; it looks like no other format"),
        (
            b'{"occurred_at": "2027-01-15T08:00:00Z", "service": "a"}',
            "source: field required; alert_id: field required; state: field required; summary: field required",
        ),
    ],
)
def test_what_is_wrong_as_a_whole_is_refused_in_the_words_of_dead_letters(
    body: bytes, said: str
) -> None:
    """Otherwise whoever posts it would not learn what to mend."""
    with pytest.raises((Unreadable, Rejected)) as refusal:
        posted(body)
    assert str(refusal.value).startswith(said)


def test_of_a_resource_that_cannot_be_read_everything_is_kept_for_a_person() -> None:
    """Its points would be gone: they are no signals, and nobody's."""
    point = {"timeUnixNano": str(STAMPED * 1_000_000), "asDouble": 1}
    load = {"name": "load", "gauge": {"dataPoints": [point]}}
    services = ({"stringValue": "a"}, 5, {"stringValue": "b"})
    resources = [
        {
            "resource": {"attributes": [{"key": "service.name", "value": service}]},
            "scopeMetrics": [{"metrics": [load, load]}],
        }
        for service in services
    ]
    made = posted(orjson.dumps({"resourceMetrics": resources}), METRICS)
    assert (made.accepted, made.unread) == (4, ["resourceMetrics[1]"])
    keyed = {record.key: record for record in made.records}
    assert keyed.keys() == {b"default/a", b"default/b", None}
    with pytest.raises(Unreadable):
        heard(keyed[None])
    assert keyed[None].value is not None
    assert orjson.loads(keyed[None].value)["resourceMetrics"] == [resources[1]]


@pytest.mark.parametrize("form", [lines, lambda *each: orjson.dumps(each)], ids=["lines", "array"])
def test_our_own_json_comes_in_lines_and_in_arrays(form: Any) -> None:
    """A script has no other way to post more than one event at once."""
    made = posted(form(metric("shop"), metric("bank"), metric("shop", name="errors")), METRICS)
    assert [each.key for each in made.records] == [
        b"default/shop",
        b"default/bank",
        b"default/shop",
    ]
    marks = dict(made.records[0].headers)
    assert (marks["ce_type"], marks["ce_source"]) == (
        b"tocsin.telemetry.metric.v1",
        b"/tocsin/intake",
    )
    assert made.accepted == 3


def test_of_wrong_lines_the_others_count_and_they_become_dead_letters() -> None:
    """Otherwise one wrong line of a thousand would lose the others, or itself."""
    wrong = metric("bank", value="much")
    made = posted(lines(metric("shop"), wrong), METRICS)
    assert (made.accepted, made.unread) == (1, ["line 2"])
    assert made.said == f"line 2: {NO_NUMBER}"
    assert [(each.key, each.value) for each in made.records] == [
        (b"default/shop", orjson.dumps(metric("shop"))),
        (None, orjson.dumps(wrong)),
    ]
    with pytest.raises(Unreadable, match=f"line 1: {NO_NUMBER}"):
        posted(lines(wrong, wrong), METRICS)


def test_where_more_than_a_hundred_lines_are_wrong_nothing_counts() -> None:
    """Otherwise one program that writes something else would fill the dead letters."""
    wrong = [metric(value="much")] * (limits.BATCH_FAULTS + 1)
    with pytest.raises(Unreadable, match="more than 100 elements are wrong, and none counts"):
        posted(lines(metric(), *wrong), METRICS)
    assert posted(lines(metric(), *wrong[1:]), METRICS).accepted == 1


def test_events_of_several_contracts_go_to_their_topics() -> None:
    """History counts in each topic what belongs there."""
    events = [
        {"specversion": "1.0", "id": str(n), "source": "/x", "type": each.event_type, "data": data}
        for n, (each, data) in enumerate(
            [
                (MetricV1, metric("shop")),
                (LogV1, {"occurred_at": AT.isoformat(), "service": "shop", "body": "x"}),
            ]
        )
    ]
    headers = (("content-type", b"application/cloudevents-batch+json"),)
    made = posted(orjson.dumps(events), HEALTH, headers=headers)
    assert [(each.topic, each.key) for each in made.records] == [
        ("telemetry.metrics", b"default/shop"),
        ("telemetry.logs", b"default/shop"),
    ]
    assert [heard(each).signals[0].signal_id for each in made.records] == ["0", "1"]


def test_what_a_producer_says_of_its_event_stays_said() -> None:
    """Records with the same id are the same event: another id would make it two."""
    marks = (("ce_type", MetricV1.event_type.encode()), ("ce_id", b"its-own"))
    (record,) = posted(orjson.dumps(metric()), METRICS, headers=marks).records
    assert record.headers == marks


def test_messages_of_syslog_come_one_in_each_line() -> None:
    """Collectors of logs post many at once."""
    of = [example("syslog", f"example-{number}").value.strip() for number in (1, 2)]
    made = posted(b"\n".join(of), LOGS)
    assert [each.value for each in made.records] == of


def test_a_token_says_whose_it_is_whatever_that_says_itself() -> None:
    """Otherwise one tenant could raise alarms of another."""
    for body, topic in (
        (alerts("shop", "bank"), EXTERNAL),
        (orjson.dumps(metric(tenant="globex")), METRICS),
    ):
        for record in posted(body, topic, tenant="acme").records:
            assert (record.key or b"").startswith(b"acme/")
            assert {each.tenant for each in heard(record).signals} == {"acme"}


@pytest.mark.parametrize("topic", [METRICS, EXTERNAL], ids=lambda topic: topic.name)
def test_a_format_is_read_as_the_policy_says_of_the_topic_where_it_belongs(
    topic: TopicDeclaration,
) -> None:
    """Whatever the address, detection reads it there: under another name it would be in another partition."""
    own = Formats([Telegraf(topics=("telemetry.metrics",), service=("rack",))])
    body = orjson.loads(example("telegraf", "standard").value)
    body["tags"] |= {"rack": "r1", "host": "h1"}
    (record,) = sort(Posted(topic, orjson.dumps(body)), own, AT).records
    assert (record.topic, record.key) == ("telemetry.metrics", b"default/r1")


def test_more_documents_than_signals_are_read_at_once_are_refused() -> None:
    """Each would become a record: millions of small ones would take all the memory."""
    with pytest.raises(TooLarge, match="holds more than 20000 signals: send smaller batches"):
        posted(b"[" + b"1," * limits.BATCH_SIGNALS + b"1]", METRICS)


def test_as_many_documents_and_bytes_as_are_read_at_once_are_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A sender that keeps to the limit would be refused."""
    monkeypatch.setattr(limits, "BATCH_SIGNALS", 3)
    assert posted(lines(*3 * [metric()]), METRICS).accepted == 3
    with pytest.raises(TooLarge):
        posted(lines(*4 * [metric()]), METRICS)
    whole = alerts("shop").ljust(RECORD_BYTES)
    assert posted(whole).records[0].value == whole
    with pytest.raises(TooLarge, match=f"at most {RECORD_BYTES} are read"):
        posted(whole + b" ")


def test_formats_are_read_as_the_policy_says() -> None:
    """Detection would look for the service in one partition and find it in another."""
    formats = Formats([Alertmanager(service=["alertname"], tenant="eu")])
    (record,) = sort(Posted(EXTERNAL, alerts("shop", "bank")), formats, AT).records
    assert record.key == b"eu/Down"


def test_that_an_issue_is_over_is_kept_with_that_it_fires() -> None:
    """Sentry tells the end without the tags with which it fired: in another partition nobody would find what ends."""
    fired, over = example("sentry", "issue-alert"), example("sentry", "issue-resolved")
    event = orjson.loads(fired.value)
    event["data"]["event"]["tags"] = [["service", "checkout"]]
    (first,) = posted(orjson.dumps(event)).records
    signal = heard(first).signals[0]
    assert (signal.service, first.key) == (
        "checkout",
        f"default/{signal.labels['project']}".encode(),
    )
    (last,) = posted(over.value).records
    assert last.key == f"default/{heard(last).signals[0].service}".encode()


def test_an_incident_that_moved_to_another_service_is_kept_with_itself() -> None:
    """PagerDuty's people move them: the end would be looked for where the incident never was."""
    over = orjson.loads(example("pagerduty", "resolved").value)
    keys = set()
    for service in ("shop", "bank"):
        over["event"]["data"]["service"]["summary"] = service
        (record,) = posted(orjson.dumps(over)).records
        assert heard(record).signals[0].service == service
        keys.add(record.key)
    assert keys == {b"default/pagerduty"}


def test_what_asks_something_of_a_person_travels_to_the_dead_letters() -> None:
    """Amazon SNS would send nothing until somebody opens the address that only this request tells."""
    asks = b'{"Type": "SubscriptionConfirmation", "MessageId": "1", "TopicArn": "a", "Message": "x", "SubscribeURL": "u"}'
    made = posted(asks)
    assert [each.value for each in made.records] == [asks]
    assert made.said == "Type: asks to confirm a subscription: open the SubscribeURL of this record"


def test_what_gives_no_signal_is_accepted_and_goes_nowhere() -> None:
    """Publishers send it as well: refused, they would say that something is wrong."""
    assert posted(b"[]", METRICS) == Sorting()
    assert posted(b'{"resourceMetrics": []}', METRICS) == Sorting()


def large_logs(services: int, count: int) -> ExportLogsServiceRequest:
    """A request of the Collector that no record holds."""
    request = ExportLogsServiceRequest()
    for number in range(services):
        resource = request.resource_logs.add()
        name = resource.resource.attributes.add(key="service.name")
        name.value.string_value = f"service-{number}"
        scope = resource.scope_logs.add()
        for place in range(count):
            record = scope.log_records.add(time_unix_nano=STAMPED * 1_000_000 + place)
            record.body.string_value = f"{number}-{place} " + "x" * 1_000
    return request


def test_what_no_record_holds_becomes_several() -> None:
    """The Collector sends what it has in one request: refused, it would be gone."""
    made = posted(large_logs(2, 2_000).SerializeToString(), LOGS, binary=True, headers=OTLP)
    assert all(len(each.value or b"") <= RECORD_BYTES for each in made.records)
    assert {each.key for each in made.records} == {b"default/service-0", b"default/service-1"}
    bodies = [
        each.body[:10].split()[0] for record in made.records for each in heard(record).signals
    ]
    assert bodies == [f"{number}-{place}" for number in range(2) for place in range(2_000)]
    assert made.accepted == 4_000


OTLP = (("tocsin_format", b"otlp"),)


def test_one_element_that_no_record_holds_is_told_and_the_others_count() -> None:
    """Otherwise one huge line would lose all that was sent with it."""
    request = large_logs(1, 3)
    request.resource_logs[0].scope_logs[0].log_records[1].body.string_value = "x" * RECORD_BYTES
    made = posted(request.SerializeToString(), LOGS, binary=True, headers=OTLP)
    assert made.accepted == 2
    assert made.said.endswith(f"bytes: at most {RECORD_BYTES} are read")

    alone = large_logs(1, 1)
    alone.resource_logs[0].scope_logs[0].log_records[0].body.string_value = "x" * RECORD_BYTES
    with pytest.raises(TooLarge, match=f"at most {RECORD_BYTES} are read"):
        posted(alone.SerializeToString(), LOGS, binary=True, headers=OTLP)


def series(job: str, *values: float) -> bytes:
    labels = part(1, part(1, "__name__") + part(2, "up")) + part(1, part(1, "job") + part(2, job))
    samples = (part(2, part(1, each) + part(2, STAMPED + n)) for n, each in enumerate(values))
    return part(1, labels + b"".join(samples))


def written(*of: bytes) -> Sorting:
    """What a request of Prometheus with these series becomes."""
    headers = (("content-encoding", b"snappy"), ("tocsin_format", b"prometheus_remote_write"))
    packed = bytes(cramjam.snappy.compress_raw(b"".join(of)))
    return posted(packed, METRICS, binary=True, headers=headers)


def test_more_samples_than_are_read_at_once_are_parted() -> None:
    """Prometheus would send them again and again, or drop them, although each is right."""
    made = written(*(series(f"j{n}", *[1.0] * 12_000) for n in range(3)))
    assert made.accepted == 36_000
    assert [each.key for each in made.records] == [b"default/j0", b"default/j1", b"default/j2"]


def test_the_mark_of_a_series_that_ended_is_nobodys() -> None:
    """Every restart of a target sends it, among the samples of other services."""
    made = written(series("shop", 1.0), series("gone", STALE), series("bank", 2.0))
    assert (made.accepted, made.said) == (2, "")
    assert [each.key for each in made.records] == [b"default/shop", b"default/bank"]


def test_what_stands_beside_many_services_does_not_take_all_the_memory() -> None:
    """A megabyte beside a thousand alerts, each of another service, would be a gigabyte."""
    services = [f"s{number}" for number in range(200)]
    beside = {"commonAnnotations": {"text": "x" * 700_000}}
    with pytest.raises(TooLarge) as refusal:
        posted(alerts(*services, **beside))
    assert str(refusal.value) == (
        "value: becomes too much where it is parted by service: send smaller batches"
    )
    assert len(posted(alerts(*services)).records) == 200

    # Nor does what no part can be small enough for.
    request = large_logs(1, 400)
    request.resource_logs[0].resource.attributes.add(key="x").value.string_value = "x" * 2_000_000
    with pytest.raises(TooLarge):
        posted(request.SerializeToString(), LOGS, binary=True, headers=OTLP)


def test_a_part_of_version_2_has_its_own_symbols_alone() -> None:
    """Prometheus sends one table for all its targets: each service's record would repeat it."""
    texts = ["", "__name__", "up", "job", *(f"job-{n}" + "y" * 200 for n in range(50)), "seconds"]
    symbols = b"".join(part(4, each) for each in texts)
    series = [
        part(
            5,
            part(1, bytes([1, 2, 3, 4 + n]))
            + part(2, part(1, 1.0) + part(2, STAMPED))
            + part(4, part(1, bytes([3, 4])) + part(2, 1.0))
            + part(5, part(1, 1) + part(4, 54)),
        )
        for n in range(50)
    ]
    made = written(symbols, *series)
    assert (made.accepted, len(made.records), made.said) == (50, 50, "")
    for number, record in enumerate(made.records):
        unpacked = bytes(cramjam.snappy.decompress_raw(record.value))
        # Its own, and the one of its exemplar.
        assert unpacked.count(b"y" * 200) == (1 if number == 0 else 2)
        (signal,) = heard(record).signals
        assert (signal.service, signal.unit) == (texts[4 + number][:128], "seconds")


def test_a_time_ahead_of_ours_is_refused_as_detection_would() -> None:
    """Otherwise it would be accepted here and be a dead letter there."""
    ahead = metric(occurred_at=(AT + timedelta(minutes=6)).isoformat())
    with pytest.raises(Rejected, match="is more than 5 minutes ahead"):
        posted(orjson.dumps(ahead), METRICS)


def test_an_alert_can_stand_where_metrics_are_posted() -> None:
    """Whoever mistakes the address would lose alerts in a topic in which history does not count them."""
    (record,) = posted(alerts("shop"), METRICS).records
    assert record.topic == "telemetry.external"
    assert isinstance(heard(record).signals[0], ExternalV1)
