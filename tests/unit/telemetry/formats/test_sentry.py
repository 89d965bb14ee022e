"""Sentry's webhooks."""

import orjson
import pytest

from schemas.contract import Unreadable
from schemas.topics import EXTERNAL
from streams.telemetry.formats.sentry import Sentry
from streams.telemetry.payload import Payload
from tests.payloads import STAMPED, example


def read(name, headers=None, **changes):
    document = orjson.loads(example("sentry", name).value) | changes
    return Sentry().read(Payload(EXTERNAL, orjson.dumps(document), headers or {}, STAMPED))


def test_an_issue_alert_ends_when_its_issue_is_resolved():
    """Otherwise an issue alert, which Sentry never resolves, would fire for ever."""
    document = orjson.loads(example("sentry", "issue-resolved").value)
    document["data"]["issue"]["id"] = "1117540176"
    (fired,) = read("issue-alert")
    (ended,) = read("issue-resolved", data=document["data"])
    assert fired.alert_id == ended.alert_id
    assert (fired.state, ended.state) == ("firing", "resolved")


@pytest.mark.parametrize(
    ("action", "state"),
    [
        ("created", "firing"),
        ("unresolved", "firing"),
        ("resolved", "resolved"),
        ("archived", "resolved"),
        ("ignored", "resolved"),
    ],
)
def test_what_happens_to_an_issue_is_its_state(action, state):
    (alert,) = read("issue-created", action=action)
    assert alert.state == state


def test_an_end_is_when_sentry_says_so():
    (alert,) = read("issue-resolved", {"sentry-hook-timestamp": b"1566250000"})
    assert alert.occurred_at.timestamp() == 1_566_250_000
    (alert,) = read("issue-resolved")
    assert alert.occurred_at.timestamp() * 1_000 == STAMPED


def test_what_sentry_does_about_an_issue_itself_says_nothing():
    """Its activity alerts have an action that only issue alerts had before."""
    assert read("activity-alert") == ()


def test_the_priority_of_an_issue_is_its_severity():
    """Sentry reckons it from more than the level, and people set it."""
    (alert,) = read("issue-created-2025")
    assert (alert.severity, alert.labels["priority"]) == (2, "high")
    document = orjson.loads(example("sentry", "issue-created-2025").value)
    document["data"]["issue"]["priority"] = "low"
    (alert,) = read("issue-created-2025", data=document["data"])
    assert alert.severity == 4


def test_other_webhooks_say_nothing():
    assert read("issue-assigned") == ()
    assert read("issue-created", data={"comment": "hello"}) == ()
    assert read("issue-created", data={"error": {}}) == ()


def test_an_event_has_its_environment_and_project():
    document = orjson.loads(example("sentry", "issue-alert").value)
    document["data"]["event"]["environment"] = "staging"
    (alert,) = read("issue-alert", data=document["data"])
    assert (alert.environment, alert.service, alert.severity) == ("staging", "front-end", 2)


def test_a_metric_alert_that_does_what_nobody_knows_is_refused():
    """It would be lost, and its sender told nothing."""
    with pytest.raises(Unreadable, match=r"^action: must be critical or warning or resolved$"):
        read("metric-alert-critical", action="hunter2")


def test_an_issue_alert_without_its_event_is_refused():
    """It would be lost, and its sender told nothing."""
    with pytest.raises(Unreadable, match=r"^data\.event: is missing$"):
        read("issue-alert", data={})
