"""
The story: a service is well, loses its database, people are told and act, it recovers, and history agrees.

Every wait has a deadline and says what it waited for. The first expectation that does not hold ends the story.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import orjson
from rich.table import Table
from rich.text import Text

from schemas.lifecycle import StepKind, StepV1
from schemas.notices import Outcome, Purpose
from streams.errors import TocsinError, Unavailable
from streams.gateways import clock
from streams.laptop.demo import expectations
from streams.laptop.demo.expectations import seconds_between
from streams.laptop.demo.history import History
from streams.laptop.demo.inbox import Inbox
from streams.laptop.demo.installation import Installation
from streams.laptop.demo.service import Shop
from streams.laptop.demo.telling import Telling
from streams.laptop.demo.watching import Seen, Watch

T = TypeVar("T")

#: The seed's four endpoints.
CHECKS: Final = ("API Health", "Database", "Redis", "AI Service")
#: What the service's outage shows in.
SIGNALS: Final = ("health checks", "logs", "metrics")
#: Kinds of channels that a severity-1 incident is told to.
CHANNEL_KINDS: Final = ("slack", "email", "sms", "pagerduty", "webhook")

_BASELINE_WITHIN: Final = timedelta(seconds=30)
_DETECTED_WITHIN: Final = timedelta(seconds=30)
_CORRELATED_WITHIN: Final = timedelta(seconds=30)
_TOLD_WITHIN: Final = timedelta(seconds=30)
_RESOLVED_WITHIN: Final = timedelta(seconds=60)
_RECORDED_WITHIN: Final = timedelta(seconds=20)
#: How often each check must have been well before the database is broken.
_WELL_TIMES: Final = 2
_LOOK_EVERY: Final = 0.3


class Failed(TocsinError):
    """Something was expected and something else was seen; the text says both."""


@dataclass(frozen=True)
class Ending:
    """What the last line says."""

    incident_id: str
    detected_in: str
    paged_in: str
    notices: int
    rows: int

    def __str__(self) -> str:
        return (
            f"incident={self.incident_id} detected_in={self.detected_in}s "
            f"paged_in={self.paged_in}s notices={self.notices} rows={self.rows}"
        )


class Story:
    """One run through it."""

    def __init__(  # noqa: PLR0913 - the story is where all of these meet
        self,
        *,
        installation: Installation,
        watch: Watch,
        shop: Shop,
        inbox: Inbox,
        history: History,
        telling: Telling,
    ) -> None:
        self._installation = installation
        self._watch = watch
        self._seen = watch.seen
        self._shop = shop
        self._inbox = inbox
        self._history = history
        self._telling = telling

    async def play(self) -> Ending:
        """
        Play it through.

        Raises:
            TocsinError: What was expected and what was seen instead.
        """
        await self._baseline()
        broken_at, opened = await self._outage()
        incident_id = opened.incident_id
        paged = await self._told(incident_id, Purpose.INITIAL, broken_at)
        await self._people(incident_id)
        await self._correlation(incident_id)
        await self._recovery(incident_id)
        await self._told(incident_id, Purpose.RESOLUTION, broken_at)
        rows = await self._recorded(incident_id)
        self._show(incident_id)
        await self._figures(incident_id)
        return Ending(
            incident_id=incident_id,
            detected_in=seconds_between(broken_at, self._seen.seen_at(opened)),
            paged_in=seconds_between(broken_at, paged),
            notices=len(self._seen.notices),
            rows=sum(rows.values()),
        )

    # -- chapters ---------------------------------------------------------------------------------

    async def _baseline(self) -> None:
        self._telling.chapter("All is well")
        with self._telling.waiting("health checks"):
            await self._until(
                f"all of {', '.join(CHECKS)} healthy",
                lambda seen: (
                    True
                    if expectations.all_well(seen.healths, CHECKS, times=_WELL_TIMES) is None
                    else None
                ),
                _BASELINE_WITHIN,
            )
        if self._seen.steps:
            message = f"no incident before the outage, seen {self._seen.steps[0].incident_id}"
            raise Failed(message)
        self._telling.said(f"four endpoints of {self._shop.url} are healthy; no incident is open")

    async def _outage(self) -> tuple[datetime, StepV1]:
        self._telling.chapter("The database breaks")
        broken_at = clock.now()
        self._shop.database.take_away()
        self._telling.said("the service's database file is gone")
        with self._telling.waiting("the pipeline to find out"):
            opened = await self._until(
                "an incident opened",
                lambda seen: next((s for s in seen.steps if s.kind is StepKind.OPENED), None),
                _DETECTED_WITHIN,
            )
        incident = opened.incident
        self._telling.said(
            f"{opened.incident_id} severity {incident.severity}: {incident.summary} "
            f"({seconds_between(broken_at, self._seen.seen_at(opened))} s after it broke)"
        )
        return broken_at, opened

    async def _told(self, incident_id: str, purpose: Purpose, broken_at: datetime) -> datetime:
        """Wait until everybody was told, and return when the pager was first reached."""
        self._telling.chapter(f"People are told: {purpose}")
        with self._telling.waiting("the receivers"):
            told = await self._until(
                f"{purpose} notices delivered to {', '.join(CHANNEL_KINDS)}",
                lambda seen: delivered(seen, incident_id, purpose),
                _TOLD_WITHIN,
            )
        for line in told:
            self._telling.said(line)
        arrivals = self._inbox.arrivals()
        missing = set(CHANNEL_KINDS) - {each.kind for each in arrivals}
        if missing:
            message = (
                f"{purpose} messages at all receivers, seen receipts but no message at "
                f"{', '.join(sorted(missing))}"
            )
            raise Failed(message)
        self._expect(expectations.everything_was_accepted(self._inbox.problems()))
        paged = next(each.at for each in arrivals if each.kind == "pagerduty")
        if purpose is Purpose.INITIAL:
            self._telling.said(
                f"the pager was reached {seconds_between(broken_at, paged)} s after it broke"
            )
        return paged

    async def _people(self, incident_id: str) -> None:
        self._telling.chapter("Somebody acts")
        for words in (
            ("ack", incident_id),
            ("assign", incident_id, "on-call"),
            ("note", incident_id, "the database file is missing; bringing it back"),
        ):
            typed = ["incident", *words, "--author", "on-call", "--json"]
            with self._telling.waiting(f"tocsin {' '.join(typed)}"):
                said = await self._installation.command(*typed)
            answer = answer_in(said.output)
            if said.code != 0 or answer.get("result") != "done":
                message = (
                    f"`tocsin incident {words[0]}` carried out, seen code {said.code}: "
                    f"{(said.output + said.errors).strip()[:500]}"
                )
                raise Failed(message)
            self._telling.said(
                f"tocsin incident {' '.join(words)}: {answer['step']['kind']} "
                f"by {answer['step']['author']} (step {answer['step']['sequence']})"
            )

    async def _correlation(self, incident_id: str) -> None:
        self._telling.chapter("Logs and metrics say the same")
        with self._telling.waiting("alerts of other rules"):
            latest = await self._until(
                f"alerts of {len(SIGNALS)} rules, about {', '.join(SIGNALS)}, in one incident",
                lambda seen: next(
                    (
                        step.incident
                        for step in seen.steps
                        if step.incident_id == incident_id
                        and step.incident.alert_count >= len(SIGNALS)
                    ),
                    None,
                ),
                _CORRELATED_WITHIN,
            )
        self._expect(expectations.one_incident(self._seen.steps))
        for alert in latest.alerts:
            self._telling.said(f"{incident_id} has {alert.rule}: {alert.summary}")

    async def _recovery(self, incident_id: str) -> None:
        self._telling.chapter("The database comes back")
        self._shop.database.bring_back()
        back_at = clock.now()
        with self._telling.waiting("the incident to be resolved"):
            resolved = await self._until(
                f"{incident_id} resolved",
                lambda seen: next(
                    (
                        step
                        for step in seen.steps
                        if step.incident_id == incident_id and step.kind is StepKind.RESOLVED
                    ),
                    None,
                ),
                _RESOLVED_WITHIN,
            )
        self._telling.said(
            f"resolved by {resolved.author} {seconds_between(back_at, self._seen.seen_at(resolved))} s "
            f"after it came back: {resolved.reason}"
        )

    async def _recorded(self, incident_id: str) -> Mapping[str, int]:
        self._telling.chapter("History agrees")
        steps = self._steps(incident_id)
        self._expect(expectations.story_is_complete(steps))
        arrivals = [each.kind for each in self._inbox.arrivals()]
        self._expect(expectations.everything_was_accepted(self._inbox.problems()))
        self._expect(
            expectations.nobody_was_told_twice(
                self._seen.receipts, {kind: arrivals.count(kind) for kind in CHANNEL_KINDS}
            )
        )
        self._expect(expectations.nothing_was_put_aside(self._seen.dead))
        problem: str | None = "nothing"
        rows: dict[str, int] = {}
        loop = asyncio.get_running_loop()
        until = loop.time() + _RECORDED_WITHIN.total_seconds()
        with self._telling.waiting("ClickHouse"):
            while problem is not None:
                rows, problem = await self._rows(incident_id)
                if problem is not None and loop.time() > until:
                    raise Failed(problem)
                await asyncio.sleep(_LOOK_EVERY if problem else 0)
        self._telling.said(
            "ClickHouse has "
            + ", ".join(f"{count} {what}" for what, count in rows.items())
            + ", one row for each message"
        )
        return rows

    async def _rows(self, incident_id: str) -> tuple[dict[str, int], str | None]:
        expected = {
            "steps": len(self._steps(incident_id)),
            "notices": sum(each.incident_id == incident_id for each in self._seen.notices),
            "receipts": sum(each.incident_id == incident_id for each in self._seen.receipts),
            # The demo's outage is the only one there ever was.
            "alerts": len(self._seen.alerts),
        }
        try:
            rows = await self._history.counts(incident_id)
        except Unavailable as error:
            return {}, str(error)
        return rows, expectations.history_is_complete(expected, rows)

    # -- what is printed --------------------------------------------------------------------------

    def _show(self, incident_id: str) -> None:
        self._telling.chapter(f"Timeline of {incident_id}")
        timeline = Table("#", "at", "step", "by", "why", box=None)
        for step in self._steps(incident_id):
            timeline.add_row(
                str(step.sequence),
                f"{step.occurred_at:%H:%M:%S.%f}"[:-3],
                step.kind.replace("_", " "),
                Text(step.author),
                Text(f"{step.reason}: {step.detail}" if step.detail else step.reason),
            )
        self._telling.shown(timeline)
        self._telling.chapter("Receipts")
        receipts = Table(
            "channel", "notice", "attempt", "outcome", "took", "after", "said", box=None
        )
        for each in self._seen.receipts:
            receipts.add_row(
                f"{each.channel} ({each.channel_kind})",
                each.purpose,
                str(each.attempt),
                each.outcome,
                f"{each.took.total_seconds() * 1000:.0f} ms",
                f"{(each.occurred_at - each.requested_at).total_seconds():.2f} s",
                Text(each.reason),
            )
        self._telling.shown(receipts)

    async def _figures(self, incident_id: str) -> None:
        self._telling.chapter("ClickHouse says")
        row = await self._history.times(incident_id)
        if row is None:
            message = f"a row about {incident_id} in incidents_now, seen none"
            raise Failed(message)
        self._expect(expectations.warehouse_agrees(self._steps(incident_id)[-1].incident, row))
        self._telling.said(
            f"TTD {row['ttd_seconds']:.1f} s, TTA {row['tta_seconds']:.1f} s, "
            f"TTR {row['ttr_seconds']:.1f} s (the same as the log says)"
        )
        report = await self._installation.command("report", "mttr")
        if report.code != 0:
            message = (
                f"`tocsin report mttr` to answer, seen code {report.code}: {report.errors[:500]}"
            )
            raise Failed(message)
        self._telling.quoted(report.output)
        self._telling.chapter("Ask it yourself, with curl or with clickhouse-connect")
        self._telling.quoted(self._history.by_curl())
        answer = await self._history.ask_by_curl()
        if answer is None:
            self._telling.said("curl is not installed here, so this was not tried", good=False)
        else:
            self._telling.quoted(answer)
        self._telling.quoted(self._history.by_python())
        (line, *more) = await self._history.by_severity()
        self._telling.quoted(str(line))
        if more or line["severity"] != row["severity"] or line["resolved"] != 1:
            message = f"one resolved incident of severity {row['severity']}, seen {[line, *more]}"
            raise Failed(message)

    # -- small things -----------------------------------------------------------------------------

    def _steps(self, incident_id: str) -> list[StepV1]:
        steps = [step for step in self._seen.steps if step.incident_id == incident_id]
        return sorted(steps, key=lambda step: step.sequence)

    def _expect(self, problem: str | None) -> None:
        if problem is not None:
            raise Failed(problem)

    async def _until(self, what: str, find: Callable[[Seen], T | None], within: timedelta) -> T:
        """Wait for what the topics say, and notice where the installation ends meanwhile."""
        try:
            return await self._watch.until(what, find, within)
        except TocsinError:
            self._installation.still_runs()
            # A refused message is why its receipt never came.
            self._expect(expectations.everything_was_accepted(self._inbox.problems()))
            raise


def delivered(seen: Seen, incident_id: str, purpose: Purpose) -> list[str] | None:
    """Return a line for each delivered notice once all kinds of channels were told, else None."""
    notices = [each for each in seen.notices if each.incident_id == incident_id]
    receipts = [each for each in seen.receipts if each.incident_id == incident_id]
    told = [
        each for each in receipts if each.purpose is purpose and each.outcome is Outcome.DELIVERED
    ]
    if not {each.channel_kind for each in told} >= set(CHANNEL_KINDS):
        return None
    if expectations.undelivered(notices, receipts, purpose):
        return None
    return [
        f"{each.channel} ({each.channel_kind}): {each.reason}, attempt {each.attempt}, "
        f"{(each.occurred_at - each.requested_at).total_seconds():.2f} s after the step"
        for each in told
    ]


def answer_in(output: str) -> dict[str, Any]:
    """Return the JSON that a command printed; nothing where it printed something else."""
    try:
        answer = orjson.loads(output)
    except orjson.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}
