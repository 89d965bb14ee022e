"""
Anomalies, against a series with a change that is known: the annual flow of the Nile at Aswan, 1871 to 1970, in 100 million cubic metres.

The flow fell in 1899, when the first dam at Aswan was begun (G. W. Cobb, "The problem of the Nile: conditional solution to a changepoint
problem", Biometrika 65, 1978, which prints the series; facts of nature, in nobody's ownership). A year is a day here.
"""

from datetime import UTC, datetime, timedelta
from math import sin, tau
from random import Random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.origin import Origin
from schemas.telemetry import MetricV1
from streams.detection.evaluation import Detector
from streams.detection.heard import Batch
from streams.detection.holding import Says
from streams.detection.kinds.anomaly import NORMAL, Anomaly

NILE = (
    *(1120, 1160, 963, 1210, 1160, 1160, 813, 1230, 1370, 1140, 995, 935, 1110, 994, 1020, 960),
    *(1180, 799, 958, 1140, 1100, 1210, 1150, 1250, 1260, 1220, 1030, 1100, 774, 840, 874, 694),
    *(940, 833, 701, 916, 692, 1020, 1050, 969, 831, 726, 456, 824, 702, 1120, 1100, 832, 764),
    *(821, 768, 845, 864, 862, 698, 845, 744, 796, 1040, 759, 781, 865, 845, 944, 984, 897, 822),
    *(1010, 771, 676, 649, 846, 812, 742, 801, 1040, 860, 874, 848, 890, 744, 749, 838, 1050),
    *(918, 986, 797, 923, 975, 815, 1020, 906, 901, 1170, 912, 746, 919, 718, 714, 740),
)
T0 = datetime(2024, 3, 1, tzinfo=UTC)
HERE = Origin(topic="t", partition=0, offset=0)


def alerts(rule: Anomaly, values, every: timedelta, start: datetime = T0):
    detector, told = Detector([rule]), []
    for number, value in enumerate(values):
        signal = MetricV1(
            occurred_at=start + number * every, service="a", name="flow", value=float(value)
        )
        told += detector.hear(signal, Origin(topic="t", partition=0, offset=number))
    return told


def years(**settings) -> list[tuple[int, str]]:
    rule = Anomaly(
        **{"name": "a", "metric": "flow", "severity": 3, "forget_after": "10d"} | settings
    )
    told = alerts(rule, NILE, timedelta(days=1))
    return [(1871 + (alert.occurred_at - T0).days, alert.state) for alert in told]


def test_the_series_is_the_published_one():
    assert (len(NILE), sum(NILE) / len(NILE)) == (100, 919.35)


def test_the_fall_of_the_nile_is_found_in_its_year_and_nothing_else_is():
    """What falls for good is told once; after that it is usual."""
    settings = {"values": 12, "learn": 10, "deviations": 3.5, "direction": "down"}
    assert years(**settings) == [(1899, "firing"), (1900, "resolved")]


def test_the_driest_year_of_the_century_is_among_what_is_less_unusual():
    fired = [
        year
        for year, state in years(values=20, learn=10, deviations=2, direction="down")
        if state == "firing"
    ]
    assert fired == [1881, 1888, 1899, 1902, 1913]


def test_an_alert_says_what_is_usual():
    rule = Anomaly(name="a", metric="flow", severity=3, values=12, learn=10, deviations=3.5)
    alert = alerts(rule, NILE[16:29], timedelta(minutes=1))[-1]
    assert alert.value == 774
    usual = sorted(NILE[16:28])
    center = (usual[5] + usual[6]) / 2
    spread = NORMAL * median([abs(value - center) for value in usual])
    assert alert.reason == (
        f"flow 774 is {(center - 774) / spread:.3g} deviations below what it was lately, {center:.6g}"
    )


DAY = 24 * 12


def day_and_night(days: int) -> list[float]:
    """Every five minutes: little at night, much at noon, never quite the same."""
    return [
        100 - 80 * sin(tau * (number / DAY + 0.25)) + number * 7 % 5 for number in range(days * DAY)
    ]


@pytest.mark.parametrize(
    ("baseline", "days"), [("hour_of_day", 7), ("hour_of_week", 28)], ids=["day", "week"]
)
def test_what_is_usual_at_noon_is_not_at_night(baseline, days):
    """Otherwise the load of a day at three in the night would be nothing special."""
    values = day_and_night(days + 1)
    night = days * DAY + 3 * 12 + 6
    assert values[night] < 60
    values[night] = max(values)
    rule = {"name": "a", "metric": "flow", "severity": 3, "deviations": 5}
    told = alerts(Anomaly(**rule, baseline=baseline), values, timedelta(minutes=5))
    assert [(alert.state, alert.occurred_at) for alert in told] == [
        ("firing", T0 + night * timedelta(minutes=5)),
        ("resolved", T0 + (night + 1) * timedelta(minutes=5)),
    ]


@pytest.mark.parametrize(("zone", "quiet"), [("Europe/Berlin", True), ("UTC", False)])
def test_hours_are_those_of_the_zone(zone, quiet):
    """Where clocks went forward, people come an hour earlier by UTC: that is nothing unusual."""
    start = datetime(2024, 3, 20, tzinfo=UTC)
    values = []
    for number in range(14 * DAY):
        at = start + number * timedelta(minutes=5)
        local = at.hour + (2 if at >= datetime(2024, 3, 31, 1, tzinfo=UTC) else 1)
        values.append(100.0 if 9 <= local % 24 < 17 else 10.0)
    rule = Anomaly(
        name="a", metric="flow", severity=3, baseline="hour_of_day", zone=zone, relative_floor=0.1
    )
    assert (alerts(rule, values, timedelta(minutes=5), start) == []) is quiet


@given(st.lists(st.sampled_from([0.0, 1, 2, 3, 5, 8, 100]), max_size=80))
def test_a_recent_baseline_is_the_median_of_the_last_values(values):
    """Otherwise what is remembered would drift away from what was heard."""
    rule = Anomaly(
        name="a", metric="flow", severity=3, values=40, learn=6, deviations=3, clear=1, floor=0.5
    )
    memory = rule.fresh()
    origin = Origin(topic="t", partition=0, offset=0)
    for number, value in enumerate(values):
        at = T0 + timedelta(seconds=number)
        rule.judge(
            memory, MetricV1(occurred_at=at, service="a", name="flow", value=value), at, origin
        )
        # A twentieth of forty: made anew with every second value.
        known = values[max(0, number // 2 * 2 - 40) : number // 2 * 2]
        if len(known) < 6:
            assert memory.center is None
            continue
        center = median(known)
        spread = max(NORMAL * median([abs(each - center) for each in known]), 0.5, 0.01 * center)
        assert (memory.center, memory.spread) == (center, spread)
        assert len(memory.values) <= 40


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=40))
def test_no_value_is_too_large(values):
    """Otherwise one number would stop detection."""
    rule = Anomaly(name="a", metric="flow", severity=3, values=10, learn=4, relative_floor=0)
    for alert in alerts(rule, values, timedelta(seconds=1)):
        assert alert.reason


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"zone": "Europe/Berln"}, "is no time zone; did you mean 'Europe/Berlin'?"),
        ({"clear": 5}, "clear (5) must be at most deviations (4)"),
        ({"values": 20}, "learn (30) must be at most what is remembered (20 values)"),
        ({"cycles": 3}, "cycles has no meaning with baseline: recent; leave it out"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, said):
    with pytest.raises(ValidationError) as error:
        Anomaly(name="a", metric="flow", severity=3, **settings)
    assert error.value.errors()[0]["msg"] == f"Value error, {said}"


@given(
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe"]),
    st.sampled_from(["hour_of_day", "hour_of_week"]),
    st.sampled_from([3, 6, 13, 40]),
    st.integers(0, 1_000_000),
)
def test_hours_that_are_absorbed_are_as_if_each_value_had_been_judged(
    zone, baseline, minutes, seed
):
    """Over days in which clocks are changed, with some hours alike and some not: nothing calm is bad, and the same is remembered."""
    chance, rule = (
        Random(seed),
        Anomaly(
            name="a",
            metric="flow",
            severity=3,
            learn=4,
            cycles=2,
            baseline=baseline,
            zone=zone,
            deviations=2,
            relative_floor=0.1,
        ),
    )
    usual = [chance.choice([10, 10, 11, 30]) for _ in range(24)]
    judged, absorbed = rule.fresh(), rule.fresh()
    # Both halves of the world change their clocks within the first days.
    at, waiting, calm = datetime(2024, 3, 29, tzinfo=UTC), [], None
    passed = across = 0
    while at < datetime(2024, 4, 9, tzinfo=UTC):
        at += timedelta(minutes=chance.uniform(0.5, 2 * minutes))
        value = usual[at.hour] * chance.choice(
            [0.9, 1.0, 1.0, 1.1, 1.0, 1.5 if not seed % 3 else 1]
        )
        signal = MetricV1(occurred_at=at, service="a", name="flow", value=value)
        says = rule.judge(judged, signal, at, HERE)
        if calm is not None and calm.low <= value <= calm.high and at < calm.until:
            assert says is not Says.BAD
            passed += 1
            across += bool(waiting) and waiting[-1].occurred_at.hour != at.hour
            waiting.append(signal)
            if chance.random() < 0.9:
                continue
        if waiting:
            ats, values = zip(*((one.occurred_at, one.value) for one in waiting), strict=True)
            nothing = [None] * len(ats)
            rule.absorb(absorbed, ats[0], Batch(signal, ats, values, nothing, nothing), HERE)
        if not waiting or waiting[-1] is not signal:
            assert rule.judge(absorbed, signal, at, HERE) is says
        waiting.clear()
        assert absorbed.hours == judged.hours
        assert rule.measured(absorbed) == rule.measured(judged) == value
        calm = rule.calm(absorbed)
    assert passed
    assert across


def test_an_alert_names_the_value_that_was_unusual_though_nothing_is_known_of_the_hour_after():
    """In it nothing can be said: neither that it is well again, nor that its value is too low."""
    known = [10.5] * 12 + [None] * (23 * 12)
    values = [*known, *known, *[10.5] * 11, 10, 10.5, 10.5, 10.5]
    rule = Anomaly(
        name="a",
        metric="flow",
        severity=3,
        baseline="hour_of_day",
        learn=8,
        **{"direction": "down", "for": "10m"},
    )
    detector, told = Detector([rule]), []
    for number, value in enumerate(values):
        if value is not None:
            at = T0 + timedelta(minutes=5 * number)
            signal = MetricV1(occurred_at=at, service="a", name="flow", value=value)
            told += detector.hear(signal, Origin(topic="t", partition=0, offset=number))
    [alert] = told
    assert alert.value == 10
    assert alert.reason.startswith("flow 10 is ")


def test_what_an_older_release_remembered_names_its_latest_value():
    """It did not tell the value of which something could be said from others."""
    rule = Anomaly(name="a", metric="flow", severity=3)
    remembered = rule.fresh()
    remembered.value, remembered.center, remembered.deviations = 7.0, 5.0, 4.5
    evidence = rule.evidence(remembered, Says.CLEAR)
    assert evidence.value == 7
    assert evidence.reason == "flow 7 is 4.5 deviations above what it was lately, 5"
