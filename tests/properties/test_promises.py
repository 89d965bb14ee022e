"""
Laws of deadlines and escalations, whatever happens, whenever the worker is restarted, however long we are out.

Two hops hear the same: one goes on in another process at any moment, the other never. They must say the same.
"""

from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from schemas.commands import Acknowledge, Note, Reopen, Resolve, SetSeverity
from schemas.lifecycle import StepKind, StepV1
from streams.incidents.escalation import Chain
from streams.incidents.people import Person
from streams.incidents.schedules import Schedule
from streams.incidents.settings import IncidentSettings
from streams.notifications.routing import Route
from streams.policy import Policy
from tests.duty import SECOND, Desk

PEOPLE = {name: Person(channels=[name]) for name in ("ada", "grace", "lin")}
POLICY = Policy(
    # One incident, however long it takes.
    incidents=IncidentSettings(reopen_within="3000d", close_after="3000d"),
    routes=[Route(channels=("chat",))],
    people=PEOPLE,
    schedules={
        "primary": Schedule.model_validate(
            {
                "layers": [
                    {
                        "rotation": ["ada", "grace"],
                        "begins": "2026-03-02 00:00",
                        "every": "45m",
                        "hours": {"mon-sun": "06:00-02:00"},
                    }
                ]
            }
        )
    },
    escalations={
        "critical": Chain.model_validate(
            {
                "severities": [1],
                "steps": [
                    {"schedules": ["primary"], "after": "1m"},
                    {"people": ["lin"], "after": "5m", "during": {"mon-sun": "07:00-22:00"}},
                    {"people": ["grace"], "after": "9m"},
                ],
                "repeat": 1,
                "acknowledged_for": "20m",
            }
        ),
        "others": Chain.model_validate(
            {"steps": [{"people": ["ada"], "after": "2m"}, {"people": ["lin"], "after": "7m"}]}
        ),
    },
)


class AnyPromises(RuleBasedStateMachine):
    """Hours of incident life in milliseconds."""

    def __init__(self) -> None:
        super().__init__()
        self.steady, self.restarted = Desk(POLICY), Desk(POLICY)
        #: Escalations at moments at which we had been out.
        self.after_outages: list[list[StepV1]] = []
        self.was_out = False
        self.both(lambda desk: desk.tick())

    def both(self, act: Any) -> None:
        act(self.steady)
        if not self.was_out:
            act(self.restarted)

    def last(self) -> StepV1 | None:
        return self.steady.steps[-1] if self.steady.steps else None

    @rule(severity=st.integers(1, 4), number=st.integers(0, 2))
    def an_alert_fires(self, severity: int, number: int) -> None:
        print_of = f"{number}".rjust(16, "0")
        self.both(lambda desk: desk.alert(severity=severity, fingerprint=print_of))

    @precondition(lambda self: self.last() is not None)
    @rule(
        kind=st.sampled_from([Acknowledge, Acknowledge, Note, Resolve, Reopen, SetSeverity]),
        severity=st.integers(1, 4),
    )
    def a_person_acts(self, kind: Any, severity: int) -> None:
        fields = {
            Note: {"text": "looking"},
            Reopen: {"reason": "it is back"},
            SetSeverity: {"severity": severity, "reason": "as seen"},
        }.get(kind, {})
        incident_id = self.steady.steps[-1].incident_id
        self.both(lambda desk: desk.ask(kind, incident_id, **fields))

    @rule(seconds=st.sampled_from([1, 7, 60, 119, 300, 1_200, 3_600]))
    def time_passes(self, seconds: int) -> None:
        until = self.steady.now + seconds * SECOND
        self.both(lambda desk: desk.until(until, every=60 * SECOND))

    @rule()
    def the_worker_is_restarted(self) -> None:
        self.restarted.restart()

    @rule(minutes=st.integers(3, 600))
    def we_are_out(self, minutes: int) -> None:
        # Up to half a minute of it is not known after a restart: from here on only one is looked at.
        self.was_out = True
        before = len(self.steady.steps)
        self.steady.now += timedelta(minutes=minutes)
        self.steady.tick()
        self.after_outages.append(self.steady.steps[before:])

    @invariant()
    def any_restart_point_says_the_same(self) -> None:
        if not self.was_out:
            assert self.restarted.steps == self.steady.steps
            assert self.restarted.notices == self.steady.notices

    @invariant()
    def escalation_only_climbs(self) -> None:
        level = 0
        for step in self.steady.steps:
            level += step.kind is StepKind.ESCALATED
            assert (step.incident.escalations or 0) == level

    @invariant()
    def nobody_is_called_for_what_is_over_or_taken(self) -> None:
        for step in self.steady.steps:
            if step.kind in {StepKind.ESCALATED, StepKind.HANDED_OVER, StepKind.AT_RISK}:
                assert step.incident.resolved_at is None
            if step.kind is StepKind.ESCALATED:
                assert step.incident.acknowledged_by is None

    @invariant()
    def no_deadline_is_missed_before_its_time_or_twice(self) -> None:
        missed = [step for step in self.steady.steps if step.kind is StepKind.MISSED]
        promises = [step.reason.partition(" ")[0] for step in missed]
        assert len(set(promises)) == len(promises)
        for step, promise in zip(missed, promises, strict=True):
            due = step.incident.respond_by if promise == "response" else step.incident.resolve_by
            assert due is not None
            assert due <= step.occurred_at

    @invariant()
    def every_deadline_has_its_clock(self) -> None:
        last = self.last()
        if last is None or last.incident.resolved_at is not None:
            return
        if last.occurred_at == self.steady.now:
            return  # What a worse severity made due is missed at the next tick.
        missed = {
            step.reason.partition(" ")[0]
            for step in self.steady.steps
            if step.kind is StepKind.MISSED
        }
        incident, now = last.incident, self.steady.now
        assert incident.respond_by is not None
        assert incident.resolve_by is not None
        # What is due at this moment is missed at its tick.
        assert incident.resolve_by >= now or "resolution" in missed
        if not any(step.kind is StepKind.ACKNOWLEDGED for step in self.steady.steps):
            assert incident.respond_by >= now or "response" in missed

    @invariant()
    def nothing_escalates_because_we_were_out(self) -> None:
        for steps in self.after_outages:
            called = [step for step in steps if step.kind is StepKind.ESCALATED and step.calls]
            # One step at most: hours of somebody that came meanwhile, or what was due when it began.
            assert len(called) <= 1


TestAnyPromises = AnyPromises.TestCase
TestAnyPromises.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
