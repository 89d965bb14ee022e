"""Severities by value: which band, and which orders make no sense."""

import pytest
from pydantic import ValidationError

from streams.detection.bands import Band, entered
from streams.detection.kinds.absence import Absence
from streams.detection.kinds.threshold import Threshold

BANDS = (Band(beyond=10, severity=2), Band(beyond=20, severity=1))


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
