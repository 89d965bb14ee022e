"""Conditions: what they see, and what becomes of those that cannot be told."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from schemas.telemetry import ExternalV1, HealthV1, LogV1, MetricV1
from streams.detection.condition import NAMES, condition, unknown, untellable
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
    assert rule.new_condition_failures() == 2


def test_a_condition_is_asked_after_the_matchers():
    """Otherwise each signal would cost what only a few must."""
    rule = Threshold(
        name="a", metric="load", threshold=0, severity=3, when="1/0 > 1", match=["region=us"]
    )
    assert not rule.concerns(LOAD)
    assert rule.new_condition_failures() == 0


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "valeu > 1",
            "when has the name 'valeu', which there is not; did you mean 'value'?",
        ),
        (
            "body == ''",
            (
                "when has the name 'body', which there is not; there are environment, labels, name, occurred_at, "
                "service, tenant, unit, value"
            ),
        ),
        (
            "labels.region.startWith('e')",
            "when has the function 'startWith', which there is not; did you mean 'startsWith'?",
        ),
        ("value >", "is no CEL expression, from column 8 on: it ends too early"),
        ("value > 1 and critical", "is no CEL expression, from column 11 on: write && for and"),
        ("value > 1 or critical", "is no CEL expression, from column 11 on: write || for or"),
        ("not critical", "is no CEL expression, from column 5 on: write ! for not"),
        ("labels.tier = 'x'", "is no CEL expression, from column 13 on: write == to compare"),
        (
            "labels.tier =~ 'x'",
            (
                "is no CEL expression, from column 13 on: "
                'write labels.region.matches("eu-.*") for an expression'
            ),
        ),
        ("(value > 1", "is no CEL expression, from column 11 on: missing ')' at '<EOF>'"),
    ],
)
def test_a_mistake_is_said_when_the_policy_is_read(source, said):
    """Otherwise a typing error would be a rule that never fires."""
    with pytest.raises(ValidationError) as error:
        Threshold(name="a", metric="load", threshold=0, severity=3, when=source)
    assert said in error.value.errors()[0]["msg"]


@pytest.mark.parametrize(
    ("source", "kinds", "said"),
    [
        ("value > 'a'", [MetricV1], "puts together what does not fit (value is a number)"),
        (
            "labels.tier > 5 || critical",
            [HealthV1],
            "puts together what does not fit (critical is true or false, labels are texts by name)",
        ),
        ("value", [MetricV1], "is a number and no condition: compare it"),
        ("body", [MetricV1, LogV1], "is a text and no condition: compare it"),
        ("labels", [MetricV1], "are texts by name and no condition: compare it"),
        # Another signal can have what the example has not.
        ("int(labels.code) > 5", [MetricV1], None),
        ("attributes.code == '7' && labels['host.name'] == 'a'", [LogV1], None),
        ("latency > 0.5 && severity <= 2", [HealthV1, ExternalV1], None),
        ("labels.exists(name, name == 'a')", [MetricV1], None),
        ("occurred_at.getHours() > 7", [MetricV1], None),
        ("1 / 0 > 1", [MetricV1], None),
    ],
)
def test_what_can_never_be_told_is_known_before(source, kinds, said):
    """A rule would be silent for ever, and only a counter would say so."""
    assert untellable(source, kinds) == said


@pytest.mark.parametrize("kind", NAMES, ids=lambda kind: kind.__name__)
def test_every_name_is_a_field(kind):
    """Otherwise a name would be allowed that no signal has."""
    assert set(NAMES[kind]) <= set(kind.model_fields)
