"""PagerDuty's webhooks."""

import orjson
import pytest

from schemas.topics import EXTERNAL
from streams.telemetry.formats.pagerduty import PagerDuty
from streams.telemetry.payload import Payload
from tests.payloads import example


def read(**changes):
    document = orjson.loads(example("pagerduty", "priority-updated").value)
    document["event"]["data"] |= changes
    return PagerDuty().read(Payload(EXTERNAL, orjson.dumps(document)))


@pytest.mark.parametrize(
    ("status", "state"),
    [("triggered", "firing"), ("acknowledged", "firing"), ("resolved", "resolved")],
)
def test_an_incident_fires_until_it_is_resolved(status, state):
    (alert,) = read(status=status)
    assert (alert.alert_id, alert.state) == ("PGR0VU2", state)


@pytest.mark.parametrize(
    ("priority", "urgency", "severity"),
    [
        ({"summary": "P3"}, "high", 3),
        ({"summary": "Our own word"}, "high", 2),
        (None, "low", 4),
        (None, None, None),
    ],
)
def test_severity_is_the_priority_or_else_the_urgency(priority, urgency, severity):
    (alert,) = read(priority=priority, urgency=urgency)
    assert alert.severity == severity


def test_notes_responders_and_services_are_no_alerts():
    assert read(type="incident_note") == ()
    assert PagerDuty().read(Payload(EXTERNAL, example("pagerduty", "service-updated").value)) == ()
