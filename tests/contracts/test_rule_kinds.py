"""What every rule kind promises: each file of the folder, from the example in it."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest
from pydantic import ValidationError

from schemas.alerts import AlertState
from schemas.origin import Origin
from schemas.telemetry import ExternalV1, HealthV1, LogV1, MetricV1
from streams.detection import kinds
from streams.detection.evaluation import Detector
from streams.detection.rule import Rule
from streams.detection.told import Told
from streams.discovery import declared_in, example_of, kind_of

MIDNIGHT = datetime(2024, 3, 1, tzinfo=UTC)


@pytest.fixture(params=declared_in(kinds), ids=kind_of)
def kind(request) -> type[Rule]:
    return request.param


@pytest.fixture
def rule(kind) -> Rule:
    return kind(**example_of(kind))


def signals(rule: Rule):
    """Yield bad and good signals of every kind, one each second, that the example rules hear."""
    names = list(rule.names()) or ["load"]
    service = next(iter(rule.service), "shop")
    source = next(iter(getattr(rule, "source", ())), "grafana")
    sums = dict.fromkeys(names, 0.0)
    for second in range(600):
        bad = second % 400 < 250
        at = {"occurred_at": MIDNIGHT + timedelta(seconds=second), "service": service}
        yield HealthV1(**at, check=names[0], status="unhealthy" if bad else "healthy")
        for number, name in enumerate(names):
            # What is counted apart from what is bad goes on while all is well.
            value = 1e6 if bad or number else 0
            sums[name] += value
            fires = bad and not (number and name == names[-1])
            yield Told(**at, rule=name, fingerprint=name, fires=fires)
            yield MetricV1(**at, name=name, value=sums[name] if counts(rule) else value)
        if bad:
            body = "disk 7 is full" if second == 100 else "connection refused"
            yield LogV1(**at, severity_number=24, body=body)
        state = "firing" if bad else "resolved"
        yield ExternalV1(**at, source=source, alert_id="a", state=state, summary="bad")


def counts(rule: Rule) -> bool:
    return getattr(rule, "counters", False)


def heard(detector: Detector, rule: Rule, part: slice = slice(None)):
    alerts = []
    given = list(enumerate(signals(rule)))[part]
    for offset, signal in given:
        if isinstance(signal, rule.hears()):
            alerts += detector.hear(signal, Origin(topic="t", partition=0, offset=offset))
    return alerts


def test_the_example_is_named_after_its_file(kind):
    """Otherwise a reader of a policy does not find where a kind is decided."""
    assert kind_of(kind) == kind.__module__.rpartition(".")[2]


def test_settings_are_closed_and_frozen(kind, rule):
    """Otherwise a typing error in a policy would be a rule that never fires."""
    with pytest.raises(ValidationError, match="Extra inputs"):
        kind(**example_of(kind), no_such_setting=1)
    with pytest.raises(ValidationError, match="frozen"):
        rule.name = "other"


def test_every_setting_says_what_it_is(kind):
    """Otherwise messages about a missing setting cannot say what to write."""
    undocumented = [
        name
        for name, field in kind.model_fields.items()
        if name != "kind" and not field.description
    ]
    assert undocumented == []


def test_it_fires_and_ends(rule):
    """Otherwise it is no rule."""
    detector = Detector([rule])
    alerts = heard(detector, rule) + detector.tick(MIDNIGHT + timedelta(days=30))
    states = [alert.state for alert in alerts if alert.state is not AlertState.CHANGED]
    assert states[:2] == [AlertState.FIRING, AlertState.RESOLVED]
    assert states[-1] is AlertState.RESOLVED


def test_alerts_say_why_and_where_from(rule):
    """Otherwise nobody can be told why they were paged."""
    detector = Detector([rule])
    alerts = heard(detector, rule) + detector.tick(MIDNIGHT + timedelta(days=30))
    for alert in alerts:
        assert alert.reason
        assert alert.summary
        assert alert.origins
        assert alert.started_at <= alert.occurred_at
        assert alert.group_key == f"{alert.service}/production"


def test_what_it_measures_can_be_asked_at_any_time(rule):
    """Nobody could be told how near a signal came to a rule that found nothing."""
    memory = rule.fresh()
    for offset, signal in enumerate(signals(rule)):
        if isinstance(signal, rule.hears()) and rule.concerns(signal):
            origin = Origin(topic="t", partition=0, offset=offset)
            rule.judge(memory, signal, signal.occurred_at, origin)
            measured = rule.measured(memory)
            assert measured is None or isinstance(measured, float)


def test_what_it_remembers_is_plain_json_and_comes_back(rule):
    """Otherwise a restart would forget, or not start."""
    once = Detector([rule])
    heard(once, rule, slice(0, 700))
    entries = {name: entry for name, entry in once.changes().entries.items() if entry is not None}
    assert all(orjson.loads(entry) is not None for entry in entries.values())

    again = Detector([rule])
    again.restore(entries)
    rest = slice(700, None)
    assert heard(again, rule, rest) == heard(once, rule, rest)
    later = MIDNIGHT + timedelta(days=30)
    assert again.tick(later) == once.tick(later)


def test_signals_of_other_services_and_kinds_are_not_heard(kind):
    """Otherwise a rule for one service would page the owners of another."""
    rule = kind(**example_of(kind) | {"service": "elsewhere"})
    detector = Detector([rule])
    for offset, signal in enumerate(signals(kind(**example_of(kind)))):
        assert detector.hear(signal, Origin(topic="t", partition=0, offset=offset)) == []
    assert detector.changes().entries == {}


def test_a_template_that_fails_does_not_stop_the_alert(kind):
    """Otherwise a slip in a text would hide an outage."""
    rule = kind(**example_of(kind) | {"summary": "{{ 1 / 0 }}", "group": "{{ labels.x.y.z }}"})
    detector = Detector([rule])
    alerts = heard(detector, rule) + detector.tick(MIDNIGHT + timedelta(days=30))
    assert alerts[0].summary == f"{rule.name}: {alerts[0].reason}"
    assert alerts[0].group_key == f"{alerts[0].service}/production"
