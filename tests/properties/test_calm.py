"""Whatever a rule says that it is calm about, it has nothing to say about: for every kind there is, and for settings that calm depends on."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.origin import Origin
from schemas.telemetry import HealthV1, LogV1, MetricV1
from streams.detection import kinds
from streams.detection.heard import LEVELS, Batch, Heard, told_again
from streams.detection.holding import Says
from streams.detection.kinds.anomaly import Anomaly
from streams.detection.kinds.burn_rate import BurnRate
from streams.detection.kinds.health import Health
from streams.detection.kinds.rate_of_change import RateOfChange
from streams.detection.kinds.ratio import Ratio
from streams.detection.kinds.threshold import Threshold
from streams.detection.rule import MANY, Calm, Rule
from streams.discovery import declared_in, example_of, kind_of

MIDNIGHT = datetime(2024, 3, 1, tzinfo=UTC)
HERE = Origin(topic="t", partition=0, offset=0)
AGGREGATES = ("avg", "min", "max", "sum", "count", "p50", "p90", "p99", "rate", "increase")


def threshold(compare: str, aggregate: str) -> Threshold:
    window = {} if aggregate == "last" else {"aggregate": aggregate, "over": "20s"}
    return Threshold(name="a", metric="m", threshold=3, compare=compare, severity=3, **window)


def ratio(**settings) -> Ratio:
    given = {"numerator": "m", "denominator": "n", "over": "1m", "threshold": 0.4, "minimum": 2}
    return Ratio(**{"name": "a", "severity": 3, "counters": False} | given | settings)


def burn(**settings) -> BurnRate:
    windows = [{"long": "4m", "short": "20s", "burn": 3}, {"long": "5m", "short": "2m", "burn": 2}]
    given = {"name": "a", "objective": 0.9, "windows": windows, "minimum": 2}
    return BurnRate(**given | settings)


def anomaly(**settings) -> Anomaly:
    return Anomaly(
        **{"name": "a", "metric": "m", "severity": 3, "values": 400, "learn": 5, "deviations": 2}
        | settings
    )


def change(**settings) -> RateOfChange:
    given = {"name": "a", "metric": "m", "severity": 3, "over": "10s", "change": 2}
    return RateOfChange(**given | settings)


RULES = [
    *(kind(**example_of(kind)) for kind in declared_in(kinds)),
    *(threshold(compare, "last") for compare in (">", ">=", "<", "<=", "==", "!=")),
    *(threshold(compare, name) for compare in (">", "<=") for name in AGGREGATES),
    threshold("<", "avg"),
    # The mean of three times 0.1 is more than 0.1.
    Threshold(name="a", metric="m", threshold=0.1, aggregate="avg", over="20s", severity=3),
    threshold("==", "max"),
    Health(name="a", failures=1, degraded_fails=True, severity=3),
    Health(name="a", failures=2, of=4, successes=2, severity=3),
    ratio(),
    ratio(compare="<"),
    ratio(counters=True),
    ratio(counters=True, compare="<", settle="0s"),
    ratio(numerator={"metric": "n", "match": ["host=a"]}, denominator="n"),
    burn(bad="m", total="n", settle="20s"),
    burn(good="m", total="n"),
    burn(signal="health"),
    burn(signal="health", minimum=12),
    burn(
        signal="health", degraded_fails=True, windows=[{"long": "61s", "short": "60s", "burn": 4}]
    ),
    burn(bad="m", total="n", counters=False),
    burn(good="m", total="n", counters=False),
    anomaly(),
    anomaly(direction="up", floor=1),
    anomaly(baseline="hour_of_day", learn=4, cycles=2),
    change(),
    change(direction="down", relative=True, floor=0.5, change=0.5),
]

#: What they are calm about is shared among their sources.
SHARING = [
    rule for rule in RULES if isinstance(rule, Ratio | BurnRate) and MetricV1 in rule.hears()
]

PALETTES = (
    (-5, -1, 0, 0, 0.1, 1, 2, 2, 3, 3.1, 4, 10, 1e6),
    (2, 2, 2.1, 2.2, 3),
    (0, 0.1, 0.1, 1),
)
SIZES = ((0,), (0, 0, 0.1), (1, 2, 9), (5,), (0, 0, 3), (100, 90.5))
STATUSES = ("healthy", "healthy", "healthy", "healthy", "degraded", "unhealthy")


@st.composite
def steps(draw) -> list[tuple[int, int, int, float, str]]:
    """What is heard before, of all sorts or steady; after how many seconds, and of which feed."""
    values = st.sampled_from(draw(st.sampled_from(PALETTES)))
    pauses = st.sampled_from([1, 1, 2, 5, 30, 1_000] if draw(st.booleans()) else [1])
    each = st.tuples(
        pauses, st.integers(0, 1), st.integers(0, 2), values, st.sampled_from(STATUSES)
    )
    return draw(st.lists(each, max_size=50))


def signal(rule: Rule, at: datetime, feed: tuple[int, int], value: float, status: str):
    """One signal of one of six feeds."""
    host, number = feed
    fields = {"occurred_at": at, "service": "shop", "labels": {"host": "ab"[host]}}
    if rule.group_by is None:
        # One series.
        fields["labels"] = {}
    names = list(rule.names()) or ["m"]
    name = names[number % len(names)]
    if len(names) > 1 and name == names[0]:
        # What is bad is less than the whole.
        value /= 10
    kind = next(each for each in (HealthV1, MetricV1, LogV1, None) if each in {*rule.hears(), None})
    if kind is HealthV1:
        return HealthV1(**fields, check=name, status=status)
    if kind is MetricV1:
        return MetricV1(**fields, name=name, value=value)
    if kind is LogV1:
        return LogV1(
            **fields, body=f"{status} {name}", severity_number=min(int(abs(value)) + 1, 24)
        )
    return None


def level_of(heard) -> float:
    return heard.value if isinstance(heard, MetricV1) else LEVELS[heard.status]


class Series:
    """One series, heard as detection hears it, with everything that was said."""

    def __init__(self, rule: Rule) -> None:
        self.rule, self.memory, self.at = rule, rule.fresh(), MIDNIGHT
        self.said: list[Says | None] = []
        self.quiet = True

    def hear(self, given_signal) -> None:
        at = given_signal.occurred_at
        self.pass_to(at)
        if self.rule.concerns(given_signal):
            self._said(self.rule.judge(self.memory, given_signal, at, HERE))
            self.at = max(self.at, at)

    def pass_to(self, until: datetime) -> None:
        """Let time pass."""
        look = self.rule.next_look(self.memory, self.at)
        while look is not None and look < until:
            self._said(self.rule.look(self.memory, self.at, look))
            look = self.rule.next_look(self.memory, self.at)

    def _said(self, says: Says | None) -> None:
        self.said.append(says)
        if says is not None and says is not Says.BETWEEN:
            self.quiet = says is Says.CLEAR


def described(rule: Rule) -> str:
    parts = [kind_of(type(rule)), *map(str, rule.model_dump(exclude_defaults=True).values())]
    return "-".join(parts)[:80]


def calm_about(series: Series, heard) -> Calm | None:
    """What the feed of *heard* may say."""
    calm = series.rule.calm(series.memory)
    if calm is None or calm.tops is None:
        return calm
    return series.rule.calm_of(series.memory, calm, series.rule.source_for(heard))


def in_time(calm: Calm, before: datetime, at: datetime) -> bool:
    """Whether it is still calm about the moment *at*, having heard something at *before*."""
    return (calm.until is None or at < calm.until) and (calm.gap is None or at - before < calm.gap)


def levels_inside(data, calm: Calm, of: type) -> Iterator[float]:
    """Levels that the rule is calm about: always the same end of them, or all sorts."""
    whole = [0.0, 1.0, 2.0] if of is HealthV1 else [1.0, 5.0, 16.0, 24.0]
    some = [-1e9, -3.0, 0.0, 0.5, 1.0, 2.0, 3.0, 7.0, 1e9] if of is MetricV1 else whole
    ends = [max(calm.low, some[0]), min(calm.high, some[-1])]
    inner = [each for each in some if calm.low <= each <= calm.high]
    among = ends + inner if of is MetricV1 else inner
    way = data.draw(st.sampled_from(["low", "high", "mixed"]))
    while True:
        yield {"low": min, "high": max}.get(way, lambda each: data.draw(st.sampled_from(each)))(
            among
        )


@pytest.mark.parametrize("rule", RULES, ids=described)
@given(steps(), st.data())
@settings(max_examples=40)
def test_what_a_rule_is_calm_about_says_nothing(rule, given_steps, data):
    """Otherwise an alert would be lost for the sake of speed."""
    series, at, last = Series(rule), MIDNIGHT, None
    for step, host, number, value, status in given_steps:
        at += timedelta(seconds=step)
        heard = signal(rule, at, (host, number), value, status)
        if heard is not None and rule.concerns(heard):
            series.hear(heard)
            last = heard
    calm = calm_about(series, last) if series.quiet and last is not None else None
    if calm is None or last is None:
        return
    series.said.clear()
    levels, lowest = levels_inside(data, calm, type(last)), calm.low
    step = data.draw(st.sampled_from([0.01, 0.5, 3, 20, 100]))
    for _ in range(data.draw(st.sampled_from([1, min(calm.count, 5), min(calm.count, 80)]))):
        at += timedelta(seconds=step)
        if not in_time(calm, series.at, at):
            break
        level = next(levels)
        if calm.rising:
            level = lowest = max(level, lowest)
        heard = told_again(last, Heard(at, level, 0, None))
        if (
            calm.count >= MANY
            and not calm.rising
            and rule not in SHARING
            and not isinstance(last, LogV1)
        ):
            # Any number, from whatever feeds there are.
            other = signal(rule, at, (data.draw(st.integers(0, 1)), 0), level, "healthy")
            heard = other if other is not None and level_of(other) == level else heard
        series.hear(heard)
    assert Says.BAD not in series.said


@pytest.mark.parametrize("rule", SHARING, ids=described)
@given(st.data())
@settings(max_examples=60)
def test_whatever_the_sources_of_two_amounts_make_of_their_shares_says_nothing(rule, data):
    """In any order, some far behind the others: otherwise an alert would be lost because many hosts told a little of it."""
    series, at, totals = Series(rule), MIDNIGHT, defaultdict(float)
    feeds = [(host, number) for host in (0, 1) for number in range(len(rule.names()))]
    sizes = {feed: data.draw(st.sampled_from(SIZES)) for feed in feeds}

    def said(feed, moment, level):
        made = signal(rule, moment, feed, 0, "healthy")
        return made.model_copy(update={"value": level})

    for _ in range(data.draw(st.integers(2, 30))):
        at += timedelta(seconds=data.draw(st.sampled_from([1, 2, 5])))
        for feed in feeds:
            amount = data.draw(st.sampled_from(sizes[feed]))
            totals[feed] += amount
            series.hear(said(feed, at, totals[feed] if rule.counters else amount))
    calm = rule.calm(series.memory) if series.quiet else None
    if data.draw(st.booleans()) and calm is not None:
        calm = rule.renewed(series.memory, calm)
    if calm is None:
        return
    series.said.clear()
    heard = {
        feed: rule.calm_of(series.memory, calm, rule.source_for(said(feed, at, 0)))
        for feed in feeds
    }
    newest, levels, counts = dict.fromkeys(feeds, at), dict(totals), dict.fromkeys(feeds, 0)
    for _ in range(data.draw(st.integers(1, 40))):
        feed = data.draw(st.sampled_from(feeds))
        allowed = heard[feed]
        moment = newest[feed] + timedelta(seconds=data.draw(st.sampled_from([0.5, 3, 20, 60])))
        assert allowed is not None
        if moment >= calm.until or counts[feed] >= allowed.count:
            continue
        low = levels[feed] if allowed.rising else 0
        level = max(min(allowed.high, data.draw(st.sampled_from([low, low + 1, 1e9]))), low)
        series.hear(said(feed, moment, level))
        newest[feed], levels[feed] = moment, level
        counts[feed] += 1
    if data.draw(st.booleans()):
        series.pass_to(calm.until)
    assert Says.BAD not in series.said


def test_sources_of_two_amounts_are_calm_though_they_are_many():
    """Otherwise the test above would pass on rules that promise nothing."""
    for rule in SHARING:
        series, totals = Series(rule), defaultdict(float)
        for second in range(40):
            for feed, amount in (((0, 0), 0), ((0, 1), 9), ((1, 0), 0), ((1, 1), 9)):
                made = signal(rule, MIDNIGHT + timedelta(seconds=second), feed, 0, "healthy")
                good = isinstance(rule, BurnRate) and rule.good is not None
                given_amount = 9 if good or amount else 0
                totals[feed] += given_amount
                level = totals[feed] if rule.counters else given_amount
                series.hear(made.model_copy(update={"value": level}))
        # What is too much, or of itself, is never calm here.
        if getattr(rule, "compare", ">") == ">" and len(rule.names()) > 1:
            assert calm_about(series, made) is not None, described(rule)


@pytest.mark.parametrize("compare", [">", ">=", "<", "<="])
@pytest.mark.parametrize("aggregate", ["rate", "increase"])
def test_a_counter_that_goes_on_is_calm(compare, aggregate):
    """Otherwise every signal of a counter would be judged by itself, and the tests above would pass on rules that are never calm."""
    up = compare in {">", ">="}
    limit = (90 if up else 9) / (1 if aggregate == "increase" else 60)
    given = {"aggregate": aggregate, "over": "1m", "compare": compare, "threshold": limit}
    series = Series(Threshold(name="a", metric="m", severity=3, **given))
    for number in range(20):
        at = MIDNIGHT + timedelta(seconds=6 * number)
        series.hear(signal(series.rule, at, (0, 0), 1_000 + 5.0 * number, "healthy"))
    calm = series.rule.calm(series.memory)
    assert calm is not None
    assert (calm.low, calm.rising) == (1_095, True)
    # Ten values, nine steps of five: so much more may come, or so much may go.
    if up:
        assert calm.high == pytest.approx(1_095 + 90 - 45)
    else:
        assert calm.until == MIDNIGHT + timedelta(seconds=6 * (19 - 2) + 60)


def test_a_counter_below_zero_that_leaves_the_window_lets_it_grow():
    """Nothing counts below zero but by mistake; the alert must come all the same."""
    series = Series(threshold(">", "increase"))
    for second, value in enumerate((-5, -1, -5)):
        at = MIDNIGHT + timedelta(seconds=second)
        series.hear(signal(series.rule, at, (0, 0), value, "healthy"))
    # Four up and five down come to less than nothing; when they have gone, only what came since counts.
    assert series.rule.calm(series.memory) is None


def test_every_kind_that_looks_at_levels_is_calm_at_times():
    """Otherwise the test above would pass on rules that are never calm."""
    calm = set()
    for rule in RULES:
        series = Series(rule)
        for second in range(40):
            at = MIDNIGHT + timedelta(seconds=second)
            value = 2 if rule.names() and second % 2 else 0
            heard = signal(rule, at, (0, second % 2), value, "healthy")
            if heard is not None and rule.concerns(heard):
                series.hear(heard)
                if series.quiet and rule.calm(series.memory) is not None:
                    calm.add(kind_of(type(rule)))
    assert calm >= {"absence", "anomaly", "burn_rate", "health", "rate_of_change", "threshold"}


STEADY = ((2, 2.1), (0.1,), (0, 0.1), (0,), (2.2, 2.5, 2.9))


@pytest.mark.parametrize("rule", RULES, ids=described)
def test_the_ends_of_calm_are_calm(rule):
    """After something steady, as many signals as it is calm about, all at one of its ends, slowly and fast."""
    for values, before, end, step in product(STEADY, (3, 7, 31), (min, max), (0.01, 1, 9)):
        series, at, last = Series(rule), MIDNIGHT, None
        for number in range(before):
            at += timedelta(seconds=1)
            heard = signal(
                rule, at, (0, number), values[number // 2 % len(values)], STATUSES[number % 4]
            )
            if heard is not None and rule.concerns(heard):
                series.hear(heard)
                last = heard
        calm = calm_about(series, last) if series.quiet and last is not None else None
        if calm is None or isinstance(last, LogV1):
            continue
        series.said.clear()
        level = end(max(calm.low, -1e9), min(calm.high, 1e9))
        if isinstance(last, HealthV1):
            level = min(max(level, 0.0), 2.0)
        for _ in range(min(calm.count, 120)):
            at += timedelta(seconds=step)
            if in_time(calm, series.at, at):
                series.hear(told_again(last, Heard(at, level, 0, None)))
        assert Says.BAD not in series.said


def test_good_results_are_calm_for_ever_where_nothing_was_bad():
    """Otherwise each of them would be judged by itself."""
    series = Series(burn(signal="health"))
    for second in range(3):
        at = MIDNIGHT + timedelta(seconds=second)
        series.hear(signal(series.rule, at, (second % 2, 0), 0, "healthy"))
    calm = series.rule.calm(series.memory)
    assert calm == Calm(high=1, by_source=True)
    assert calm.lasts


def test_a_bad_result_that_only_lacks_company_is_not_calm():
    """The next good ones make it count: they must be judged."""
    series = Series(burn(signal="health", minimum=5))
    for second, status in enumerate(("unhealthy", "healthy")):
        at = MIDNIGHT + timedelta(seconds=second)
        series.hear(signal(series.rule, at, (0, 0), 0, status))
    assert Says.BAD not in series.said
    assert series.rule.calm(series.memory) is None


def test_good_results_are_calm_until_some_fall_out_of_the_longer_of_two_windows_that_allow_what_was_bad():
    series = Series(burn(signal="health"))
    for second in range(20):
        at = MIDNIGHT + timedelta(seconds=second)
        series.hear(signal(series.rule, at, (0, 0), 0, "unhealthy" if second == 15 else "healthy"))
    calm = series.rule.calm(series.memory)
    # The first step of four minutes is four seconds long; the other pair's long window lasts longer.
    assert calm is not None
    assert calm.until == MIDNIGHT + timedelta(minutes=4, seconds=4)


@given(st.lists(st.sampled_from([1, 2, 2.5, 3, 4]), min_size=5, max_size=200), st.integers(1, 30))
def test_values_that_are_absorbed_make_the_same_usual_as_those_that_are_judged(values, at_once):
    """A baseline that is made anew is made of the same values, whenever somebody looks."""
    rule, level = anomaly(values=100), 2.0
    judged, absorbed = rule.fresh(), rule.fresh()
    at, last = MIDNIGHT, signal(rule, MIDNIGHT, (0, 0), 0, "healthy")

    def judge(memory, value: float) -> Says | None:
        return rule.judge(memory, told_again(last, Heard(at, value, 0, None)), at, HERE)

    for value in values:
        at += timedelta(seconds=1)
        assert judge(judged, value) == judge(absorbed, value)
        calm = rule.calm(absorbed)
        if calm is None or not calm.low <= level <= calm.high:
            continue
        count = min(calm.count, at_once)
        ats = [at + timedelta(seconds=1 + number) for number in range(count)]
        for _ in ats:
            judge(judged, level)
        rule.absorb(
            absorbed, at, Batch(last, ats, [level] * count, [0] * count, [None] * count), HERE
        )
        at = ats[-1]
    at += timedelta(seconds=1)
    assert judge(judged, 3) == judge(absorbed, 3)
    assert judged == absorbed
