"""
The signals of the last so many minutes of one series, in event time.

The window ends at the newest moment that was seen, by a signal or by a tick, and takes in late signals as long as they lie
inside. The same signal twice is in it once. It is bounded: of more signals than it has room for, the newest count.
"""

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from schemas.origin import Origin


@dataclass(slots=True)
class Sample:
    """One signal in a window."""

    at: datetime
    value: float
    likeness: str
    origin: Origin | None = None

    def __lt__(self, other: "Sample") -> bool:
        return (self.at, self.likeness) < (other.at, other.likeness)


@dataclass(slots=True)
class Window:
    """What is left of the signals, oldest first. It reaches back from ``end``, which itself belongs to it."""

    end: datetime | None = None
    samples: list[Sample] = field(default_factory=list)

    def take(self, sample: Sample, span: timedelta, room: int) -> bool:
        """Take in *sample* and return whether it counts: it is not too late, and not there already."""
        if self.end is None or sample.at > self.end:
            self.slide(sample.at, span)
        elif sample.at <= self.end - span:
            return False
        place = bisect_left(self.samples, sample)
        if place < len(self.samples):
            there = self.samples[place]
            if there.at == sample.at and there.likeness == sample.likeness:
                return False
        if len(self.samples) >= room:
            if place == 0:
                return False
            del self.samples[0]
        insort(self.samples, sample)
        return True

    def slide(self, end: datetime, span: timedelta) -> None:
        """Let the window end at *end* and forget what is no longer in it."""
        self.end = end
        begin = end - span
        gone = 0
        for sample in self.samples:
            if sample.at > begin:
                break
            gone += 1
        if gone:
            del self.samples[:gone]
