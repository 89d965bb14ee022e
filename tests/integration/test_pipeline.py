"""One outage, from the failing check to the rows of the report, through real hops."""

import secrets
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from schemas.alerts import AlertV1
from schemas.commands import Acknowledge, Note, Resolve
from schemas.lifecycle import IncidentV1, StepV1
from schemas.notices import Outcome, Purpose, ReceiptV1
from schemas.telemetry import ExternalV1, HealthStatus, LogV1
from schemas.topics import ALERTS, CURRENT, HEALTH, LIFECYCLE, RECEIPTS
from streams.gateways.clickhouse import ClickHouse
from streams.gateways.incidents import Done, Refused, ask
from streams.gateways.topics import create_topics
from streams.settings import Settings
from streams.telemetry.formats.syslog import Syslog
from streams.telemetry.reading import Formats, read_signals
from tests.brokers import BrokerUnderTest
from tests.payloads import STAMPED, example
from tests.pipeline import (
    ROLES,
    Pipeline,
    Worker,
    ending,
    eventually,
    producing,
    publish,
    read_topic,
)
from tests.world import health

pytestmark = [pytest.mark.broker, pytest.mark.slow]

EXAMPLE_POLICY = Path("deploy/policy")
CHANNELS = {"pagerduty", "sms", "slack", "email", "webhook"}


def check(status: HealthStatus, *, times: int) -> list[Any]:
    began = datetime.now(UTC)
    return [
        health("shop", status, began + timedelta(milliseconds=number)) for number in range(times)
    ]


async def receipts(settings: Settings) -> list[ReceiptV1]:
    return [ReceiptV1.from_wire(each.value) for each in await read_topic(settings, RECEIPTS.name)]


async def current(settings: Settings) -> IncidentV1 | None:
    records = await read_topic(settings, CURRENT.name)
    return IncidentV1.from_wire(records[-1].value) if records else None


async def test_an_outage_is_told_acknowledged_resolved_and_reported(
    pipeline: Pipeline, receivers: Any
) -> None:
    """Nothing else matters if this does not work."""
    settings = pipeline.settings = pipeline.settings.model_copy(update={"policy": EXAMPLE_POLICY})
    pipeline.start()
    await pipeline.ready()

    # Detected, correlated, told to everybody.
    await publish(settings, HEALTH, check(HealthStatus.UNHEALTHY, times=5))
    opened = await eventually(lambda: current(settings), "an incident opens", pipeline.tails)
    assert opened.severity == 1
    assert opened.service == "shop"

    async def all_told(purpose: Purpose) -> bool:
        delivered = {
            each.channel
            for each in await receipts(settings)
            if each.purpose is purpose and each.outcome is Outcome.DELIVERED
        }
        return delivered == CHANNELS

    await eventually(lambda: all_told(Purpose.INITIAL), "every channel is told", pipeline.tails)

    # A person works on it.
    person = {"incident_id": opened.incident_id, "author": "operator"}

    def command(kind: Any, number: int, **given: Any) -> Any:
        return kind(command_id=f"c{number}", occurred_at=datetime.now(UTC), **person, **given)

    for asked in (
        command(Acknowledge, 1),
        command(Note, 2, text="the disk is full"),
        command(Resolve, 3, root_cause="disk full", resolution="logs deleted"),
    ):
        assert isinstance(await ask(settings, asked, source="test"), Done)
    refused = await ask(settings, command(Acknowledge, 4), source="test")
    assert isinstance(refused, Refused)
    assert "resolved" in refused.reason
    await eventually(lambda: all_told(Purpose.RESOLUTION), "all are told it is over")

    # Everything is on the log, once and in order.
    steps = [StepV1.from_wire(each.value) for each in await read_topic(settings, LIFECYCLE.name)]
    assert [step.sequence for step in steps] == list(range(1, len(steps) + 1))
    kinds = [step.kind.value for step in steps]
    assert kinds == ["opened", "acknowledged", "noted", "resolved", "refused"]
    told = Counter((each.channel, each.purpose, each.outcome) for each in await receipts(settings))
    # The beginning, that somebody has taken it, the end: once to each channel.
    told_by = (Purpose.INITIAL, Purpose.UPDATE, Purpose.RESOLUTION)
    assert told == Counter(
        (channel, purpose, Outcome.DELIVERED) for channel in CHANNELS for purpose in told_by
    )
    assert len(receivers.mail.arrived) == len(told_by)

    # The warehouse answers with the same numbers.
    warehouse = ClickHouse(settings.warehouse)
    wanted = {"incident_steps": len(steps), "receipts": sum(told.values()), "alerts": 1}

    async def recorded() -> bool:
        counts = {
            table: len(await warehouse.select(f"SELECT 1 FROM {table} FINAL"))  # noqa: S608 - our own names
            for table in wanted
        }
        return counts == wanted

    await eventually(recorded, f"the warehouse has {wanted}", pipeline.tails)
    (row,) = await warehouse.select(
        "SELECT severity, root_cause, toUnixTimestamp64Milli(resolved_at) AS resolved "
        "FROM incidents FINAL"
    )
    last = await current(settings)
    assert last is not None
    assert last.resolved_at is not None
    assert row == {
        "severity": 1,
        "root_cause": "disk full",
        "resolved": int(last.resolved_at.timestamp() * 1000),
    }
    await warehouse.close()

    # And each hop says of itself that it lives.
    async with httpx.AsyncClient() as asking:
        for worker in pipeline.workers.values():
            address = f"http://127.0.0.1:{worker.port}"
            assert (await asking.get(f"{address}/livez")).text == "ok\n"
            assert f'hop="{worker.role}"' in (await asking.get(f"{address}/metrics")).text


@pytest.mark.parametrize("role", [role for role in ROLES if role != "detect"])
async def test_faust_itself_can_start_a_hop(role: str, pipeline: Pipeline, tmp_path: Path) -> None:
    """Those who run Faust workers already could not run ours beside them."""
    worker = started_by_faust(pipeline, role, tmp_path)
    await pipeline.ready()
    stops_as_it_should(worker)


def started_by_faust(pipeline: Pipeline, role: str, folder: Path) -> Worker:
    worker = pipeline.workers[role] = Worker(
        role,
        pipeline.settings,
        folder,
        *("-m", "faust", "-A", f"streams.pipeline:{role}", "worker", "--without-web"),
    )
    return worker


def stops_as_it_should(worker: Worker) -> None:
    code, seconds = worker.stop()
    assert code == 0, worker.tail()
    assert seconds < 5


#: One example of each format, the field that is spoilt, and how. They are known by their shape, or as ``HEADERS`` and the policy say.
FORMATS = {
    "native": ("metric", "value", (b"0.87", b'"much"')),
    "otlp": ("metrics", "timeUnixNano", (b'"1544712660300000000"', b'"soon"')),
    "prometheus_remote_write": ("version-1", "value", (b"", b"")),
    "telegraf": ("standard", "timestamp", (b"1458229140", b'"soon"')),
    "syslog": ("example-1", "PRI", (b"<34>", b"<934>")),
    "cloudevents": ("binary", "value", (b"0.87", b'"much"')),
    "alertmanager": ("firing", "startsAt", (b'"startsAt": "2', b'"startsAt": "x')),
    "grafana": ("two-firing", "startsAt", (b'"startsAt": "2', b'"startsAt": "x')),
    "cloudwatch": ("eventbridge-alarm", "timestamp", (b"-02T17:04:40.989", b"T")),
    "datadog": ("variables-triggered", "date", (b'"date": "1', b'"date": "x')),
    "sentry": ("issue-alert", "data", (b'"data"', b'"dat"')),
    "pagerduty": ("priority-updated", "event", (b'"event"', b'"even"')),
}
HEADERS = {
    "sentry": ("Sentry-Hook-Resource", b"event_alert"),
    "pagerduty": ("tocsin_format", b"pagerduty"),
}


def rule_for(kind: str, heard: Any) -> dict[str, Any]:
    """A rule that fires at a signal like *heard*, and at those of no other format."""
    rule = {"name": f"from-{kind}", "severity": 3, "service": heard.service}
    if isinstance(heard, ExternalV1):
        return rule | {"kind": "passthrough", "source": heard.source}
    if isinstance(heard, LogV1):
        return rule | {"kind": "log_pattern", "level": heard.severity_number}
    below = {"threshold": heard.value - 1, "match": {**heard.labels}}
    return rule | {"kind": "threshold", "metric": heard.name, **below}


async def test_every_format_is_evaluated_and_refused_by_field_under_faust_itself(
    broker: BrokerUnderTest, tmp_path: Path
) -> None:
    """Otherwise a format that is read alone might not be read as a broker delivers it."""
    formats = Formats((Syslog(topics=("telemetry.logs",)),))
    rules, sent, fields = [], [], {}
    for kind, (name, field, (found, spoilt)) in FORMATS.items():
        given = example(kind, name)
        headers = [*given.headers, *([HEADERS[kind]] if kind in HEADERS else [])]
        heard = read_signals(given.topic, given.value, headers, stamped=STAMPED, formats=formats)
        rules.append(rule_for(kind, heard[0]))
        assert found in given.value
        wrong = given.value.replace(found, spoilt) if found else given.value[:-3]
        sent += [(given.topic, given.value, headers), (given.topic, wrong, headers)]
        fields[wrong] = field
    (tmp_path / "policy.yaml").write_text(
        yaml.safe_dump(
            {"rules": rules, "formats": [{"kind": "syslog", "topics": ["telemetry.logs"]}]}
        )
    )
    settings = Settings(
        broker=broker.bootstrap,
        topic_prefix=f"t{secrets.token_hex(4)}.",
        policy=tmp_path / "policy.yaml",
        **broker.client_settings,
    )
    await create_topics(settings)
    with ending(Pipeline(settings, tmp_path)) as running:
        worker = started_by_faust(running, "detect", tmp_path)
        async with producing(settings) as producer:
            waiting = [
                await producer.send(settings.topic(topic.name), value, key=b"k", headers=headers)
                for topic, value, headers in sent
            ]
            for confirmation in waiting:
                await confirmation

        async def alerts() -> set[str]:
            told = await read_topic(settings, ALERTS.name)
            return {AlertV1.from_wire(each.value).rule for each in told}

        async def all_told() -> bool:
            return await alerts() == {f"from-{kind}" for kind in FORMATS}

        await eventually(all_told, "every format makes its alert", running.tails)
        dead = {
            each.value: dict(each.headers)["tocsin_reason"].decode()
            for topic in {topic.name: topic for topic, _, _ in sent}.values()
            for each in await read_topic(settings, topic.dead, 1)
        }
        stops_as_it_should(worker)
    assert dead.keys() == fields.keys()
    assert {value: field for value, field in fields.items() if field not in dead[value]} == {}
