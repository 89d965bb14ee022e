"""What every rule kind tells is what a naive reading of its documentation tells, however it is heard: see tests/naive."""

from collections import defaultdict
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.telemetry import MetricV1
from schemas.ticks import TickV1
from tests.naive.hearing import (
    HOW,
    MIDNIGHT,
    START,
    close,
    compared,
    expected_of,
    rule_of,
    told_of,
    ways,
)
from tests.naive.life import Event, Life
from tests.naive.signals import Composite
from tests.naive.stories import RULES, SIGNALS, ahead, banded, groups, stories, waits

OF_METRICS = sorted(RULES.keys() - SIGNALS.keys())
LATENESS = 10


@pytest.mark.parametrize("name", RULES)
@given(ways, st.data())
@settings(max_examples=40, derandomize=True)
def test_a_kind_tells_what_its_words_say(name, how, data):
    """Otherwise an alert would be lost, late, or about nothing."""
    compared([data.draw(RULES[name])], HOW[how], data.draw(stories(name)), data)


@given(ways, st.data())
@settings(max_examples=40, derandomize=True)
def test_rules_that_hear_the_same_do_not_disturb_each_other(how, data):
    """Whatever one of them wants to hear in full is heard in full by all."""
    names = data.draw(st.lists(st.sampled_from(OF_METRICS), min_size=2, max_size=4))
    given = [data.draw(RULES[name]) for name in names]
    compared(given, HOW[how], data.draw(stories("threshold")), data)


@pytest.mark.parametrize("name", ["absence", "health", "rate_of_change", "anomaly", "passthrough"])
@given(ways, st.data())
@settings(max_examples=40, derandomize=True)
def test_what_was_cut_off_for_long_is_history(name, how, data):
    """Otherwise incidents of last year would open and end at once."""
    given = data.draw(RULES[name])
    compared([given], HOW[how], ahead(data.draw(stories(name)), data), data)


@pytest.mark.parametrize("name", RULES)
@given(ways, st.data())
@settings(max_examples=40, derandomize=True)
def test_what_comes_late_counts_where_a_window_reaches_it(name, how, data):
    """And nowhere else: an older value is no news."""
    compared([data.draw(RULES[name])], HOW[how], data.draw(stories(name, late=True)), data)


@pytest.mark.parametrize("name", RULES)
@given(ways, st.data())
@settings(max_examples=40, derandomize=True)
def test_within_the_allowed_lateness_a_kind_tells_what_happened(name, how, data):
    """Whatever order the signals come in, and how often."""
    given = data.draw(RULES[name]) | {"lateness": LATENESS}
    story = [each for each in data.draw(stories(name)) if each[1] is not TickV1]

    def arriving(story):
        arrivals = []
        for at, kind, said in story:
            lates = data.draw(st.lists(st.integers(0, LATENESS - 1), min_size=1, max_size=2))
            arrivals += [(at + late, (at, kind, said)) for late in lates]
            if data.draw(st.integers(0, 4)) == 0:
                arrivals.append((at, (at, TickV1, {})))
        heard = [each for _, each in sorted(arrivals, key=lambda each: each[0])]
        return [*heard, (3_000, TickV1, {})]

    def place(each):
        at, kind, said = each
        return at, said.get("value", 0), kind(occurred_at=MIDNIGHT, **said).to_wire()

    in_order = sorted(story, key=place)
    compared([given], HOW[how], [*in_order, (3_000, TickV1, {})], data, arriving)


@st.composite
def combined(draw) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Rules, and one that combines them. It waits, so that the order within one moment cannot be seen."""
    plain = {"kind": "threshold", "metric": "load", "aggregate": "last", "severity": 3}
    parts = [
        plain
        | {
            "compare": draw(st.sampled_from([">", "<"])),
            "threshold": draw(st.sampled_from([1, 3, 5])),
            "for": draw(waits),
            "keep_firing_for": draw(waits),
            "forget_after": draw(st.sampled_from([30, 200])),
            "group_by": draw(groups),
        }
        for _ in range(3)
    ]
    names = {"all": [], "any": [], "none": []}
    for number in range(3):
        names[draw(st.sampled_from(["all", "any", "none"]))].append(f"rule{number}")
    if not names["all"] and not names["any"]:
        names["all"], names["none"] = names["none"][:1], names["none"][1:]
    return parts, {
        "kind": "composite",
        "severity": 2,
        "for": draw(st.sampled_from([1, 10])),
        "keep_firing_for": draw(st.sampled_from([1, 10])),
        "forget_after": 100_000,
        "group_by": draw(st.sampled_from([[], ["host"]])),
        **names,
    }


def ticking(story):
    """The same, with a tick each second."""
    made, now = [], 0
    for at, kind, said in story[:-1]:
        made += [(second, TickV1, {}) for second in range(now, at)]
        now = max(at, now)
        made.append((at, kind, said))
    made += [(second, TickV1, {}) for second in range(now, now + 260)]
    return made


@given(ways, combined(), stories("threshold"), st.data())
@settings(max_examples=40, derandomize=True)
def test_rules_together_tell_what_each_of_them_tells(how, combination, story, data):
    """Also when one of them is over, is forgotten, or begins anew."""
    parts, whole = combination
    story = ticking(story[:40])
    rules = [rule_of(each, f"rule{number}") for number, each in enumerate(parts)]
    alerts = HOW[how]([*rules, rule_of(whole, "all")], story, data)
    moves = sorted(
        (at, f"rule{number}", series, state)
        for number, each in enumerate(parts)
        for series, said in expected_of(each, story).items()
        for at, state, *_ in said
    )
    heard = defaultdict(list)
    for at, rule, series, state in moves:
        hosts = series[2:] if whole["group_by"] else ()
        heard[series[0], "", *hosts].append(Event(at, (rule, series, state)))
    lives = {key: Life(whole, Composite) for key in heard}
    for key, life in lives.items():
        for event, following in pairwise([*heard[key], None]):
            life.hear(event, more=following is not None and following.at == event.at)
        life.live(story[-1][0])
    close(
        told_of(alerts, whole, "all"), {key: life.said for key, life in lives.items() if life.said}
    )


@st.composite
def seasons(draw) -> tuple[dict[str, Any], Any]:
    """A rule that goes by the hours, and days of what it hears, with a change of clocks in the middle of them."""
    given = {
        "kind": "anomaly",
        "metric": "load",
        "baseline": draw(st.sampled_from(["hour_of_day", "hour_of_day", "hour_of_week"])),
        "zone": draw(st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata"])),
        "cycles": draw(st.sampled_from([2, 3])),
        "learn": draw(st.sampled_from([4, 6])),
        "deviations": 3,
        "clear": draw(st.sampled_from([1, 3])),
        "direction": draw(st.sampled_from(["up", "down", "either"])),
        "floor": draw(st.sampled_from([0, 0.5])),
        "relative_floor": draw(st.sampled_from([0, 0.1])),
        "severity": draw(banded(5, 8)),
        "for": draw(st.sampled_from([0, 600, 7_200])),
        "keep_firing_for": draw(st.sampled_from([0, 600, 7_200])),
        "forget_after": draw(st.sampled_from([86_400, 700_200])),
        "group_by": None,
        "step": 300,
    }
    steps = draw(
        st.lists(
            st.tuples(
                st.sampled_from([10, 10, 10.5, 11, 30, -5]),
                st.sampled_from([300, 900, 900, 900, 1_800, 3_600, 86_400, 601_200]),
                st.sampled_from([1, 4, 24, 48]),
            ),
            max_size=10,
        )
    )
    at, story = 0, []
    for value, step, often in steps:
        for number in range(often):
            at += step if not number else min(step, 1_800)
            said = {"service": "shop", "labels": {"host": "a"}, "name": "load", "value": value}
            story.append((at, MetricV1, said))
    return given, [*story, (at + 800_100, TickV1, {})]


@given(ways, seasons(), st.data())
@settings(max_examples=30, derandomize=True)
def test_what_is_usual_by_the_hour_is_what_it_was_at_that_hour(how, season, data):
    """In any zone, also when clocks are changed."""
    given, story = season
    given["start"] = START
    compared([given], HOW[how], story, data)
