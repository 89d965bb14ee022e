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
        ("Re-Warn", "firing"),
        ("Re-No Data", "firing"),
        ("Recovered", "resolved"),
        ("Warn Recovered", "resolved"),
        ("No Data Recovered", "resolved"),
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


@pytest.mark.parametrize(
    ("happened", "state"),
    [
        ("[Triggered on {host:a}]", "firing"),
        ("[P2] [Triggered on {host:a}]", "firing"),
        ("[P2] [Re-Triggered on {host:a}]", "firing"),
        ("[P2] [Warn on {host:a}]", "firing"),
        ("[P2] [No Data on {host:a}]", "firing"),
        ("[Recovered on {host:a}]", "resolved"),
        ("[P2] [Recovered on {host:a}]", "resolved"),
        ("[P2][No Data Recovered on {host:a}]", "resolved"),
    ],
)
def test_a_title_tells_what_happened_also_after_a_priority(happened, state):
    """Otherwise the recovery of each monitor that has a priority would fire, as another alert."""
    fired = read("default", title="[Triggered on {host:a}] CPU is high")
    alert = read("default", title=f"{happened} CPU is high")
    assert (alert.state, alert.alert_id) == (state, fired.alert_id)
    assert alert.summary == "CPU is high"


def test_what_is_wrong_of_one_host_is_not_over_with_that_of_another():
    """The default payload tells the host in its title alone."""
    titles = ("[Triggered on {host:a}] CPU", "[Recovered on {host:b}] CPU", "[Triggered] CPU")
    assert len({read("default", title=title).alert_id for title in titles}) == 3


def test_a_titles_priority_is_the_severity_where_nothing_else_tells():
    assert read("default", title="[P2] [Triggered on {host:a}] CPU").severity == 2


def test_a_scope_may_have_brackets():
    title = "[Triggered on {queue:[eu] orders,env:prod}] Lag"
    assert read("default", title=title).summary == "Lag"


@pytest.mark.parametrize("name", ["last_updated", "date"])
def test_a_moment_that_datadog_left_as_it_is_is_not_known(name):
    """Otherwise a payload with one variable too many would lose every alert."""
    other = "date" if name == "last_updated" else "last_updated"
    alert = read(**{name: f"${name.upper()}"})
    assert alert == read(**{name: None})
    assert read(**{name: "null", other: ""}).occurred_at.timestamp() * 1_000 == STAMPED
    with pytest.raises(Unreadable) as refusal:
        read(**{name: "hunter2"})
    assert str(refusal.value) == f"{name}: must be a number of milliseconds"


def test_a_title_made_to_take_long_does_not():
    """Otherwise a stranger could stop the worker with one notification."""
    for hostile in ("[" + " " * 200_000, "[" * 200_000, "[P1]" * 50_000, "[a on {" * 30_000):
        assert read(title=hostile).state == "firing"
