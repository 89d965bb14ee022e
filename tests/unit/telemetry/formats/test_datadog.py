"""Datadog's notifications, whatever its payload was made of."""

import orjson
import pytest

from schemas.contract import Unreadable
from schemas.topics import EXTERNAL
from streams.telemetry.formats.datadog import Datadog
from streams.telemetry.payload import Payload
from tests.payloads import STAMPED, example


def read(name="variables-triggered", **changes):
    document = orjson.loads(example("datadog", name).value) | changes
    payload = Payload(EXTERNAL, orjson.dumps(document), stamped=STAMPED)
    (alert,) = Datadog().read(payload)
    return alert


def test_an_alert_and_its_recovery_are_the_same():
    assert read().alert_id == read("variables-recovered").alert_id
    default = read("default")
    recovered = read("default", title="[Recovered on {host:my-host}] Host is Down")
    assert default.alert_id == recovered.alert_id
    assert (default.state, recovered.state) == ("firing", "resolved")


@pytest.mark.parametrize(
    ("transition", "state"),
    [
        ("Triggered", "firing"),
        ("Re-Triggered", "firing"),
        ("Warn", "firing"),
        ("No Data", "firing"),
        ("Renotify", "firing"),
        ("Recovered", "resolved"),
    ],
)
def test_every_transition_has_a_state(transition, state):
    assert read(alert_transition=transition).state == state


def test_what_datadog_left_empty_is_not_known():
    """Otherwise all alerts without a monitor would be one."""
    alert = read(alert_id="$ALERT_ID", aggreg_key="null", alert_cycle_key=None)
    assert alert.alert_id.startswith("sha256:")
    assert read(alert_id="null", aggreg_key="k").alert_id == "k"


def test_severity_is_the_priority_or_else_the_type():
    assert read(alert_priority="P2").severity == 2
    assert (
        read(alert_priority="$ALERT_PRIORITY", priority="normal", alert_type="warning").severity
        == 3
    )


def test_tags_may_be_a_list():
    assert read(tags=["service:cart", "env:prod", "alone"]).service == "cart"


def test_a_payload_that_does_not_say_what_happened_is_refused():
    with pytest.raises(Unreadable) as refusal:
        read("default", title="hunter2")
    assert str(refusal.value) == (
        "alert_transition: is missing, and the title does not begin with it"
    )
