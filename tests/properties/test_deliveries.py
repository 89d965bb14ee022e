"""
Laws of what is not settled, under any order of notices, repeats, time, outcomes and restarts.

Days of deliveries in milliseconds: the clock is a variable of the test, and so is what each receiver says.
"""

from collections import Counter, defaultdict
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from schemas.lifecycle import StepKind
from schemas.notices import NoticeV1, Outcome, ReceiptV1
from streams.notifications.backoff import LONGEST, TRIED_FOR
from streams.notifications.channel import LONGEST_WAIT, Judgement, Verdict
from streams.notifications.delivery import REMEMBERED, Attempted, Deliveries
from tests.told import AT, notice

#: Two incidents, and how severe they are.
INCIDENTS = {"INC-2024-03-01-001": 1, "INC-2024-03-01-002": 3}
CHANNELS = ("chat", "pager")
#: The moments that the incidents' notices tell of, in their order.
LIFE = (StepKind.OPENED, StepKind.ACKNOWLEDGED, StepKind.MITIGATED, StepKind.RESOLVED)

verdicts = st.builds(
    Judgement,
    st.sampled_from(Verdict),
    st.sampled_from(["HTTP 200", "HTTP 429", "no answer within 10 s"]),
    st.none() | st.timedeltas(timedelta(0), LONGEST_WAIT),
    st.none() | st.sampled_from(["7", "8", "9"]),
)


class AnyDeliveries(RuleBasedStateMachine):
    """Whatever receivers say, whatever is repeated, whenever the worker is restarted."""

    def __init__(self) -> None:
        super().__init__()
        self.now = AT
        self.deliveries = Deliveries()
        #: What the journal holds.
        self.entries: dict[str, bytes] = {}
        self.known: dict[str, NoticeV1] = {}
        self.told: Counter[tuple[str, str]] = Counter()
        self.under_way: set[str] = set()
        self.receipts: dict[str, list[ReceiptV1]] = defaultdict(list)
        #: What each receiver calls its first message about an incident, and when it last took one.
        self.firsts: dict[tuple[str, str], tuple[str, datetime]] = {}

    # -- what can happen --------------------------------------------------------------------------

    @rule(incident=st.sampled_from(sorted(INCIDENTS)), channel=st.sampled_from(CHANNELS))
    def news(self, incident: str, channel: str) -> None:
        kind = LIFE[self.told[incident, channel] % len(LIFE)]
        self.told[incident, channel] += 1
        told = notice(
            kind,
            channel,
            self.told[incident, channel],
            incident_id=incident,
            severity=INCIDENTS[incident],
        )
        assert self.deliveries.accept(told)
        self.known[told.notice_id] = told
        self.journal()

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def a_repeat(self, data: st.DataObject) -> None:
        known = data.draw(st.sampled_from(sorted(self.known)))
        assert not self.deliveries.accept(self.known[known])
        assert self.deliveries.changes() == {}

    @rule()
    def attempts_begin(self) -> None:
        for pending in self.deliveries.due(self.now):
            self.begin(pending.notice.notice_id)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), judgement=verdicts, chance=st.floats(0, 1))
    def an_attempt_ends(self, data: st.DataObject, judgement: Judgement, chance: float) -> None:
        self.end(data.draw(st.sampled_from(sorted(self.under_way))), judgement, chance)

    @rule(
        elapsed=st.timedeltas(timedelta(0), timedelta(minutes=5))
        | st.timedeltas(timedelta(0), timedelta(days=8))
    )
    def time_passes(self, elapsed: timedelta) -> None:
        self.now += elapsed

    @rule()
    def a_tick_comes(self) -> None:
        assert list(self.deliveries.tick(self.now)) == []
        gone = {name for name, raw in self.journal().items() if raw is None}
        for place, (_, at) in list(self.firsts.items()):
            if at < self.now - REMEMBERED and any(place[1] in name for name in gone):
                del self.firsts[place]
        forgotten = gone & self.known.keys()
        for name in forgotten:
            last = self.receipts.pop(name)[-1]
            assert last.outcome is not Outcome.RETRYING
            assert last.occurred_at < self.now - REMEMBERED
            # Should it come again, it is news; here it does not.
            del self.known[name]

    @rule(data=st.data())
    def a_restart(self, data: st.DataObject) -> None:
        names = data.draw(st.permutations(sorted(self.entries)))
        self.deliveries = Deliveries()
        self.deliveries.restore({name: self.entries[name] for name in names})
        self.under_way = set()
        assert self.deliveries.changes() == {}

    # -- how it happens ---------------------------------------------------------------------------

    def begin(self, notice_id: str) -> None:
        assert notice_id not in self.under_way, "an attempt beside another of the same notice"
        assert not self.settled(notice_id), "an attempt after the end"
        if self.receipts[notice_id]:
            retry_at = self.receipts[notice_id][-1].retry_at
            assert retry_at is not None
            assert retry_at <= self.now, "an attempt before its time"
        told = self.known[notice_id]
        earlier = [
            each.notice_id
            for each in self.line(told)
            if each.incident.sequence < told.incident.sequence
        ]
        assert all(self.settled(each) for each in earlier), "an update overtook what it updates"
        self.deliveries.started(notice_id)
        self.under_way.add(notice_id)

    def end(self, notice_id: str, judgement: Judgement, chance: float) -> None:
        self.under_way.remove(notice_id)
        attempted = Attempted(judgement, "slack", timedelta(seconds=1))
        receipt = self.deliveries.settle(notice_id, attempted, self.now, chance)
        before = self.receipts[notice_id]
        assert receipt.attempt == len(before) + 1
        assert receipt.notice_id == notice_id
        if judgement.verdict is Verdict.DELIVERED:
            assert receipt.outcome is Outcome.DELIVERED
        elif judgement.verdict is Verdict.GIVE_UP:
            assert receipt.outcome is Outcome.GIVEN_UP
        else:
            assert receipt.outcome is not Outcome.DELIVERED
        if receipt.outcome is Outcome.RETRYING:
            assert receipt.retry_at is not None
            assert self.now < receipt.retry_at <= self.now + max(LONGEST, LONGEST_WAIT)
            assert receipt.retry_at >= self.now + (judgement.retry_after or timedelta(0))
            first = before[0].occurred_at if before else self.now
            end = first + TRIED_FOR[self.known[notice_id].incident.severity]
            assert receipt.retry_at <= end, "an attempt after its time"
        else:
            assert receipt.retry_at is None
        before.append(receipt)
        if receipt.outcome is Outcome.DELIVERED:
            place = (receipt.incident_id, receipt.channel)
            first = self.firsts[place][0] if place in self.firsts else judgement.provider_id
            if first is not None:
                self.firsts[place] = (first, self.now)
        self.journal()

    def journal(self) -> dict[str, bytes | None]:
        changed = dict(self.deliveries.changes())
        for name, raw in changed.items():
            if raw is None:
                del self.entries[name]
            else:
                self.entries[name] = raw
        return changed

    def settled(self, notice_id: str) -> bool:
        return any(each.outcome is not Outcome.RETRYING for each in self.receipts[notice_id])

    def line(self, told: NoticeV1) -> list[NoticeV1]:
        place = (told.incident_id, told.channel)
        return [each for each in self.known.values() if (each.incident_id, each.channel) == place]

    # -- what always holds ------------------------------------------------------------------------

    @invariant()
    def each_is_settled_once_at_most(self) -> None:
        for receipts in self.receipts.values():
            assert all(each.outcome is Outcome.RETRYING for each in receipts[:-1])

    @invariant()
    def the_journal_knows_what_is_known(self) -> None:
        notices = {name for name in self.entries if not name.startswith("[")}
        assert notices == self.known.keys()
        failing = {name for name in self.entries if name.startswith('["failing"')}
        assert len(self.entries) == len(self.known) + len(self.firsts) + len(failing)

    @invariant()
    def threads_keep_their_first_message(self) -> None:
        for told in self.known.values():
            first, _ = self.firsts.get((told.incident_id, told.channel), (None, None))
            assert self.deliveries.first(told) == first

    @invariant()
    def nothing_waits_without_a_time(self) -> None:
        """Each line has one that is due, under way, or has said when it will be tried."""
        due = {each.notice.notice_id for each in self.deliveries.due(self.now)}
        waiting = [each for each in self.known.values() if not self.settled(each.notice_id)]
        for told in waiting:
            first = min(
                (each for each in self.line(told) if not self.settled(each.notice_id)),
                key=lambda each: each.incident.sequence,
            ).notice_id
            said = self.receipts[first][-1].retry_at if self.receipts[first] else None
            later = said is not None and said > self.now
            assert (first in due) + (first in self.under_way) + later == 1

    def teardown(self) -> None:
        """Receivers that never answer again: everything ends all the same, in bounded time."""
        failing = Judgement(Verdict.TRY_AGAIN, "HTTP 500")
        for name in sorted(self.under_way):
            self.end(name, failing, 1.0)
        # The longest any line can last: its notices, one after the other, each until its end.
        longest = max(TRIED_FOR.values()) * (len(self.known) + 1)
        until = self.now + longest + LONGEST_WAIT
        while not all(self.settled(each) for each in self.known):
            self.attempts_begin()
            for name in sorted(self.under_way):
                self.end(name, failing, 1.0)
            # An operator's outage: nothing happens for hours, then all of it is due.
            self.now += timedelta(hours=1)
            assert self.now < until, "a notice that never ends"
        assert self.deliveries.due(until + REMEMBERED) == []


TestAnyDeliveries = AnyDeliveries.TestCase
TestAnyDeliveries.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
