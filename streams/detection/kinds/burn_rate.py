"""A service level objective whose error budget burns too fast."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from schemas.contract import LabelName, Severity
from schemas.origin import Origin
from schemas.telemetry import HealthStatus, HealthV1, MetricV1, Signal
from streams.detection.budget import PART, WHOLE, Budget, Limit
from streams.detection.heard import LEVELS, Batch
from streams.detection.holding import Says
from streams.detection.measure import Measure, source_of
from streams.detection.moments import microseconds, moment_of, number_of
from streams.detection.rule import MANY, ONE_FEED, Calm, Evidence, Names, Rule
from streams.detection.tally import SOURCES, Steps, Tally, rounded
from streams.durations import Duration, written

#: Of windows that name no severity: the first pages, the next too, whatever burns slowly is for the morning.
_SEVERITIES: Final = (1, 2, 3)


def _share(given: Any) -> Any:
    if isinstance(given, str) and given.strip().endswith("%"):
        try:
            # Not divided by a hundred: 99.9 % is what a person means by 0.999, to the last digit.
            return float(f"{given.strip().removesuffix('%').strip()}e-2")
        except ValueError:
            pass
    if isinstance(given, int | float) and given >= 1:
        message = f"must be a share: write {given:g}% or {given / 100:g}"
        raise ValueError(message)
    return given


class Windows(BaseModel):
    """A burn rate that must be exceeded over a long and a short window at once."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    long: Annotated[Duration, Field(ge=timedelta(minutes=1), le=timedelta(days=30))]
    """Over this time, so much of the error budget is gone that somebody should know."""
    short: Annotated[Duration, Field(ge=timedelta(seconds=1))]
    """Over this time, it still burns; a twelfth of *long* is usual."""
    burn: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    """How many times as fast as would use the budget up exactly at the end of its period."""
    severity: Severity | None = None
    """1 critical to 4 low; the rule's where it is left out."""

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.short >= self.long:
            message = (
                f"short ({written(self.short)}) must be shorter than long ({written(self.long)})"
            )
            raise ValueError(message)
        return self


#: Of "The Site Reliability Workbook", chapter 5: 2 % of a month's budget in an hour, 5 % in six, 10 % in three days.
RECOMMENDED: Final = (
    Windows(long=timedelta(hours=1), short=timedelta(minutes=5), burn=14.4),
    Windows(long=timedelta(hours=6), short=timedelta(minutes=30), burn=6),
    Windows(long=timedelta(days=3), short=timedelta(hours=6), burn=1),
)


@dataclass(slots=True)
class Memory:
    """Good and bad over all windows, and which of them burn."""

    tally: Tally = field(default_factory=Tally)
    burning: int | None = None
    """The windows that decide how bad it is; None while nothing burns."""
    long_rate: float = 0.0
    short_rate: float = 0.0


class BurnRate(Rule):
    """
    Fires while, over one pair of windows, both burn rates exceed *burn*; resolves when no pair is so any more.

    The burn rate is the share of what was bad, divided by the share that the objective allows. Of several pairs the worst severity
    counts; it is kept until the burn rate of its long window is back, as that moves slowly. With less than *minimum* in a long window,
    its pair neither begins an alert nor makes it worse. Silence alone begins none, however little is left in a window. Windows move in steps of
    a sixtieth of their length, and end *settle* before the newest signal.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "burn_rate",
                    "name": "checkout-availability",
                    "objective": "99.9%",
                    "bad": {"metric": "http_errors_total"},
                    "total": "http_requests_total",
                }
            ]
        }
    )

    kind: Literal["burn_rate"] = "burn_rate"
    severity: Severity | None = None  # type: ignore[assignment]  # Windows have their own.
    """1 critical to 4 low, of windows that name none; 1, 2 and 3 in their order where it is left out too."""
    group_by: tuple[LabelName, ...] | None = ()
    """The labels whose values have objectives of their own; one for a service and environment where it is left out."""
    objective: Annotated[float, BeforeValidator(_share), Field(gt=0, lt=1)]
    """The share that must be good: ``99.9%`` or 0.999."""
    good: Measure | None = None
    """What counts what is good: a metric's name, or ``{metric: http_requests_total, match: [status!~"5.."]}``."""
    bad: Measure | None = None
    """What counts what is bad, likewise; either this or *good*."""
    total: Measure | None = None
    """What counts everything, likewise."""
    signal: Literal["metrics", "health"] = "metrics"
    """What is counted: two metrics, or results of health checks, each of which is good or bad."""
    check: Names = ()
    """With ``signal: health``, the check or checks that count; all where none is named."""
    degraded_fails: bool = False
    """Whether ``degraded`` is bad too, besides ``unhealthy``."""
    counters: bool = True
    """Whether the metrics are counters, whose growth is counted; otherwise each value is an amount of its own."""
    windows: Annotated[tuple[Windows, ...], Field(min_length=1, max_length=6)] = RECOMMENDED
    """Pairs of windows, the fastest first; those of the Site Reliability Workbook where they are left out."""
    minimum: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 10
    """What the total must come to in a long window, so that one error of two requests pages nobody."""
    settle: Annotated[Duration, Field(ge=timedelta(0))] = timedelta(seconds=5)
    """How long after a moment its metrics are counted: both must have been told by then. Health checks count at once."""
    forget_after: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(days=4)
    """What is silent so long is forgotten."""

    @cached_property
    def _pairs(self) -> tuple[tuple[int, int, float], ...]:
        return tuple(
            (microseconds(each.long), microseconds(each.short), rounded(each.burn))
            for each in self.windows
        )

    @cached_property
    def _spans(self) -> tuple[int, ...]:
        return tuple(sorted({span for pair in self._pairs for span in pair[:2]}))

    @cached_property
    def _delay(self) -> int:
        return 0 if self._checks else microseconds(self.settle)

    @cached_property
    def _budget(self) -> float:
        # What is left of one has digits that nobody wrote: 1 - 0.999 is not 0.001.
        return round(1 - self.objective, 12)

    @model_validator(mode="after")
    def _one_input(self) -> Self:
        metrics = (self.good, self.bad, self.total)
        if self._checks and metrics != (None, None, None):
            message = "good, bad and total have no meaning with signal: health; leave them out"
            raise ValueError(message)
        if not self._checks and (self.total is None or (self.good is None) == (self.bad is None)):
            message = (
                "needs total with either good or bad; or signal: health, to count health checks"
            )
            raise ValueError(message)
        if not self._checks and self.check:
            message = (
                "check has no meaning with signal: metrics; leave it out, or write signal: health"
            )
            raise ValueError(message)
        return self

    @cached_property
    def _checks(self) -> bool:
        return self.signal == "health"

    @cached_property
    def _good_level(self) -> float:
        """The highest level of a result that is good."""
        good = HealthStatus.HEALTHY if self.degraded_fails else HealthStatus.DEGRADED
        return LEVELS[good]

    def patience(self) -> dict[str, timedelta]:
        longest = max(each.long for each in self.windows)
        return super().patience() | {"the longest window": longest, "settle": self.settle}

    def counts_late(self) -> bool:
        return True

    def hears(self) -> tuple[type[Signal], ...]:
        return (HealthV1,) if self._checks else (MetricV1,)

    def names(self) -> tuple[str, ...]:
        if self._checks:
            return self.check
        return tuple(dict.fromkeys(measure.metric for _, measure in self._measures))

    def concerns(self, signal: Any) -> bool:
        return super().concerns(signal) and (
            self._checks or any(measure.holds(signal) for _, measure in self._measures)
        )

    def source_for(self, signal: Any) -> str:
        if self._checks:
            return f"{signal.check}/{source_of(signal)}"
        return " ".join(self._tracks_of(signal))

    def fresh(self) -> Memory:
        return Memory()

    def judge(self, memory: Memory, signal: Any, at: datetime, origin: Origin) -> Says | None:
        del origin
        now, tally = number_of(at), memory.tally
        new = self._check(tally, signal, now) if self._checks else self._metric(tally, signal, now)
        return self._look(memory, now) if new else None

    def calm(self, memory: Memory) -> Calm | None:
        if self._checks:
            return self._calm_of_checks(memory)
        return None if memory.burning is not None else self._may_still.calm(memory.tally)

    def renewed(self, memory: Memory, calm: Calm) -> Calm | None:
        return None if memory.burning is not None else self._may_still.renewed(memory.tally, calm)

    def calm_of(self, memory: Memory, calm: Calm, source: str) -> Calm | None:
        return self._may_still.of_source(memory.tally, calm, tuple(source.split()))

    @cached_property
    def _may_still(self) -> Budget:
        allowed = [(long, short, burn * self._budget) for long, short, burn in self._pairs]
        return Budget(
            limits=tuple(
                tuple(
                    Limit(span, share if self.good is None else 1 / (1 - share))
                    for span in (long, short)
                )
                for long, short, share in allowed
                # Nothing burns faster than with everything bad.
                if share < 1
            ),
            bounded=PART if self.good is None else WHOLE,
            counters=self.counters,
            delay=self._delay,
            reach=min(long for long, _, _ in self._pairs),
        )

    def _calm_of_checks(self, memory: Memory) -> Calm | None:
        """Return until when results that are good begin nothing: each makes the burn rates smaller, until one falls out of a window."""
        tally, moments = memory.tally, []
        if memory.burning is not None or tally.waiting:
            return None
        for long, short, burn in self._pairs:
            windows = [(span, tally.window(span)) for span in (long, short)]
            if not all(steps.part for _, steps in windows):
                # Where nothing is bad, what is good can fall out too.
                continue
            steps = [
                tally.next_step(0, (span,)) for span, steps in windows if self._rate(steps) <= burn
            ]
            last = max((step for step in steps if step is not None), default=None)
            if last is None:
                # It only lacks results to count.
                return None
            moments.append(last)
        return Calm(
            high=self._good_level,
            # A source too many makes another one be forgotten: which, depends on the order.
            count=MANY if len(tally.tracks) < SOURCES else ONE_FEED,
            until=moment_of(min(moments)) if moments else None,
            by_source=True,
        )

    def absorb(self, memory: Memory, heard_at: datetime, batch: Batch, origin: Origin) -> None:
        if not self._checks:
            self._follow(memory.tally, batch)
        elif not self._count_good(memory, batch):
            super().absorb(memory, heard_at, batch, origin)

    def absorb_late(self, memory: Memory, batch: Batch, origin: Origin) -> None:
        if not self._checks:
            self._follow(memory.tally, batch)
        elif not self._count_good(memory, batch):
            super().absorb_late(memory, batch, origin)

    def _follow(self, tally: Tally, batch: Batch) -> None:
        """Count what one feed noted down; until the others are counted too, it says nothing."""
        ats = batch.numbers()
        for name in self._tracks_of(batch.signal):
            part = name.startswith(PART)
            tally.follow(name, ats, batch.levels, counter=self.counters, part=part)
        tally.settle(ats[-1], self._delay, self._spans)

    def _count_good(self, memory: Memory, batch: Batch) -> bool:
        """Count results of one source together; return whether they could be: all are good and none is late."""
        if not self._checks or max(batch.levels) > self._good_level or memory.tally.waiting:
            return False
        tally, ats, source = memory.tally, batch.numbers(), self.source_for(batch.signal)
        whole, part = (tally.tracks.get(f"{name}{source}") for name in ("whole", "part"))
        if whole is None or part is None or not (whole.goes_on(ats) and part.goes_on(ats)):
            return False
        whole.follow(ats, 1.0)
        part.follow(ats, 0.0)
        tally.count_whole(ats, self._spans)
        return True

    def next_look(self, memory: Memory, heard_at: datetime) -> datetime | None:
        del heard_at
        moments = [memory.tally.next_settled(self._delay)]
        if memory.burning is not None:
            moments.append(memory.tally.next_step(self._delay, self._spans))
        known = [moment for moment in moments if moment is not None]
        return moment_of(min(known)) if known else None

    def look(self, memory: Memory, heard_at: datetime, at: datetime) -> Says:
        del heard_at
        return self._look(memory, number_of(at))

    def as_heard(self, memory: Memory) -> Memory:
        return replace(memory, tally=memory.tally.unsettled())

    def evidence(self, memory: Memory, says: Says) -> Evidence:
        if says is Says.CLEAR or memory.burning is None:
            return Evidence("the error budget does not burn too fast over any pair of windows")
        windows = self.windows[min(memory.burning, len(self.windows) - 1)]
        return Evidence(
            f"the error budget of {self.objective:.10g} burns {memory.long_rate:.3g} times as fast as it may over {written(windows.long)} "
            f"and {memory.short_rate:.3g} times over {written(windows.short)}: more than {windows.burn:g}",
            value=memory.long_rate,
        )

    def measured(self, memory: Memory) -> float:
        return memory.long_rate

    def severity_of(self, memory: Memory) -> int:
        return self._severity(memory.burning or 0)

    # -- what is counted --------------------------------------------------------------------------

    @cached_property
    def _measures(self) -> tuple[tuple[bool, Any], ...]:
        part = self.bad if self.good is None else self.good
        return ((True, part), (False, self.total))

    def _metric(self, tally: Tally, signal: MetricV1, now: int) -> bool:
        new = False
        for name in self._tracks_of(signal):
            part = name.startswith(PART)
            new |= tally.take(name, now, signal.value, counter=self.counters, part=part)
        return new

    def _tracks_of(self, signal: MetricV1) -> tuple[str, ...]:
        source = source_of(signal)
        return tuple(
            f"{PART if part else WHOLE}{source}"
            for part, measure in self._measures
            if measure.holds(signal)
        )

    def _check(self, tally: Tally, signal: HealthV1, now: int) -> bool:
        failed = signal.status is HealthStatus.UNHEALTHY or (
            self.degraded_fails and signal.status is HealthStatus.DEGRADED
        )
        source = self.source_for(signal)
        new = tally.take(f"whole{source}", now, 1.0, counter=False, part=False)
        # A result that is good is one of the source too, so that a copy of the other kind is no second result.
        return tally.take(f"part{source}", now, float(failed), counter=False, part=True) or new

    # -- what comes of it -------------------------------------------------------------------------

    def _look(self, memory: Memory, now: int) -> Says:
        tally = memory.tally
        tally.settle(now, self._delay, self._spans)
        before, burning = memory.burning, None
        for number, (long, short, burn) in enumerate(self._pairs):
            steps = tally.window(long)
            rate = self._rate(steps)
            if rate <= burn:
                continue
            worse = before is None or self._worse(before, number) != before
            enough = not worse or rounded(steps.whole) >= self.minimum
            if enough and self._rate(tally.window(short)) > burn:
                burning = self._worse(burning, number)
        if burning is None:
            memory.burning = None
            return Says.CLEAR
        if before is not None and before < len(self._pairs):
            long, _, burn = self._pairs[before]
            if self._rate(tally.window(long)) > burn:
                burning = self._worse(before, burning)
        memory.burning = burning
        long, short, _ = self._pairs[burning]
        memory.long_rate, memory.short_rate = (
            self._rate(tally.window(long)),
            self._rate(tally.window(short)),
        )
        return Says.BAD

    def _rate(self, steps: Steps) -> float:
        # A late value of a counter can take back what was counted before.
        part, whole = max(steps.part, 0.0), steps.whole
        if whole <= 0:
            return 0.0
        bad = part if self.good is None else max(whole - part, 0.0)
        return rounded(min(bad / whole, 1.0) / self._budget)

    def _worse(self, one: int | None, other: int) -> int:
        if one is None:
            return other
        return min(one, other, key=lambda number: (self._severity(number), number))

    def _severity(self, number: int) -> int:
        own = self.windows[min(number, len(self.windows) - 1)].severity
        if own is not None:
            return own
        return self.severity or _SEVERITIES[min(number, len(_SEVERITIES) - 1)]
