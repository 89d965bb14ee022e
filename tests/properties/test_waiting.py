"""
Laws of what waits: groups, mute times, reminders, merges and fallbacks, whatever happens, and whenever the worker is restarted.

The same story is lived twice: by a worker that is never restarted, and by one that is restarted after every single step.
"""

from collections import Counter
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.lifecycle import StepKind
from schemas.notices import NoticeV1, Outcome, Purpose, ReceiptV1, TimingV1
from streams.notifications.channel import Judgement, Verdict
from streams.notifications.delivery import Attempted, Deliveries, Rules
from streams.notifications.fallbacks import Fallback
from streams.notifications.times import TimeInterval
from tests.told import AT, notice

NOON = TimeInterval.model_validate(
    {"name": "noon", "time_intervals": [{"times": [{"start_time": "12:00", "end_time": "13:00"}]}]}
)
RULES = Rules(intervals=[NOON], fallbacks={"chat": Fallback("mail", timedelta(minutes=2))})
LIFE = (StepKind.OPENED, StepKind.ACKNOWLEDGED, StepKind.MITIGATED, StepKind.RESOLVED)
WAIT, INTERVAL = timedelta(seconds=30), timedelta(minutes=5)
TIMINGS = {
    3: TimingV1(
        group="g", wait=WAIT, interval=INTERVAL, repeat=timedelta(minutes=30), mute=("noon",)
    ),
    2: TimingV1(group="h", wait=WAIT, interval=INTERVAL, repeat=timedelta(minutes=30)),
    1: TimingV1(group="i", repeat=timedelta(minutes=30)),
}

incidents = st.integers(1, 3)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("news"), incidents),
        st.tuples(st.just("time"), st.sampled_from([1, 29, 31, 60, 299, 301, 1_800, 3_600])),
        st.tuples(st.just("says"), st.sampled_from(Verdict)),
    ),
    max_size=40,
)


class World:
    """A worker, its journal, and all it said."""

    def __init__(self, *, restarts: bool) -> None:
        self.restarts = restarts
        self.now = AT
        self.deliveries = Deliveries(RULES)
        self.entries: dict[str, bytes] = {}
        self.told: Counter[int] = Counter()
        self.verdict = Verdict.DELIVERED
        self.attempts: list[tuple[Any, NoticeV1]] = []
        self.receipts: list[ReceiptV1] = []
        self.accepted: list[str] = []

    def live(self, story: list[tuple[str, Any]]) -> "World":
        for what, how in story:
            getattr(self, what)(how)
            self.look()
        return self

    def news(self, number: int) -> None:
        kind = LIFE[self.told[number] % len(LIFE)]
        self.told[number] += 1
        made = notice(
            kind,
            "chat",
            self.told[number],
            incident_id=f"INC-2024-03-01-00{number}",
            severity=number,
            severity_peak=number,
        )
        # What begins again was told of before: it need not wait.
        again = (self.told[number] - 1) // len(LIFE)
        incident = made.incident.model_copy(update={"reopen_count": again})
        update = {"occurred_at": self.now, "timing": TIMINGS[number], "incident": incident}
        self.hear(made.model_copy(update=update))

    def time(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    def says(self, verdict: Verdict) -> None:
        self.verdict = verdict

    def hear(self, heard: NoticeV1) -> None:
        if self.deliveries.accept(heard):
            self.accepted.append(heard.notice_id)
        assert not self.deliveries.accept(heard), "a repeat is known"
        self.receipts += self.deliveries.receipts()
        self.journal()

    def look(self) -> None:
        """What the worker does again and again."""
        for each in list(self.deliveries.tick(self.now)):
            self.hear(each)
        self.journal()
        while due := self.deliveries.due(self.now):
            told = due[0].notice
            self.attempts.append((self.now, told.notice_id, told))
            self.deliveries.started(told.notice_id)
            attempted = Attempted(Judgement(self.verdict, "said"), "slack", timedelta(0))
            self.receipts.append(self.deliveries.settle(told.notice_id, attempted, self.now, 0.5))
            follow = self.deliveries.follow_ups()
            self.journal()
            for each in follow:
                self.hear(each)

    def journal(self) -> None:
        for name, raw in self.deliveries.changes().items():
            if raw is None:
                del self.entries[name]
            else:
                self.entries[name] = raw
        if self.restarts:
            self.deliveries = Deliveries(RULES)
            self.deliveries.restore(self.entries)


@given(story=steps)
@settings(max_examples=150, deadline=None)
def test_a_restart_at_any_point_changes_nothing(story: list[tuple[str, Any]]) -> None:
    """Otherwise a deploy would repeat notices, or forget timers."""
    through, restarted = World(restarts=False).live(story), World(restarts=True).live(story)
    # Lines do not wait for each other: which of them goes first at one moment is nobody's promise.
    assert sorted(restarted.attempts, key=_when) == sorted(through.attempts, key=_when)
    assert wired(restarted.receipts) == wired(through.receipts)
    assert restarted.entries == through.entries


@given(story=steps)
@settings(max_examples=150, deadline=None)
def test_everything_ends_once_and_nothing_is_told_twice(story: list[tuple[str, Any]]) -> None:
    """Otherwise somebody would never hear, or hear again of what was confirmed."""
    world = World(restarts=False).live(story)
    world.says(Verdict.DELIVERED)
    # All incidents end, so that nobody is reminded for ever.
    for number in (1, 2, 3):
        while world.told[number] % len(LIFE):
            world.news(number)
    for _ in range(8):
        world.time(3_600)
        world.look()
    ends = Counter(
        each.notice_id for each in world.receipts if each.outcome is not Outcome.RETRYING
    )
    assert ends == Counter(world.accepted)


@given(story=steps)
@settings(max_examples=150, deadline=None)
def test_nothing_goes_before_its_time(story: list[tuple[str, Any]]) -> None:
    """Otherwise waits, intervals and mute times would be promises to nobody."""
    world = World(restarts=False).live(story)
    begun: dict[str, Any] = {}
    for at, _, told in world.attempts:
        if told.channel != "chat" or told.notice_id in begun:
            continue
        begun[told.notice_id] = at
        if told.incident.severity == 3:
            assert not NOON.contains(at)
        if told.incident.severity > 1 and told.purpose is Purpose.INITIAL:
            assert at >= told.occurred_at + WAIT or told.incident.reopen_count
    urgent = [(at, told) for at, _, told in world.attempts if told.incident.severity == 1]
    first = {}
    for at, told in urgent:
        first.setdefault(told.notice_id, (at, told))
    if all(how is Verdict.DELIVERED for what, how in story if what == "says"):
        assert all(at == told.occurred_at for at, told in first.values())


def _when(attempt: tuple[Any, str, NoticeV1]) -> tuple[Any, str]:
    return attempt[:2]


def wired(receipts: list[ReceiptV1]) -> list[bytes]:
    return sorted(each.to_wire() for each in receipts)
