"""Detection hears what other systems send, each signal with the place of its record."""

from dataclasses import dataclass, field

import pytest

from schemas.alerts import AlertV1
from schemas.origin import Origin
from schemas.topics import EXTERNAL, METRICS, TELEMETRY
from streams.agents.detect import DetectDesk
from streams.detection.evaluation import Detector
from streams.detection.kinds.passthrough import Passthrough
from streams.detection.kinds.threshold import Threshold
from streams.telemetry.formats.telegraf import Telegraf
from streams.telemetry.reading import Formats
from tests.payloads import STAMPED, Published, example
from tests.poison import HOSTILE


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
