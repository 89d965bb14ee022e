"""
What two amounts came to in the last so many minutes: errors and requests, from one source or from many.

An amount is told by a counter, whose growth is what counts, or by single numbers. Each source, which is one metric with one set of
labels, is followed by itself: a counter that goes down has begun anew at zero. Of one source, two signals of one moment are one.
Signals that overtake up to three others of their source change nothing; what comes later still is left out.

A window moves in steps of a sixtieth of its length and reaches back to the beginning of a step, so that it is at most one step longer than
it says. What is kept does not grow with the number of signals.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import fsum
from typing import Final

from streams.detection.running import LARGEST

#: Steps of one window.
STEPS: Final = 60
#: Signals of one source that are remembered to put late ones in their place.
DEPTH: Final = 4
#: Sources of one series; of more, the one that was silent for the longest is forgotten, and its counter begins anew.
SOURCES: Final = 200
#: Digits of a share that count.
DIGITS: Final = 9
#: Moments that wait to be settled.
WAITING: Final = 1_000


@dataclass(slots=True)
class Track:
    """The latest values of one source, oldest first."""

    ats: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def take(self, at: int, value: float, *, counter: bool) -> list[tuple[int, float]]:
        """Return what a value adds to the amount, and when; less than nothing where a late one corrects what was added."""
        value = min(max(value, 0.0), LARGEST)
        ats, values = self.ats, self.values
        place = len(ats)
        if ats and at <= ats[-1]:
            place = bisect_left(ats, at)
            if ats[place] == at or (place == 0 and len(ats) == DEPTH):
                return []
        added = []
        if not counter:
            added.append((at, value))
        else:
            before = values[place - 1] if place else None
            if before is not None:
                added.append((at, _growth(before, value)))
            if place < len(ats):
                after = values[place]
                known = 0.0 if before is None else _growth(before, after)
                added.append((ats[place], _growth(value, after) - known))
        ats.insert(place, at)
        values.insert(place, value)
        if len(ats) > DEPTH:
            del ats[0], values[0]
        return added

    def goes_on(self, ats: Sequence[int]) -> bool:
        """Whether values of these moments, oldest first, all are newer than what is known."""
        return bool(self.ats) and self.ats[-1] < ats[0]

    def follow(self, ats: Sequence[int], value: float) -> None:
        """Take the same *value* at each of these moments, which go on."""
        self.ats = [*self.ats, *ats[-DEPTH:]][-DEPTH:]
        self.values = [*self.values, *[value] * min(len(ats), DEPTH)][-DEPTH:]


@dataclass(slots=True)
class Waiting:
    """What was told of one moment that is not settled yet."""

    at: int
    part: float
    whole: float

    def __lt__(self, other: "Waiting") -> bool:
        return self.at < other.at


@dataclass(slots=True)
class Steps:
    """The amounts of one window, step by step, oldest first, and their sums."""

    numbers: list[int] = field(default_factory=list)
    parts: list[float] = field(default_factory=list)
    wholes: list[float] = field(default_factory=list)
    part: float = 0.0
    whole: float = 0.0

    def add(self, at: int, part: float, whole: float, width: int) -> None:
        """Add what came at a moment that the window reaches."""
        number, numbers = at // width, self.numbers
        if numbers and numbers[-1] == number:
            self.parts[-1] += part
            self.wholes[-1] += whole
        else:
            place = bisect_left(numbers, number)
            if place < len(numbers) and numbers[place] == number:
                self.parts[place] += part
                self.wholes[place] += whole
            else:
                numbers.insert(place, number)
                self.parts.insert(place, part)
                self.wholes.insert(place, whole)
        self.part += part
        self.whole += whole

    def copied(self) -> "Steps":
        """Return a copy that goes on by itself."""
        return replace(self, numbers=self.numbers[:], parts=self.parts[:], wholes=self.wholes[:])

    def slide(self, end: int, span: int, width: int) -> None:
        """Forget what lies before a window that ends at *end*."""
        # A step is left once all of it has been left.
        first = (end - span) // width
        if not self.numbers or self.numbers[0] >= first:
            return
        gone = bisect_left(self.numbers, first)
        del self.numbers[:gone], self.parts[:gone], self.wholes[:gone]
        # Anew, so that no error of rounding is carried on.
        self.part, self.whole = fsum(self.parts), fsum(self.wholes)


@dataclass(slots=True)
class Tally:
    """What is remembered of two amounts."""

    tracks: dict[str, Track] = field(default_factory=dict)
    waiting: list[Waiting] = field(default_factory=list)
    end: int = 0
    """The newest moment that was seen."""
    windows: dict[str, Steps] = field(default_factory=dict)
    """By their length in microseconds: the policy can ask for others than before."""

    def take(self, source: str, at: int, value: float, *, counter: bool, part: bool) -> bool:
        """Take in what *source* says of the part or of the whole, and return whether it was not known."""
        track = self.tracks.get(source)
        if track is None:
            if len(self.tracks) >= SOURCES:
                silent = min(self.tracks, key=lambda name: (self.tracks[name].ats[-1], name))
                del self.tracks[silent]
            track = self.tracks[source] = Track()
        heard = len(track.ats)
        added = track.take(at, value, counter=counter)
        for moment, amount in added:
            self._wait(moment, amount if part else 0.0, 0.0 if part else amount)
        return bool(added) or len(track.ats) != heard

    def follow(
        self, source: str, ats: Sequence[int], values: Sequence[float], *, counter: bool, part: bool
    ) -> None:
        """Take in what *source* says of the part or of the whole at each of these moments, oldest first."""
        track = self.tracks.get(source)
        if track is None or not track.goes_on(ats):
            for at, value in zip(ats, values, strict=True):
                self.take(source, at, value, counter=counter, part=part)
            return
        values = [min(max(value, 0.0), LARGEST) for value in values]
        amounts = list(map(_growth, (track.values[-1], *values), values)) if counter else values
        track.ats = [*track.ats, *ats[-DEPTH:]][-DEPTH:]
        track.values = [*track.values, *values[-DEPTH:]][-DEPTH:]
        for at, amount in zip(ats, amounts, strict=True):
            self._wait(at, amount if part else 0.0, 0.0 if part else amount)

    def settle(self, at: int, delay: int, spans: Sequence[int]) -> None:
        """Let the time be *at* and count what is *delay* old, in windows of these lengths."""
        self.end = max(self.end, at)
        until = self.end - delay
        settled = 0
        for each in self.waiting:
            if each.at > until and len(self.waiting) - settled <= WAITING:
                break
            settled += 1
        counted = self.waiting[:settled]
        del self.waiting[:settled]
        for span in spans:
            steps, width = self.window(span), width_of(span)
            steps.slide(until, span, width)
            first = (until - span) // width
            for each in counted:
                if each.at // width >= first:
                    steps.add(each.at, each.part, each.whole, width)

    def count_whole(self, ats: Sequence[int], spans: Sequence[int]) -> None:
        """Count one of the whole at each of these moments, oldest first, at once; nothing may wait."""
        self.end = max(self.end, ats[-1])
        for span in spans:
            steps, width = self.window(span), width_of(span)
            steps.slide(self.end, span, width)
            first = (self.end - span) // width
            place = bisect_left(ats, first * width)
            while place < len(ats):
                after = bisect_left(ats, (ats[place] // width + 1) * width, place)
                steps.add(ats[place], 0.0, float(after - place), width)
                place = after

    def unsettled(self) -> "Tally":
        """Return a copy that this one's settling leaves alone; what sources say must be told to one of them only."""
        windows = {span: steps.copied() for span, steps in self.windows.items()}
        return replace(self, waiting=self.waiting[:], windows=windows)

    def window(self, span: int) -> Steps:
        """Return the window of that length."""
        steps = self.windows.get(str(span))
        if steps is None:
            steps = self.windows[str(span)] = Steps()
        return steps

    def next_settled(self, delay: int) -> int | None:
        """Return when something that waits is settled by time alone."""
        return self.waiting[0].at + delay if self.waiting else None

    def next_step(self, delay: int, spans: Sequence[int]) -> int | None:
        """Return when time alone makes something fall out of one of the windows."""
        ends = [
            (steps.numbers[0] + 1) * width_of(span) + span + delay
            for span in spans
            if (steps := self.window(span)).numbers
        ]
        return min(ends, default=None)

    def _wait(self, at: int, part: float, whole: float) -> None:
        each, waiting = Waiting(at, part, whole), self.waiting
        place = len(waiting)
        if waiting and at <= waiting[-1].at:
            place = bisect_left(waiting, each)
            if waiting[place].at == at:
                waiting[place].part += part
                waiting[place].whole += whole
                return
        waiting.insert(place, each)


def width_of(span: int) -> int:
    """Return the length of one step of a window."""
    return max(span // STEPS, 1)


def rounded(share: float) -> float:
    """Return *share*, of one sum in another, without the last digits, which depend on the order in which both were added up."""
    return float(f"{share:.{DIGITS}g}")


def _growth(before: float, after: float) -> float:
    return after - before if after >= before else after
