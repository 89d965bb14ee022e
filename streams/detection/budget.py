"""
How much of what is bad may still come of many sources before a window has too much of it.

A window stays good while its *bounded* amount, such as errors, is at most so many times its *free* one, such as requests. What is free
only helps. So each source of what is bounded gets a share of what is left, and may use it up in any order, as long as the
windows do not move too far: whatever the steps that fall out of them take along, it is reckoned with.

What was promised is proved anew from what is counted whenever somebody asks, and stays as it is while that can be done.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Final

from streams.detection.moments import moment_of, number_of
from streams.detection.rule import Calm
from streams.detection.tally import Steps, Tally, Track, width_of

#: The two amounts: what the names of their sources begin with.
PART: Final = "part"
WHOLE: Final = "whole"
#: Amounts that a source may tell before it is asked again, where it is no counter.
_AT_ONCE: Final = 8
#: How far the windows may move, as parts of the shortest one that counts: half of it, or less where that leaves too little.
_AHEAD: Final = (2, 4, 8, 16, 32, 60)
#: How many times what was shared must be left before it is worth sharing anew.
_WORTH: Final = 4
#: More than what arithmetic in floating point can lose.
_SLACK: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Limit:
    """A window, and how many times the free amount the bounded one may be."""

    span: int
    factor: float


@dataclass(frozen=True, slots=True)
class Budget:
    """What must stay so."""

    limits: tuple[tuple[Limit, ...], ...]
    """Of each group, one limit must be kept."""
    bounded: str
    """Which amount is bounded: ``PART`` or ``WHOLE``."""
    counters: bool
    """Whether sources are counters."""
    delay: int
    """How long amounts wait before they are counted, in microseconds."""
    reach: int
    """The length that says how far to look ahead."""

    def calm(self, tally: Tally) -> Calm | None:
        """Return what all sources may tell, with shares made anew."""
        now = self._left(tally, tally.end)
        if now <= 0:
            return None
        for part in _AHEAD:
            until = tally.end + self.reach // part
            left = self._left(tally, until)
            if left >= now / 2:
                tops: dict[str, float] = {}
                # Half is kept for sources that are not known yet, and for what falls out.
                return self._promise(tops, until) if self._allot(tally, tops, left / 2) else None
        return None

    def renewed(self, tally: Tally, calm: Calm) -> Calm | None:
        """Return *calm* with the same shares, for as long as that can be promised now; None where new ones are better."""
        tops = calm.tops
        if not isinstance(tops, dict) or not tops.keys() <= tally.tracks.keys():
            return None
        spent = self._spent(tally, tops)
        if spent is None:
            return None
        before = 0 if calm.until is None else number_of(calm.until)
        untils = [tally.end + self.reach // part for part in _AHEAD]
        # Whoever lengthened it each time would open all feeds each time.
        for until in (before, *untils) if before > untils[1] else untils:
            left = self._left(tally, until)
            if left > _WORTH * spent:
                return None
            if left >= spent and left > 0:
                if len(tops) < len(tally.tracks) and not self._allot(
                    tally, tops, (left - spent) / 2
                ):
                    return None
                return calm if until == before else self._promise(tops, until)
        return None

    def of_source(self, tally: Tally, calm: Calm, tracks: tuple[str, ...]) -> Calm | None:
        """Return what the source that is followed by *tracks* may tell."""
        tops, made = calm.tops or {}, Calm(until=calm.until)
        for name in tracks:
            top = tops.get(name)
            if top is None:
                return None
            if name.startswith(self.bounded):
                if not self.counters:
                    made = Calm(high=top, count=_AT_ONCE, until=calm.until)
                else:
                    latest = tally.tracks[name].values[-1]
                    made = Calm(low=latest, high=top, until=calm.until, rising=True)
        return made

    def _promise(self, tops: Mapping[str, float], until: int) -> Calm:
        return Calm(
            until=moment_of(until),
            by_source=True,
            tops=tops,
            # A counter that was heard stands nearer to its top; an amount that was heard has used up some of the count.
            stands=self.counters,
        )

    def _allot(self, tally: Tally, tops: dict[str, float], amount: float) -> bool:
        """Share *amount* among the sources that have no share; return whether there is anything to share."""
        new = [name for name in tally.tracks if name not in tops]
        weights = {
            name: self._lately(tally.tracks[name]) for name in new if name.startswith(self.bounded)
        }
        # Who told nothing lately may begin to.
        floor = sum(weights.values()) / max(len(weights), 1) or 1.0
        each = amount / (sum(weights.values()) + floor * len(weights)) if weights else inf
        if not each > 0:
            return False
        for name in new:
            if name not in weights:
                tops[name] = inf
                continue
            share = each * (weights[name] + floor)
            tops[name] = (
                tally.tracks[name].values[-1] + share if self.counters else share / _AT_ONCE
            )
        return True

    def _lately(self, track: Track) -> float:
        """Return about how much a source told of late."""
        values = track.values
        return max(values[-1] - values[0], 0.0) if self.counters else max(values)

    def _spent(self, tally: Tally, tops: Mapping[str, float]) -> float | None:
        """Return how much may come while no source exceeds its top; None where one has."""
        spent = 0.0
        for name, top in tops.items():
            if not name.startswith(self.bounded):
                continue
            latest = tally.tracks[name].values[-1]
            if latest > top:
                return None
            spent += top - latest if self.counters else top * _AT_ONCE
        return spent

    def _left(self, tally: Tally, until: int) -> float:
        """Return how much more of what is bounded can come until the moment *until* with all limits kept."""
        part = self.bounded == PART
        # What waits may be counted apart from the rest: take all of it for the worse.
        waits = less = 0.0
        for each in tally.waiting:
            bound, free = (each.part, each.whole) if part else (each.whole, each.part)
            waits += max(bound, 0.0)
            less += min(free, 0.0)
        left = inf
        for group in self.limits:
            best = -inf
            for limit in group:
                if until - tally.end < limit.span:
                    width = width_of(limit.span)
                    first = (until - self.delay - limit.span) // width
                    least = _least(tally.window(limit.span), limit.factor, first, part=part)
                    best = max(best, least + limit.factor * less)
            left = min(left, best - waits)
        return left


def _least(steps: Steps, factor: float, first: int, *, part: bool) -> float:
    """Return the least that is left of a window while its steps before number *first* fall out one by one."""
    bound, free = (steps.parts, steps.wholes) if part else (steps.wholes, steps.parts)
    given, taken = factor * sum(free), sum(bound)
    left = least = given - taken
    for number, some, other in zip(steps.numbers, bound, free, strict=True):
        if number >= first:
            break
        left += some - factor * other
        least = min(least, left)
    return least - _SLACK * (abs(given) + abs(taken))
