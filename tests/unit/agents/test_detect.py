"""Detection hears what other systems send, each signal with the place of its record."""

import json
from dataclasses import dataclass, field, replace

import pytest

from schemas.alerts import AlertV1
from schemas.origin import Origin
from schemas.topics import ALERTS, EXTERNAL, METRICS, TELEMETRY
from streams.agents.checkpoints import Slice
from streams.agents.dead_letters import REASON
from streams.agents.detect import DetectDesk
from streams.detection.evaluation import Detector
from streams.detection.kinds.passthrough import Passthrough
from streams.detection.kinds.threshold import Threshold
from streams.discovery import declared_in, kind_of
from streams.telemetry import formats as folder
from streams.telemetry.formats.telegraf import Telegraf
from streams.telemetry.reading import UNREAD, Formats, read_signals
from tests import recording
from tests.payloads import STAMPED, Published, example
from tests.poison import HOSTILE
from tests.recording import Event, RecordingEmitter, chunk_of, took
from tests.unit.agents.test_checkpoints import ListJournal


@dataclass
class Record:
    topic: str
    value: bytes
    offset: int
    partition: int = 0
    timestamp: int = STAMPED
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = field(default_factory=tuple)


def heard(desk: DetectDesk, published: Published, offset: int) -> list[AlertV1]:
    record = Record(published.topic.name, published.value, offset, headers=published.headers)
    return [AlertV1.from_wire(sent.value) for sent in desk.hear(published.topic, record)]


def test_the_alerts_of_one_notification_are_as_many_alerts_and_end_with_it():
    """Otherwise Grafana's second alert would be lost, or never end."""
    rule = Passthrough(name="other-systems", kind="passthrough", severity=3)
    desk = DetectDesk(Detector([rule]))
    fired = heard(desk, example("grafana", "two-firing"), 7)
    assert [alert.state for alert in fired] == ["firing", "firing"]
    place = Origin(topic=EXTERNAL.name, partition=0, offset=7)
    assert {alert.origins for alert in fired} == {(place,)}
    (ended,) = heard(desk, example("grafana", "resolved"), 8)
    assert (ended.state, ended.fingerprint) == ("resolved", fired[0].fingerprint)


async def test_what_is_wrong_of_a_batch_is_a_dead_letter_and_the_rest_alerts():
    """Otherwise one alert of another system could keep all others of its group from whoever is on call."""
    rule = Passthrough(name="other-systems", kind="passthrough", severity=3)
    emitter = RecordingEmitter()
    piece = Slice(
        "detect",
        {EXTERNAL.name: EXTERNAL},
        DetectDesk(Detector([rule])),
        ListJournal(emitter),
        emitter,
        clock=lambda: 0.0,
    )
    await piece.open()

    async def take(value, offset, headers=()):
        record = recording.Record(EXTERNAL.name, 0, offset, b"k", value, headers, STAMPED)
        await took(piece, chunk_of([record]), Event())

    document = json.loads(example("grafana", "two-firing").value)
    document["alerts"][1]["startsAt"] = "soon"
    await take(json.dumps(document).encode(), 0)
    alert, letter = emitter.sent
    assert (alert.topic, letter.topic) == (ALERTS.name, EXTERNAL.dead)
    assert (letter.key, letter.value) == (b"k", json.dumps(document).encode())
    said = dict(letter.headers)
    assert said[REASON] == b"alerts[1].startsAt: is no RFC 3339 time"
    assert said[UNREAD] == b"alerts[1]"

    # Sent again as it is, it neither counts the first alert twice nor forgets that it counted.
    await take(letter.value, 1, letter.headers)
    *_, last = emitter.sent
    assert [each.topic for each in emitter.sent[2:]] == [EXTERNAL.dead]
    assert dict(last.headers)[UNREAD] == b"alerts[1]"

    # Sent again mended, it gives what was missing alone.
    document["alerts"][1]["startsAt"] = document["alerts"][0]["startsAt"]
    await take(json.dumps(document).encode(), 2, last.headers)
    assert [each.topic for each in emitter.sent[3:]] == [ALERTS.name]


OVER = (
    ("alertmanager", "firing", "resolved"),
    ("grafana", "two-firing", "resolved"),
    ("cloudwatch", "sns-alarm", "raw-ok"),
    ("cloudwatch", "eventbridge-contributor", "eventbridge-contributor"),
    ("datadog", "variables-triggered", "variables-recovered"),
    ("datadog", "default", "default"),
    ("sentry", "issue-created", "issue-resolved"),
    ("sentry", "issue-alert", "issue-resolved"),
    ("sentry", "metric-alert-critical", "metric-alert-resolved"),
    ("pagerduty", "priority-updated", "resolved"),
)
#: What makes one example the end of another, where its publisher shows two that have nothing to do with each other.
MADE_ITS_END = (
    (b"2017-01-12T16:30:42.236+0000", b"2017-01-12T16:35:42.236+0000"),
    (b'"value": "ALARM"', b'"value": "OK"'),
    (b"2025-12-01T13:42:04.919", b"2025-12-01T13:52:04.919"),
    (b"[Triggered on", b"[Recovered on"),
    (b'"1406662672000"', b'"1406662972000"'),
    (b'"1170820242"', b'"1117540176"'),
)


@pytest.mark.parametrize(("kind", "fired", "ended"), OVER)
@pytest.mark.parametrize("moved", [False, True])
def test_the_end_of_each_systems_alert_finds_it(kind, fired, ended, moved):
    """Otherwise it would fire for days; some systems name another service, or none, when it is over."""
    detector = Detector([Passthrough(name="other-systems", kind="passthrough", severity=3)])

    def told(published, offset, formats=None):
        origin = Origin(topic=EXTERNAL.name, partition=0, offset=offset)
        signals = read_signals(
            EXTERNAL, published.value, published.headers, stamped=STAMPED, formats=formats
        )
        return [alert for signal in signals for alert in detector.hear(signal, origin)]

    last = example(kind, ended)
    value = last.value
    for before, after in MADE_ITS_END if kind != "sentry" or fired == "issue-alert" else ():
        value = value.replace(before, after)
    began = told(example(kind, fired), 1)
    (format_of,) = (each for each in declared_in(folder) if kind_of(each) == kind)
    elsewhere = Formats([format_of(service=("nothing",), service_otherwise="elsewhere")])
    (over,) = told(replace(last, value=value), 2, elsewhere if moved else None)
    assert over.state == "resolved"
    assert (over.fingerprint, over.service) in {(each.fingerprint, each.service) for each in began}


def test_an_issue_of_sentry_ends_that_fired_in_an_environment_of_its_own():
    """An issue's own webhook knows neither the environment nor the tags of the event that an alert was about."""
    rule = Passthrough(name="other-systems", kind="passthrough", severity=3)
    desk = DetectDesk(Detector([rule]))
    document = json.loads(example("sentry", "issue-alert").value)
    event = document["data"]["event"]
    event["environment"] = "staging"
    event["tags"].append(["service", "checkout"])
    fired = replace(example("sentry", "issue-alert"), value=json.dumps(document).encode())
    (began,) = heard(desk, fired, 1)
    assert (began.service, began.environment) == ("checkout", "staging")
    ended = example("sentry", "issue-resolved")
    ended = replace(ended, value=ended.value.replace(b"1170820242", b"1117540176"))
    (over,) = heard(desk, ended, 2)
    assert (over.state, over.fingerprint) == ("resolved", began.fingerprint)
    assert (over.service, over.environment) == ("checkout", "staging")


def test_settings_of_formats_reach_the_rules():
    """Otherwise the policy would say one thing, and detection do another."""
    rule = Threshold(
        name="images", kind="threshold", metric="docker.n_images", threshold=5, severity=2
    )
    formats = Formats([Telegraf(topics=(METRICS.name,), tenant="acme")])
    desk = DetectDesk(Detector([rule]), formats=formats)
    (alert,) = heard(desk, example("telegraf", "standard"), 1)
    assert (alert.tenant, alert.service) == ("acme", "raynor")


class Skimmed(Detector):
    """Notes down whatever it is shown."""

    def skim(self, topic, records, start, glance, latest):
        return len(records)


def test_a_topic_in_another_format_is_never_read_at_a_glance():
    """Otherwise a record that only looks like ours would count as one of a quiet series."""
    records = [Record(METRICS.name, example("native", "metric").value, 0)]
    given = Formats([Telegraf(topics=(METRICS.name,))])
    assert DetectDesk(Skimmed([]), formats=given).skim(METRICS, records, 0) == 0
    assert DetectDesk(Skimmed([])).skim(METRICS, records, 0) == 1


@pytest.mark.parametrize("topic", TELEMETRY, ids=lambda topic: topic.name)
@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_glance_at_hostile_values_leaves_them_to_the_reader_of_the_whole(topic, hostile):
    """Otherwise one record that is nested too deep would stop the worker."""
    assert DetectDesk(Detector([])).skim(topic, [Record(topic.name, hostile, 0)], 0) == 0
