"""
An aggregate of the last so many minutes of one series, kept up with each signal instead of made anew.

The numbers are those that a fresh computation over the samples in the window would give, to the last digit: sums are kept as
partial sums without error (J. R. Shewchuk, "Adaptive Precision Floating-Point Arithmetic", 1997, as ``math.fsum`` does), ranks as
a sorted list. Samples may come late and out of order; the same sample twice is in it once. Times are microseconds since 1970.

A counter's growth is the sum of its steps from sample to sample; a step down is a counter that began anew at zero, so that
the whole new value counts, as in Prometheus. Nothing is extrapolated to the ends of the window.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import pairwise
from math import floor, fsum
from struct import Struct
from typing import Final
from zlib import crc32

from schemas.telemetry import Signal

#: Values are taken for this where they are larger: a thousand of them still have a finite sum.
LARGEST: Final = 1e300
#: Digits of a rank that count.
_DIGITS: Final = 9
_BITS: Final = Struct("<d").pack


class Keeps(StrEnum):
    """What a window keeps up."""

    COUNT = "count"
    SUM = "sum"
    RANKS = "ranks"
    GROWTH = "growth"


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a window reaches, and what it is for."""

    span: int
    """Its length in microseconds."""
    room: int
    """Of more samples than this, the newest count."""
    keeps: Keeps


@dataclass(slots=True)
class Running:
    """The samples of a window, oldest first, and what is made of them. It reaches back from ``end``, which itself belongs to it."""

    end: int | None = None
    ats: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    """What tells samples of one moment apart."""
    ranked: list[float] = field(default_factory=list)
    """The same values, smallest first, where ranks are asked for."""
    partials: list[float] = field(default_factory=list)
    """Numbers whose exact sum is that of the values, or the growth."""
    keeps: str = Keeps.COUNT
    """What is kept up; the policy can ask for something else than before."""

    def take(self, at: int, value: float, mark: int, reach: Reach) -> bool:
        """Take in a sample and return whether it counts: it is not too late, and not there already."""
        ats, keeps = self.ats, reach.keeps
        if keeps != self.keeps:
            self._begin(keeps)
        if self.end is None or at > self.end:
            self.slide(at, reach)
        elif at <= self.end - reach.span:
            return False
        value = min(max(value, -LARGEST), LARGEST)
        place = len(ats)
        if ats and at <= ats[-1]:
            place = first = bisect_left(ats, at)
            last = bisect_right(ats, at)
            if mark in self.marks[first:last]:
                return False
            # A counter goes up: of one moment, the smaller value was before the larger one, in whatever order they came.
            while place < last and (self.values[place], self.marks[place]) < (value, mark):
                place += 1
        if len(ats) >= reach.room:
            if place == 0:
                return False
            self._drop(1, keeps)
            place -= 1
        self._insert(place, at, value, mark, keeps)
        return True

    def slide(self, end: int, reach: Reach) -> None:
        """Let the window end at *end* and forget what is no longer in it."""
        self.end = end
        if reach.keeps != self.keeps:
            self._begin(reach.keeps)
        ats, begin = self.ats, end - reach.span
        if not ats or ats[0] > begin:
            return
        gone = 0
        for at in ats:
            if at > begin:
                break
            gone += 1
        self._drop(gone, reach.keeps)

    def extend(
        self, ats: Sequence[int], values: Sequence[float], marks: Sequence[int], reach: Reach
    ) -> None:
        """Take in samples that are newer than all others, oldest first; what is made of them is made when it is asked for."""
        # A tick can have moved it further.
        self.end = ats[-1] if self.end is None else max(self.end, ats[-1])
        self.ats += ats
        if max(values) > LARGEST or min(values) < -LARGEST:
            values = [min(max(value, -LARGEST), LARGEST) for value in values]
        self.values += values
        self.marks += marks
        gone = max(bisect_right(self.ats, self.end - reach.span), len(self.ats) - reach.room)
        if gone > 0:
            del self.ats[:gone], self.values[:gone], self.marks[:gone]
        self.ranked, self.partials, self.keeps = [], [], Keeps.COUNT

    def follow(
        self, ats: Sequence[int], values: Sequence[float], marks: Sequence[int], reach: Reach
    ) -> None:
        """Take in samples that need not be newer than all others; what is made of them is made when it is asked for."""
        only = Reach(reach.span, reach.room, Keeps.COUNT)
        for at, value, mark in zip(ats, values, marks, strict=True):
            self.take(at, value, mark, only)

    def copied(self) -> "Running":
        """Return a copy that goes on by itself."""
        return replace(
            self,
            ats=self.ats[:],
            values=self.values[:],
            marks=self.marks[:],
            ranked=self.ranked[:],
            partials=self.partials[:],
        )

    def _begin(self, keeps: Keeps) -> None:
        """Make what is kept up of the samples that are there."""
        self.ranked, self.partials, self.keeps = [], [], keeps
        if keeps is Keeps.GROWTH:
            for before, after in pairwise(self.values):
                self._step(before, after, 1.0)
        elif keeps is Keeps.SUM:
            for value in self.values:
                add(self.partials, value)
        elif keeps is Keeps.RANKS:
            self.ranked = sorted(self.values)

    def steps(self) -> list[float]:
        """Return how much a counter grew from each value to the next: the whole of one that it began anew with."""
        return [
            after - before if after >= before else after for before, after in pairwise(self.values)
        ]

    @property
    def total(self) -> float:
        """The sum, or the growth."""
        return fsum(self.partials)

    def _insert(self, place: int, at: int, value: float, mark: int, keeps: Keeps) -> None:
        if keeps is Keeps.GROWTH:
            before = self.values[place - 1] if place else None
            after = self.values[place] if place < len(self.values) else None
            if before is not None and after is not None:
                self._step(before, after, -1.0)
            if before is not None:
                self._step(before, value, 1.0)
            if after is not None:
                self._step(value, after, 1.0)
        elif keeps is Keeps.SUM:
            add(self.partials, value)
        elif keeps is Keeps.RANKS:
            insort(self.ranked, value)
        self.ats.insert(place, at)
        self.values.insert(place, value)
        self.marks.insert(place, mark)

    def _drop(self, count: int, keeps: Keeps) -> None:
        """Forget the oldest."""
        values = self.values
        if count == len(values):
            # Nothing is left: nothing of it stays in the sums either.
            self.ranked.clear()
            self.partials.clear()
        elif keeps is Keeps.GROWTH:
            for number in range(count):
                self._step(values[number], values[number + 1], -1.0)
        elif keeps is Keeps.SUM:
            for value in values[:count]:
                add(self.partials, -value)
        elif keeps is Keeps.RANKS:
            for value in values[:count]:
                del self.ranked[bisect_left(self.ranked, value)]
        del self.ats[:count], values[:count], self.marks[:count]

    def _step(self, before: float, after: float, sign: float) -> None:
        add(self.partials, sign * after)
        if after >= before:
            add(self.partials, -sign * before)


def add(partials: list[float], value: float) -> None:
    """Add *value* to the exact sum that *partials* stand for."""
    kept = 0
    for partial in partials:
        larger, smaller = (value, partial) if abs(value) >= abs(partial) else (partial, value)
        value = larger + smaller
        lost = smaller - (value - larger)
        if lost:
            partials[kept] = lost
            kept += 1
    partials[kept:] = [value]


def quantile(ranked: list[float], share: float) -> float:
    """Return the value below which *share* of the *ranked* ones lie, between two of them by their distance, as Prometheus does."""
    rank = share * (len(ranked) - 1)
    low = floor(rank)
    if low + 1 >= len(ranked):
        return ranked[-1]
    below, above = ranked[low], ranked[low + 1]
    # The last digits of 0.95 times 8 are not those of 7.6: a quantile at a threshold would be beyond it.
    between = below + (above - below) * round(rank - low, _DIGITS)
    # Rounding must not lead out of what was measured.
    return min(max(between, below), above)


def mark(signal: Signal, value: float) -> int:
    """Return what two copies of one measurement share, and two measurements of one moment do not."""
    return marked(seed_of(signal), signal.signal_id, value)


def seed_of(signal: Signal) -> int:
    """Return what the marks of all measurements with the same labels have in common."""
    return crc32(repr(sorted(signal.labels.items())).encode()) if signal.labels else 0


def marked(seed: int, signal_id: str | None, value: float) -> int:
    """Return the mark of one measurement."""
    if signal_id is not None:
        return crc32(signal_id.encode())
    # Of a number's bits, not of Python's hash: that hardly tells 2 from 2.5.
    return seed ^ crc32(_BITS(value))
