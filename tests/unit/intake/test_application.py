"""What publishers post, and what they are answered: each as its own documentation has it."""

import asyncio
import gzip
import hashlib
import hmac
import json
import logging
from collections.abc import AsyncIterator, Sequence
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
from prometheus_client import REGISTRY

from schemas import limits
from schemas.telemetry import HealthV1, MetricV1
from schemas.topics import HEALTH, TELEMETRY
from streams.agents.outgoing import Outgoing
from streams.errors import Rejected, Unavailable
from streams.intake.application import application
from streams.intake.room import Room
from streams.intake.settings import IntakeSettings
from streams.intake.taking import Intake
from streams.policy import Policy
from streams.telemetry.formats.alertmanager import Alertmanager
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


def count(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


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


# -- who may, how much, and when not --------------------------------------------------------------


async def test_without_a_token_nothing_is_taken_and_with_one_it_is_its_tenants(broker) -> None:
    """Otherwise anybody could raise alarms, of whomever."""
    tokens = [{"name": "collectors", "token": TOKEN, "tenant": "acme"}]
    intake = intake_of(broker, Governing(tokens=tokens))
    refused = await post(intake, "/v1/signals/health", HEALTHY)
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert "intake.tokens" in refused.json()["detail"]
    assert broker.sent == []
    shown = {"Authorization": f"Bearer {TOKEN}", "Origin": "https://example.org"}
    assert (await post(intake, "/v1/signals/health", HEALTHY, shown)).status_code == 200
    assert (broker.sent[0].key, broker.signals()[0].tenant) == (b"acme/shop", "acme")


async def test_a_signed_webhook_needs_no_token(broker) -> None:
    """Sentry can show none."""
    secret = {"format": "sentry", "secret": "client-secret"}
    intake = intake_of(broker, Governing(signatures=[secret]))
    body = example("sentry", "issue-alert").value
    signature = hmac.new(b"client-secret", body, hashlib.sha256).hexdigest()
    for given, code in ((signature, 200), ("0" * 64, 401)):
        headers = {"Sentry-Hook-Signature": given}
        assert (await post(intake, "/v1/signals/sentry", body, headers)).status_code == code
        assert (await post(intake, "/v1/signals/health", body, headers)).status_code == 401
    assert len(broker.sent) == 1


async def test_a_web_page_posts_nothing_where_no_token_is_asked_for(broker) -> None:
    """Any page could raise alarms on the machine of whoever reads it."""
    said = await post(intake_of(broker), "/v1/signals/health", HEALTHY, {"Origin": "null"})
    assert said.status_code == 401
    assert said.json() == {"detail": "web pages may not post where no token is asked for"}
    assert broker.sent == []


async def test_a_policy_that_is_published_holds_for_the_next_request(broker) -> None:
    """A token that was withdrawn would go on letting somebody in."""
    governing = Governing()
    intake = intake_of(broker, governing)
    body = example("alertmanager", "firing").value
    assert (await post(intake, "/v1/signals/external", body)).status_code == 200
    governing.policy = Policy(
        intake=IntakeSettings(tokens=[{"name": "a", "token": TOKEN}]),
        formats=(Alertmanager(tenant="eu"),),
    )
    assert (await post(intake, "/v1/signals/external", body)).status_code == 401
    shown = {"Authorization": f"Bearer {TOKEN}"}
    assert (await post(intake, "/v1/signals/external", body, shown)).status_code == 200
    assert {(record.key or b"").partition(b"/")[0] for record in broker.sent} == {b"default", b"eu"}


BUSY = [("/v1/metrics", 429), ("/v1/signals/health", 503), ("/api/v1/write", 503)]


@pytest.mark.parametrize(("path", "code"), BUSY)
async def test_what_does_not_fit_is_kept_by_its_sender(broker, path, code) -> None:
    """Prometheus, Alertmanager and Amazon SNS drop what is answered with 429; OpenTelemetry sends it again."""
    broker.waits = asyncio.Event()
    intake = intake_of(broker, room=Room(requests=1))
    first = asyncio.create_task(post(intake, "/v1/signals/health", HEALTHY))
    await broker.asked.wait()
    headers = {"Content-Type": PROTOBUF, "Content-Encoding": "snappy"}
    second = await post(intake, path, b"x", headers)
    assert (second.status_code, second.headers["retry-after"]) == (code, "1")
    broker.waits.set()
    assert (await first).status_code == 200
    assert intake.room.in_hand == 0


async def test_bodies_that_are_too_much_together_are_kept_by_their_senders(broker) -> None:
    """Otherwise a few large ones would take all the memory."""
    intake = intake_of(broker, room=Room(size=len(HEALTHY) - 1))
    assert (await post(intake, "/v1/signals/health", HEALTHY)).status_code == 503
    intake = intake_of(broker, room=Room(size=len(HEALTHY)))
    assert (await post(intake, "/v1/signals/health", HEALTHY)).status_code == 200


@pytest.mark.parametrize("path", ["/v1/metrics", "/v1/signals/health", "/api/v1/write"])
async def test_what_the_broker_does_not_confirm_is_sent_again(broker, path) -> None:
    """Otherwise it would be lost without a word."""
    broker.fails = Unavailable("the broker did not confirm a message on telemetry.health (X)")
    of = example("prometheus_remote_write", "version-1")
    bodies = {
        "/v1/metrics": (example("otlp", "metrics-protobuf").value, {"Content-Type": PROTOBUF}),
        "/api/v1/write": (of.value, {key: value.decode() for key, value in REMOTE_WRITE_1}),
    }
    body, headers = bodies.get(path, (HEALTHY, {}))
    before = count("tocsin_intake_signals_total", address="health")
    said = await post(intake_of(broker), path, body, headers)
    assert (said.status_code, said.headers["retry-after"]) == (503, "5")
    assert b"the broker did not confirm" in said.content
    assert count("tocsin_intake_signals_total", address="health") == before


async def test_what_the_broker_can_never_take_is_refused_for_good(broker) -> None:
    """Otherwise Prometheus would send it for ever, and nothing after it."""
    broker.fails = Rejected("value: is larger than the broker takes")
    said = await post(intake_of(broker), "/v1/signals/health", HEALTHY)
    assert said.status_code == 400


async def test_until_the_policy_is_known_everything_is_kept_by_its_sender(broker) -> None:
    """The folder's tokens may be old ones."""
    intake = intake_of(broker, missing=lambda: "the topics are still being read")
    said = await post(intake, "/v1/signals/health", HEALTHY)
    assert (said.status_code, said.headers["retry-after"]) == (503, "5")
    assert said.json() == {"detail": "the topics are still being read"}


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b" " * 1_000_000


async def test_a_body_that_is_too_large_is_refused_for_good(broker) -> None:
    """Whoever sends it would send it again, and again."""
    intake = intake_of(broker)
    for body in (b" " * (limits.POSTED_BYTES + 1), endless()):
        said = await post(intake, "/v1/metrics", body, {"Content-Type": JSON})
        assert (said.status_code, said.json()) == (
            413,
            {"message": f"at most {limits.POSTED_BYTES} bytes are read"},
        )
    assert intake.room.in_hand == 0


async def test_what_is_refused_and_what_is_rejected_is_counted_and_logged(
    broker, caplog: pytest.LogCaptureFixture
) -> None:
    """An operator would not learn that a producer sends what nobody can read."""
    names = {
        "taken": ("tocsin_intake_requests_total", {"address": "health", "status": "200"}),
        "refused": ("tocsin_intake_requests_total", {"address": "health", "status": "400"}),
        "signals": ("tocsin_intake_signals_total", {"address": "health"}),
        "rejected": ("tocsin_intake_rejected_total", {"address": "health"}),
    }
    before = {each: count(name, **labels) for each, (name, labels) in names.items()}
    secret = b'{"password": "hunter2"}'
    both = HEALTHY + b"\n" + secret
    with caplog.at_level(logging.WARNING):
        await post(intake_of(broker), "/v1/signals/health", both)
        await post(intake_of(broker), "/v1/signals/health", secret)
    grown = {each: count(name, **labels) - before[each] for each, (name, labels) in names.items()}
    assert grown == {
        "taken": 1,
        "refused": 1,
        "signals": 1,
        "rejected": 1,
    }
    assert "post taken in part address=health sender=anybody accepted=1 rejected=1" in caplog.text
    assert (
        "post refused address=health status=400 reason=occurred_at: field required" in caplog.text
    )
    assert "hunter2" not in caplog.text


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
