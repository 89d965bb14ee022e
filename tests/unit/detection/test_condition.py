"""Conditions: what they see, and what becomes of those that cannot be told."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from schemas.telemetry import ExternalV1, HealthV1, LogV1, MetricV1
from streams.detection.condition import NAMES, condition, unknown
from streams.detection.kinds.threshold import Threshold

AT = {"occurred_at": datetime(2024, 3, 1, 7, tzinfo=UTC), "service": "shop"}
LOAD = MetricV1(**AT, name="load", value=0.5, labels={"region": "eu", "host.name": "a"})
CHECK = HealthV1(**AT, check="db", status="degraded", latency=timedelta(seconds=2))
RECORD = LogV1(**AT, body="connection refused", attributes={"code": "7"}, severity_number=17)
CALL = ExternalV1(**AT, source="grafana", alert_id="a", state="firing", summary="bad", severity=2)


def never() -> None:
    raise AssertionError


@pytest.mark.parametrize(
    ("source", "signal", "holds"),
    [
        ("value > 0.4 && labels.region != 'us'", LOAD, True),
        ("value > 1", LOAD, False),
        ("labels['host.name'] == 'a' && !has(labels.tier)", LOAD, True),
        ("labels.exists(name, name.startsWith('host'))", LOAD, True),
        ("occurred_at.getHours() >= 7", LOAD, True),
        ("status == 'degraded' && latency > 1.5", CHECK, True),
        ("critical", CHECK, False),
        ("body.matches('refused$') && attributes.code == '7'", RECORD, True),
        ("state == 'firing' && severity <= 2", CALL, True),
    ],
)
def test_a_condition_sees_the_fields_of_the_signal(source, signal, holds):
    assert unknown(source, [type(signal)]) is None
    assert condition(source, never)(signal) is holds


@pytest.mark.parametrize(
    "source",
    [
        "labels.tier == 'gold'",
        "value > 'a'",
        "value",
        "1 / 0 > 1",
        "9223372036854775807 + 1 > 0",
        "labels.region.matches('(') || value > 1.0",
    ],
)
def test_what_cannot_be_told_is_false_and_counted(source):
    """Otherwise one label that is missing would stop detection."""
    rule = Threshold(name="a", metric="load", threshold=0, severity=3, when=source)
    assert not rule.concerns(LOAD)
    assert not rule.concerns(LOAD)
    assert rule.condition_failures == 2


def test_a_condition_is_asked_after_the_matchers():
    """Otherwise each signal would cost what only a few must."""
    rule = Threshold(
        name="a", metric="load", threshold=0, severity=3, when="1/0 > 1", match=["region=us"]
    )
    assert not rule.concerns(LOAD)
    assert rule.condition_failures == 0


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "valeu > 1",
            "when cannot be told: name 'valeu' does not exist there; did you mean 'value'?",
        ),
        (
            "body == ''",
            (
                "when cannot be told: name 'body' does not exist there; there are environment, labels, name, occurred_at, "
                "service, tenant, unit, value"
            ),
        ),
        (
            "labels.region.startWith('e')",
            "when cannot be told: function 'startWith' does not exist there; did you mean 'startsWith'?",
        ),
        ("value >", "is no CEL expression (column 8: mismatched input '<EOF>' expecting"),
    ],
)
def test_a_mistake_is_said_when_the_policy_is_read(source, said):
    """Otherwise a typing error would be a rule that never fires."""
    with pytest.raises(ValidationError) as error:
        Threshold(name="a", metric="load", threshold=0, severity=3, when=source)
    assert said in error.value.errors()[0]["msg"]


@pytest.mark.parametrize("kind", NAMES, ids=lambda kind: kind.__name__)
def test_every_name_is_a_field(kind):
    """Otherwise a name would be allowed that no signal has."""
    assert set(NAMES[kind]) <= set(kind.model_fields)
