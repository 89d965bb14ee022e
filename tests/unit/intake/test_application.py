"""What publishers post, and what they are answered: each as its own documentation has it."""

import asyncio
import gzip
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import cramjam
import httpx
import orjson
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from schemas.telemetry import HealthV1, MetricV1
from schemas.topics import HEALTH, TELEMETRY
from streams.agents.outgoing import Outgoing
from streams.intake.application import application
from streams.intake.settings import IntakeSettings
from streams.intake.taking import Intake
from streams.policy import Policy
from streams.telemetry.reading import read_record
from tests.payloads import REMOTE_WRITE_1, REMOTE_WRITE_2, example, part

AT = datetime(2027, 1, 15, 8, tzinfo=UTC)
STAMPED = int(AT.timestamp() * 1_000)
TOKEN = "token-of-the-collectors"
PROTOBUF = "application/x-protobuf"
JSON = "application/json"
HEALTHY = HealthV1(occurred_at=AT, service="shop", check="Database", status="healthy").to_wire()


class Broker:
    """Remembers what it confirmed; it can be away, or take its time."""

    def __init__(self) -> None:
        self.sent: list[Outgoing] = []
        self.fails: Exception | None = None
        self.waits: asyncio.Event | None = None
        self.asked = asyncio.Event()

    async def send_records(self, records: Sequence[Outgoing]) -> None:
        self.asked.set()
        if self.waits is not None:
            await self.waits.wait()
        if self.fails is not None:
            raise self.fails
        self.sent += records

    def signals(self) -> list[Any]:
        """What a hop reads of all of it."""
        topics = {topic.name: topic for topic in TELEMETRY}
        return [
            signal
            for record in self.sent
            for signal in read_record(
                topics[record.topic], record.value, record.headers, stamped=STAMPED
            ).signals
        ]


class Governing:
    """Has a policy."""

    def __init__(self, **intake: Any) -> None:
        self.policy = Policy(intake=IntakeSettings(**intake))


def intake_of(broker: Broker, governing: Any = None, **how: Any) -> Intake:
    return Intake(governing or Governing(), broker, lambda: AT, **how)


async def post(
    intake: Intake, path: str, body: Any, headers: dict[str, str] | None = None
) -> httpx.Response:
    transport = httpx.ASGITransport(app=application(intake))
    async with httpx.AsyncClient(transport=transport, base_url="http://intake") as client:
        return await client.post(path, headers=headers, content=body)


@pytest.fixture
def broker() -> Broker:
    return Broker()


# -- OpenTelemetry --------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    ("path", "name", "kind", "answer"),
    [
        ("/v1/metrics", "metrics", JSON, b"{}"),
        ("/v1/metrics", "metrics-protobuf", PROTOBUF, b""),
        ("/v1/logs", "logs", JSON, b"{}"),
        ("/v1/logs", "logs-protobuf", PROTOBUF, b""),
    ],
)
async def test_a_collector_is_answered_in_its_own_encoding(
    broker, path, name, kind, answer, packed
) -> None:
    """The exporter takes any other answer for a failure, or cannot read it."""
    of = example("otlp", name)
    body = gzip.compress(of.value) if packed else of.value
    headers = {"Content-Type": kind} | ({"Content-Encoding": "gzip"} if packed else {})
    said = await post(intake_of(broker), path, body, headers)
    assert (said.status_code, said.headers["content-type"], said.content) == (200, kind, answer)
    expected = read_record(of.topic, of.value, stamped=STAMPED).signals
    assert broker.signals() == [*expected]
    assert {record.topic for record in broker.sent} == {of.topic.name}
    assert dict(broker.sent[0].headers)["tocsin_format"] == b"otlp"


def broken_metrics() -> bytes:
    """A request of two metrics of which one has no name."""
    request = ExportMetricsServiceRequest()
    request.ParseFromString(example("otlp", "metrics-protobuf").value)
    request.resource_metrics[0].scope_metrics[0].metrics.add().gauge.data_points.add(
        time_unix_nano=1
    )
    return request.SerializeToString()


async def test_what_is_rejected_of_a_batch_is_said_as_partial_success(broker) -> None:
    """The Collector would think that all of it arrived, or send all of it again."""
    said = await post(
        intake_of(broker), "/v1/metrics", broken_metrics(), {"Content-Type": PROTOBUF}
    )
    answer = ExportMetricsServiceResponse.FromString(said.content)
    assert (said.status_code, answer.partial_success.rejected_data_points) == (200, 1)
    assert answer.partial_success.error_message.endswith(".name: is missing")
    assert broker.signals()

    logs = orjson.loads(example("otlp", "logs").value)
    logs["resourceLogs"][0]["scopeLogs"][0]["logRecords"].append({"timeUnixNano": "never"})
    said = await post(intake_of(broker), "/v1/logs", orjson.dumps(logs), {"Content-Type": JSON})
    partial = said.json()["partialSuccess"]
    assert partial["rejectedLogRecords"] == "1"
    assert "timeUnixNano: expected int" in partial["errorMessage"]


async def test_a_request_that_is_wrong_is_refused_with_a_status(broker) -> None:
    """The Collector drops what is answered with 400, and logs the message."""
    text = "value: is no OTLP request for metrics in protobuf"
    said = await post(intake_of(broker), "/v1/metrics", b"\x0a\xff", {"Content-Type": PROTOBUF})
    # Field 2 of google.rpc.Status.
    assert (said.status_code, said.content) == (400, part(2, text))
    assert said.headers["content-type"] == PROTOBUF
    said = await post(intake_of(broker), "/v1/logs", b"{}", {"Content-Type": JSON})
    assert said.status_code == 400
    assert said.json() == {"message": "value: has neither resourceMetrics nor resourceLogs"}
    assert broker.sent == []


async def test_a_request_with_nothing_in_it_is_a_success(broker) -> None:
    """The specification says so: exporters send such."""
    said = await post(intake_of(broker), "/v1/logs", b"", {"Content-Type": PROTOBUF})
    assert (said.status_code, ExportLogsServiceResponse.FromString(said.content)) == (
        200,
        ExportLogsServiceResponse(),
    )


async def test_traces_are_refused_for_good_and_it_says_what_to_export(broker) -> None:
    """A pipeline of traces would fill the exporter's queue for ever."""
    said = await post(intake_of(broker), "/v1/traces", b"\x0a\x00", {"Content-Type": PROTOBUF})
    text = "traces are not read: export metrics to /v1/metrics and logs to /v1/logs"
    assert (said.status_code, said.content) == (404, part(2, text))


# -- Prometheus -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "given", "written"),
    [("version-1", REMOTE_WRITE_1, None), ("version-2", REMOTE_WRITE_2, ("1", "0", "0"))],
)
async def test_prometheus_writes(broker, name, given, written) -> None:
    """Version 2 takes a success without counts for a receiver that understood nothing."""
    of = example("prometheus_remote_write", name)
    headers = {key: value.decode() for key, value in given}
    said = await post(intake_of(broker), "/api/v1/write", of.value, headers)
    assert (said.status_code, said.content) == (204, b"")
    counts = [
        said.headers.get(f"x-prometheus-remote-write-{each}-written")
        for each in ("samples", "histograms", "exemplars")
    ]
    assert counts == ([None] * 3 if written is None else [*written])
    expected = read_record(of.topic, of.value, of.headers, stamped=STAMPED).signals
    assert broker.signals() == [*expected]


async def test_prometheus_is_told_of_a_wrong_series_and_the_others_are_written(broker) -> None:
    """The specification wants 400, which Prometheus does not send again, and logs with the text."""

    def series(name: str) -> bytes:
        labels = part(1, part(1, name) + part(2, "x")) + part(1, part(1, "job") + part(2, "shop"))
        return part(1, labels + part(2, part(1, 1.0) + part(2, STAMPED)))

    body = bytes(cramjam.snappy.compress_raw(series("__name__") + series("nome")))
    headers = {key: value.decode() for key, value in REMOTE_WRITE_1}
    said = await post(intake_of(broker), "/api/v1/write", body, headers)
    assert (said.status_code, said.text) == (400, "timeseries[1].labels: have no __name__\n")
    assert [signal.name for signal in broker.signals()] == ["x"]


async def test_what_is_not_written_is_not_counted_as_written(broker) -> None:
    """Version 2 tells its operators from the counts how much got lost."""
    labels = b"".join(part(4, each) for each in ("", "__name__", "up", "job", "shop"))

    def series(*references: int) -> bytes:
        return part(5, part(1, bytes(references)) + part(2, part(1, 1.0) + part(2, STAMPED)))

    right, wrong = series(1, 2, 3, 4), series(1, 9, 3, 4)
    body = bytes(cramjam.snappy.compress_raw(labels + right + wrong + right))
    headers = {key: value.decode() for key, value in REMOTE_WRITE_2}
    said = await post(intake_of(broker), "/api/v1/write", body, headers)
    text = "timeseries[1].labels_refs: refer to symbols that are not there\n"
    assert (said.status_code, said.text) == (400, text)
    assert said.headers["x-prometheus-remote-write-samples-written"] == "2"


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"Content-Encoding": "gzip"}, "Content-Encoding: must be snappy\n"),
        ({"Content-Type": JSON}, "Content-Type: must be application/x-protobuf\n"),
    ],
)
async def test_what_is_no_remote_write_is_told_what_it_would_be(broker, headers, said) -> None:
    """Otherwise it would be taken for nonsense."""
    given = {key: value.decode() for key, value in REMOTE_WRITE_1} | headers
    answer = await post(intake_of(broker), "/api/v1/write", b"x", given)
    assert (answer.status_code, answer.text) == (415, said)


# -- webhooks, and our own ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("alertmanager", "firing"),
        ("grafana", "two-firing"),
        ("cloudwatch", "sns-alarm"),
        ("datadog", "variables-triggered"),
        ("sentry", "issue-alert"),
        ("pagerduty", "resolved"),
        ("syslog", "example-1"),
        ("telegraf", "batch"),
        ("cloudevents", "structured"),
    ],
)
async def test_each_format_is_posted_by_its_name(broker, kind, name) -> None:
    """Whoever reads the name of a format would guess this address."""
    of = example(kind, name)
    # Amazon SNS calls its JSON a text.
    said = await post(
        intake_of(broker), f"/v1/signals/{kind}", of.value, {"Content-Type": "text/plain"}
    )
    expected = read_record(of.topic, of.value, of.headers, stamped=STAMPED).signals
    assert (said.status_code, said.json()) == (200, {"accepted": len(expected)})
    assert broker.signals() == [*expected]


async def test_headers_say_what_an_event_is_and_others_do_not_travel(broker) -> None:
    """CloudEvents in parts and Sentry's time stand in them; a token must not end in a topic."""
    data = MetricV1(occurred_at=AT, service="shop", name="load", value=1).to_wire()
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "C%201",
        "ce-type": "tocsin.telemetry.metric.v1",
        "ce-source": "/shop",
        "content-type": JSON,
        "authorization": f"Bearer {TOKEN}",
        "tocsin_tenant": "acme",
        "tocsin_unread": "alerts[1]",
    }
    said = await post(intake_of(broker), "/v1/signals/health", data, headers)
    assert said.json() == {"accepted": 1}
    (record,) = broker.sent
    assert record.topic == "telemetry.metrics"
    assert dict(record.headers) == {
        "ce_specversion": b"1.0",
        "ce_id": b"C 1",
        "ce_type": b"tocsin.telemetry.metric.v1",
        "ce_source": b"/shop",
        "content-type": b"application/json",
        "tocsin_format": b"cloudevents",
    }
    over = example("sentry", "issue-resolved")
    hook = {"Sentry-Hook-Resource": "issue", "Sentry-Hook-Timestamp": "1566250000"}
    await post(intake_of(broker), "/v1/signals/external", over.value, hook)
    assert broker.signals()[-1].occurred_at == datetime.fromtimestamp(1566250000, UTC)


async def test_our_own_json_is_posted_by_what_it_is(broker) -> None:
    """The first thing that a newcomer tries."""
    said = await post(intake_of(broker), "/v1/signals/health", HEALTHY)
    assert (said.status_code, said.json()) == (200, {"accepted": 1})
    (record,) = broker.sent
    assert (record.topic, record.key, record.value) == (HEALTH.name, b"default/shop", HEALTHY)
    wrong = json.loads(HEALTHY) | {"status": "unwell"}
    body = b"\n".join((HEALTHY, orjson.dumps(wrong)))
    said = await post(intake_of(broker), "/v1/signals/health", body)
    text = "line 2: status: input should be 'healthy', 'degraded' or 'unhealthy'"
    assert (said.status_code, said.json()) == (
        200,
        {"accepted": 1, "rejected": 1, "detail": text},
    )
    said = await post(intake_of(broker), "/v1/signals/health", orjson.dumps(wrong))
    assert (said.status_code, said.json()) == (400, {"detail": text.removeprefix("line 2: ")})


async def test_an_unknown_name_is_told_which_there_are(broker) -> None:
    """Otherwise somebody would have to read the source."""
    said = await post(intake_of(broker), "/v1/signals/metric", b"{}")
    assert said.status_code == 404
    assert said.json()["detail"] == (
        "there is nothing of this name: there are alertmanager, cloudevents, cloudwatch, datadog, external, "
        "grafana, health, logs, metrics, pagerduty, prometheus_remote_write, sentry, syslog, telegraf"
    )


@pytest.mark.parametrize(
    ("method", "path", "code", "said"),
    [
        ("GET", "/", 404, "there is nothing here: /openapi.json lists the addresses"),
        ("POST", "/api/v2/write", 404, "there is nothing here: /openapi.json lists the addresses"),
        ("GET", "/v1/metrics", 405, "telemetry is posted here: send it with POST"),
    ],
)
async def test_who_asks_in_the_wrong_place_is_told_the_right_one(
    broker, method, path, code, said
) -> None:
    """A person tries the address in a browser first."""
    transport = httpx.ASGITransport(app=application(intake_of(broker)))
    async with httpx.AsyncClient(transport=transport, base_url="http://intake") as client:
        answer = await client.request(method, path)
    assert (answer.status_code, answer.json()) == (code, {"detail": said})


async def test_the_description_names_every_address() -> None:
    """Whoever writes a producer reads it."""
    app = application(intake_of(Broker()))
    assert set(app.openapi()["paths"]) == {
        "/v1/metrics",
        "/v1/logs",
        "/v1/traces",
        "/api/v1/write",
        "/v1/signals/{name}",
    }
