"""
A batch, element by element: one that is wrong is noted, and the others count.

Systems put into one record what has nothing to do with each other, and would send the same wrong element again: refusing the
record for it would lose all the others each time.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Final

from schemas import limits
from schemas.contract import Unreadable
from schemas.telemetry import Signal
from streams.errors import Rejected

#: How far a producer's clock may be ahead of the time that its record bears.
AHEAD: Final = timedelta(minutes=5)
#: Faults that are said one by one; the rest is counted.
_SAID: Final = 3


class TooLarge(Unreadable):
    """More than is read at once: in parts it could be read."""


class Batch:
    """
    The signals of one record, and what is wrong with the elements that gave none.

    Elements are known by their place in the document, such as ``alerts[1]``. Where *unread* names some, a dead letter is sent again
    of which the others counted: only those are read.
    """

    def __init__(self, latest: datetime = limits.LATEST, unread: Collection[str] = ()) -> None:
        self.signals: list[Signal] = []
        #: The places of elements that gave signals, and which is the first of each.
        self.begins: list[tuple[str, int]] = []
        #: What is wrong, by the element's place.
        self.faults: dict[str, Unreadable | Rejected] = {}
        self.latest = latest
        self._unread = unread

    def add(self, place: str, signals: Iterable[Signal]) -> None:
        """
        Take the *signals* of the element at *place*, all of them or none.

        Raises:
            Unreadable: The batch holds too many signals, or too much of it is wrong.
        """
        if self._unread and not self._asked(place):
            return
        kept = self.signals
        before = len(kept)
        try:
            for signal in signals:
                check_time(signal, self.latest, f"{place}: ")
                kept.append(signal)
                if len(kept) > limits.BATCH_SIGNALS:
                    break
        except (Unreadable, Rejected) as fault:
            del kept[before:]
            self.put_aside(place, fault)
        if len(kept) > before:
            self.begins.append((place, before))
        if len(kept) > limits.BATCH_SIGNALS:
            raise TooLarge(too_many())

    def refusal(self) -> Unreadable | Rejected:
        """Return what is said where all that there is is wrong."""
        first = next(iter(self.faults.values()))
        return type(first)(self.said())

    def said(self) -> str:
        """Return what is wrong, in one line."""
        faults = list(self.faults.values())
        more = len(faults) - _SAID
        first = "; ".join(str(fault) for fault in faults[:_SAID])
        return f"{first}; and {more} more" if more > 0 else first

    def put_aside(self, place: str, fault: Unreadable | Rejected) -> None:
        """
        Note what is wrong with the element at *place*.

        Raises:
            Unreadable: Too much is.
        """
        if self._unread and not self._asked(place):
            return
        self.faults[place] = fault
        if len(self.faults) > limits.BATCH_FAULTS:
            message = f"{self.said()}: more than {limits.BATCH_FAULTS} elements are wrong, and none counts"
            raise Unreadable(message)

    def _asked(self, place: str) -> bool:
        return any(
            place == each or place.startswith((f"{each}.", f"{each}[")) for each in self._unread
        )


def check_time(signal: Signal, latest: datetime, within: str = "") -> None:
    """
    Refuse a *signal* that happened after *latest*; *within* says where it stands.

    Raises:
        Rejected: It did.
    """
    if signal.occurred_at > latest:
        message = (
            f"{within}occurred_at: is more than {AHEAD.seconds // 60} minutes ahead of the record's own time; "
            "is the producer's clock right?"
        )
        raise Rejected(message)


def too_many() -> str:
    """Return what is said of a batch that holds too many signals."""
    return f"holds more than {limits.BATCH_SIGNALS} signals: send smaller batches"
