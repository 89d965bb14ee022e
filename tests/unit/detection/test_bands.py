"""Severities by value: which band, and which orders make no sense."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.origin import Origin
from schemas.telemetry import MetricV1
from streams.detection.bands import Band, entered
from streams.detection.evaluation import Detector
from streams.detection.kinds.absence import Absence
from streams.detection.kinds.threshold import Threshold

T0 = datetime(2024, 3, 1, tzinfo=UTC)
BANDS = (Band(beyond=10, severity=2), Band(beyond=20, severity=1))


def graded(**settings: Any) -> Threshold:
    severity = {"default": 3, "bands": [{"beyond": 10, "severity": 2}]}
    return Threshold(name="a", metric="load", threshold=5, severity=severity, **settings)


@pytest.mark.parametrize(
    ("values", "bands"),
    [
        ([5, 10, 10.1, 9, 11, 1], [0, 0, 1, 1, 1, 1]),
        ([25, 20, 10.1, 10, 5], [2, 2, 2, 1, 1]),
        ([21, 19, 21, 19], [2, 2, 2, 2]),
    ],
)
def test_a_band_is_held_until_the_value_is_behind_the_one_before(values, bands):
    """Otherwise a value about a number would page again and again."""
    seen, band = [], 0
    for value in values:
        band = entered(BANDS, band, value, rising=True)
        seen.append(band)
    assert seen == bands


def told(rule: Threshold, *values: float) -> list[tuple[str, int]]:
    """What is told of values, one a second."""
    detector, alerts = Detector([rule]), []
    for number, value in enumerate(values):
        at = T0 + timedelta(seconds=number)
        signal = MetricV1(occurred_at=at, service="shop", name="load", value=value)
        alerts += detector.hear(signal, Origin(topic="t", partition=0, offset=number))
    return [(str(alert.state), alert.severity) for alert in alerts]


def test_an_alert_does_not_begin_in_a_band_of_what_was_never_told():
    """Otherwise a peak that was over before anybody was told would make the next alert a worse one."""
    rule = graded(clear=3, **{"for": "2s"})
    # Between the two thresholds it is over, though not clear.
    assert told(rule, 12, 4, 6, 6, 6) == [("firing", 3)]
    assert told(rule, 12, 12, 12, 4, 6, 3) == [("firing", 2), ("resolved", 2)]


def test_the_first_band_is_left_by_the_end_of_the_alert_and_not_while_it_is_kept():
    """Otherwise its severity would go to and fro although nothing has ended."""
    rule = graded(keep_firing_for="2s")
    assert told(rule, 12, 1, 6, 12, 6, 1, 1, 1, 6) == [
        *(("firing", 2), ("resolved", 2), ("firing", 3)),
    ]


def test_smaller_values_can_be_worse():
    bands = (Band(beyond=10, severity=2), Band(beyond=5, severity=1, clear=7))
    assert [entered(bands, 2, value, rising=False) for value in (4, 6.9, 7, 9, 12)] == [
        *(2, 2, 1, 1, 1),
    ]


def test_a_band_that_the_policy_no_longer_has_is_left():
    """What is remembered can be of an older policy."""
    assert entered(BANDS[:1], 2, 11, rising=True) == 1


@pytest.mark.parametrize(
    ("severity", "compare", "said"),
    [
        (
            {"default": 2, "bands": [{"beyond": 10, "severity": 3}]},
            ">",
            "severity goes from 2 to 3: each band must be worse, which is a smaller number, than what is before it",
        ),
        (
            {
                "default": 3,
                "bands": [{"beyond": 20, "severity": 2}, {"beyond": 10, "severity": 1}],
            },
            ">",
            "severity has beyond: 10 after beyond: 20; larger values are worse here, so each beyond must be larger than the one before it",
        ),
        (
            {"default": 3, "bands": [{"beyond": 1, "severity": 2, "clear": 0}]},
            "<",
            "severity has clear: 0 with beyond: 1; it must be above it",
        ),
        (
            {"default": 3, "bands": [{"beyond": 1, "severity": 2}]},
            "==",
            "severity cannot depend on a value here: write a number from 1 to 4",
        ),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(severity, compare, said):
    with pytest.raises(ValidationError) as error:
        Threshold(name="a", metric="load", threshold=5, severity=severity, compare=compare)
    assert error.value.errors()[0]["msg"] == f"Value error, {said}"


def test_a_kind_without_values_has_no_bands():
    with pytest.raises(ValidationError, match="severity cannot depend on a value here"):
        Absence(
            name="a",
            signal="metrics",
            within="1m",
            severity={"default": 3, "bands": [{"beyond": 1, "severity": 2}]},
        )
