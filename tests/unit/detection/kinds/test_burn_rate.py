"""
Burn rates against "The Site Reliability Workbook" (Beyer et al., 2018), chapter 5, "Alerting on SLOs".

Its figures are for 99.9 % over 30 days. An alert comes after (1 - SLO) / error ratio x window x burn rate, by then burn rate x window /
period of the budget is gone, and it ends once the short window has forgotten.
"""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from schemas.alerts import AlertState
from schemas.origin import Origin
from schemas.telemetry import HealthV1, MetricV1
from streams.detection.evaluation import Detector
from streams.detection.holding import Says
from streams.detection.kinds.burn_rate import RECOMMENDED, BurnRate
from streams.durations import read_duration

T0 = datetime(2024, 3, 1, tzinfo=UTC)
MONTH = timedelta(days=30)
HERE = Origin(topic="t", partition=0, offset=0)
HEALTH = {"kind": "burn_rate", "name": "slo", "objective": "99.9%", "signal": "health"}


def only(long: str, short: str, burn: float) -> BurnRate:
    return BurnRate(**HEALTH, windows=[{"long": long, "short": short, "burn": burn}])


def result(at: datetime, *, bad: bool) -> HealthV1:
    status = "unhealthy" if bad else "healthy"
    return HealthV1(occurred_at=at, service="shop", check="db", status=status)


def outage(rule: BurnRate, every: timedelta, errors: float, lasting: timedelta, until: timedelta):
    """Return when it began to be bad and when it was over, from the first bad result on; what came before was good for the longest window."""
    memory = rule.fresh()
    longest = max(each.long for each in rule.windows)
    at, bad, seen = T0, 0.0, []
    begin = T0 + longest + every
    while at <= begin + until:
        failing = begin <= at < begin + lasting
        # Errors as evenly spread as they can be.
        bad += errors if failing else 0
        failed = bad >= 1 - 1e-9
        bad -= failed
        look = rule.next_look(memory, at)
        while look is not None and look < at:
            seen.append((look - begin, rule.look(memory, at, look)))
            look = rule.next_look(memory, look)
        seen.append((at - begin, rule.judge(memory, result(at, bad=failed), at, HERE)))
        at += every
    began = next((after for after, says in seen if says is Says.BAD), None)
    if began is None:
        return None, None
    ended = next(after for after, says in seen if after > began and says is not Says.BAD)
    return began, ended


@pytest.mark.parametrize(
    ("long", "short", "burn", "share"),
    [("1h", "5m", 14.4, 0.02), ("6h", "30m", 6, 0.05), ("3d", "6h", 1, 0.10)],
)
def test_the_recommended_windows_are_those_of_the_table(long, short, burn, share):
    """Table 5-8: recommended parameters; the budget that is gone by then."""
    found = [each for each in RECOMMENDED if each.long == read_duration(long)]
    assert [(each.short, each.burn) for each in found] == [(read_duration(short), burn)]
    assert burn * read_duration(long) / MONTH == pytest.approx(share)


@pytest.mark.parametrize(
    ("long", "short", "burn", "every", "errors"),
    [
        # 51.84 s of a total outage, ten times as long of one of 10 %.
        ("1h", "5m", 14.4, 1, 1.0),
        ("1h", "5m", 14.4, 2, 0.1),
        # 5 % of the budget in an hour.
        ("1h", "5m", 36, 2, 1.0),
        ("6h", "30m", 6, 6, 1.0),
        ("6h", "30m", 6, 6, 0.05),
        ("3d", "6h", 1, 30, 1.0),
        ("3d", "6h", 1, 60, 0.1),
    ],
)
def test_detection_takes_as_long_as_the_workbook_says(long, short, burn, every, errors):
    """The time is (1 - SLO) / error ratio x window x burn rate; windows are right to a sixtieth."""
    every = timedelta(seconds=every)
    expected = 0.001 / errors * read_duration(long) * burn
    lasting = expected * 1.2 + 2 * every
    began, _ = outage(only(long, short, burn), every, errors, lasting, lasting + MONTH / 100)
    spread = every / errors
    assert expected - spread <= began <= expected * (1 + 1 / 60) + spread


def test_a_total_outage_is_told_within_a_minute_and_the_budget_it_cost():
    """Where everything fails, the fast windows tell it after 52 s, with two thousandths of a per cent per second gone."""
    rule = BurnRate(**HEALTH)
    began, _ = outage(
        only("1h", "5m", 14.4), timedelta(seconds=1), 1.0, timedelta(hours=1), timedelta(hours=2)
    )
    assert timedelta(seconds=51) <= began <= timedelta(seconds=53)
    assert began / (MONTH * 0.001) == pytest.approx(0.02, abs=0.001)
    assert rule.windows == RECOMMENDED


def test_an_error_ratio_that_the_budget_bears_is_never_told():
    """Half of what the objective allows: nobody needs to know."""
    began, _ = outage(
        only("1h", "5m", 14.4), timedelta(seconds=1), 0.014, timedelta(hours=2), timedelta(hours=3)
    )
    assert began is None


def test_the_short_window_ends_the_alert_and_a_long_one_alone_would_go_on():
    """The workbook: with one window of an hour and a burn rate of 36, it goes on for 58 minutes; five minutes end it."""
    every, lasting = timedelta(seconds=1), timedelta(seconds=133)
    until = timedelta(hours=1, minutes=5)
    # What is as long as the long window, but for a step, is as good as none.
    began, ended = outage(only("1h", "59m59s", 36), every, 1.0, lasting, until)
    assert ended - began == pytest.approx(timedelta(minutes=58), abs=timedelta(minutes=1.2))

    _, ended = outage(only("1h", "5m", 36), every, 1.0, lasting, until)
    # 3.6 % of five minutes may still be bad.
    expected = lasting + timedelta(minutes=5) * (1 - 0.036)
    assert expected - every <= ended <= expected + timedelta(seconds=5) + every


def metric(seconds: float, name: str, value: float, **labels: str) -> MetricV1:
    return MetricV1(
        occurred_at=T0 + timedelta(seconds=seconds),
        service="shop",
        name=name,
        value=value,
        labels=labels,
    )


def told(rule: BurnRate, signals: list[MetricV1], until: float):
    detector = Detector([rule])
    alerts = []
    for offset, signal in enumerate(signals):
        alerts += detector.hear(signal, Origin(topic="t", partition=0, offset=offset))
    alerts += detector.tick(T0 + timedelta(seconds=until))
    return alerts


GOOD = {
    "name": "slo",
    "objective": 0.99,
    "good": {"metric": "requests", "match": ["status!~5.."]},
    "total": "requests",
}


def test_total_that_comes_before_good_is_no_outage():
    """Otherwise each export would look like an outage until its second metric has come."""
    rule = BurnRate(name="slo", objective=0.99, good="good", total="total")
    signals = []
    for second in range(0, 600, 15):
        signals += [metric(second, "total", second * 10), metric(second, "good", second * 10)]
    assert told(rule, signals, 700) == []


def test_good_is_what_matches_of_the_total():
    """A metric can be both: what is good by its labels, and everything."""
    signals = []
    for second in range(0, 300, 15):
        signals += [
            metric(second, "requests", second, status="200"),
            metric(second, "requests", second, status="503"),
        ]
    alert = told(BurnRate(**GOOD), signals, 300)[0]
    assert (alert.state, alert.severity) == (AlertState.FIRING, 1)
    # Half of all is bad, and a hundredth may be.
    assert alert.value == 50
    assert alert.reason == (
        "the error budget of 0.99 burns 50 times as fast as it may over 1h and 50 times over 5m: more than 14.4"
    )
    assert told(BurnRate(**GOOD | {"severity": 4}), signals, 300)[0].severity == 4


def test_few_requests_page_nobody():
    """One error of two is no outage."""
    signals = [
        each
        for second in range(0, 60, 15)
        for each in (metric(second, "total", second / 15), metric(second, "bad", second / 15))
    ]
    rule = {"name": "slo", "objective": 0.99, "bad": "bad", "total": "total"}
    assert told(BurnRate(**rule), signals, 100) == []
    assert told(BurnRate(**rule, minimum=2), signals, 100) != []


def test_a_fast_burn_that_slows_down_is_told_as_such_once():
    """Otherwise the severity would go up and down with each window."""
    rule = BurnRate(
        **HEALTH | {"objective": 0.9},
        windows=[
            {"long": "10m", "short": "1m", "burn": 5, "severity": 1},
            {"long": "30m", "short": "2m", "burn": 2, "severity": 3},
        ],
    )
    detector, alerts = Detector([rule]), []
    for second in range(4_000):
        # Good for half an hour; then all is bad for eight minutes; then three of ten.
        bad = 1_800 <= second < 2_280 or (second >= 2_280 and second % 10 < 3)
        alerts += detector.hear(result(T0 + timedelta(seconds=second), bad=bad), HERE)
    assert [(alert.state, alert.severity) for alert in alerts[:4]] == [
        ("firing", 1),
        ("changed", 3),
    ]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"good": "a"},
            "needs total with either good or bad; or signal: health, to count health checks",
        ),
        (
            {"signal": "health", "total": "a"},
            "good, bad and total have no meaning with signal: health; leave them out",
        ),
        (
            {"bad": "a", "total": "b", "check": "db"},
            "check has no meaning with signal: metrics; leave it out, or write signal: health",
        ),
        (
            {"signal": "health", "windows": [{"long": "5m", "short": "1h", "burn": 1}]},
            "short (1h) must be shorter than long (5m)",
        ),
        (
            {"signal": "health", "forget_after": "1d"},
            "the longest window (3d) must be shorter than forget_after (1d), or the series is forgotten first",
        ),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, said):
    with pytest.raises(ValidationError) as error:
        BurnRate(name="slo", objective=0.99, **settings)
    assert error.value.errors()[0]["msg"] == f"Value error, {said}"


@pytest.mark.parametrize("objective", ["100%", "99,9%", 99.9, 0])
def test_an_objective_is_a_share(objective):
    with pytest.raises(ValidationError, match="objective"):
        BurnRate(name="slo", signal="health", objective=objective)


def test_windows_with_too_little_in_them_do_not_make_an_alert_worse():
    """Otherwise a few results of a service without traffic would page, once the slow windows had told of them."""
    windows = [
        {"long": "2m", "short": "1m", "burn": 3, "severity": 1},
        {"long": "3m", "short": "1m", "burn": 1, "severity": 3},
    ]
    rule = BurnRate(name="slo", objective=0.9, signal="health", minimum=5, windows=windows)
    detector, alerts = Detector([rule]), []
    for offset, seconds in enumerate((0, 1, 130, 131, 132, 133, 134)):
        signal = result(T0 + timedelta(seconds=seconds), bad=True)
        alerts += detector.hear(signal, Origin(topic="t", partition=0, offset=offset))
    # Five in three minutes after 132 s, in two minutes after 134 s.
    said = [((alert.occurred_at - T0).total_seconds(), alert.severity) for alert in alerts]
    assert said == [(132, 3), (134, 1)]
