"""
Telemetry counted by service and minute, so that every count can be made again.

A partition's records are counted in blocks: so many consecutive offsets, always the same ones. What a block says of one series in one minute is
one row, and a function of the block's records alone: whoever counts them again, after a crash or years later, gets the same row.
The rule this module alone enforces: of two rows about the same, the one that counted more signals is the right one. It holds because
the block is read in order: a later count of it has seen all that an earlier one saw, and one that began in its middle has seen less.

A signal that comes late is counted in the block that it comes in: no minute is ever closed.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

Row = dict[str, Any]
#: Values of a series' columns.
Series = tuple[Any, ...]

#: Offsets of one block: how much is read again after a crash, and how long one writes to the same rows.
BLOCK: Final = 32_768


@dataclass(frozen=True)
class Sort:
    """One sort of signal: where its rows go, and what tells its series from each other."""

    table: str
    columns: tuple[str, ...]
    #: Whether its signals have values.
    measured: bool = False


METRICS: Final = Sort(
    "metric_rollups", ("tenant", "service", "environment", "name", "unit"), measured=True
)
LOGS: Final = Sort("log_rollups", ("tenant", "service", "environment", "level"))
EXTERNAL: Final = Sort(
    "external_rollups", ("tenant", "service", "environment", "source", "state", "severity")
)

#: OpenTelemetry's names, each for four severity numbers.
_LEVELS: Final = ("trace", "debug", "info", "warn", "error", "fatal")


def level_of(severity_number: int) -> str:
    """Return the name of an OpenTelemetry severity number, 1 to 24."""
    return _LEVELS[(severity_number - 1) // 4]


class Count:
    """What one minute of one series says so far."""

    __slots__ = ("changed", "highest", "last", "last_at", "lowest", "signals", "total")

    def __init__(self, at: datetime, value: float) -> None:
        self.signals = 1
        self.total = self.lowest = self.highest = self.last = value
        self.last_at = at
        #: Whether it is other than when it was last asked for.
        self.changed = False

    def add(self, at: datetime, value: float) -> None:
        """Count another signal."""
        self.signals += 1
        self.total += value
        if value < self.lowest:
            self.lowest = value
        elif value > self.highest:
            self.highest = value
        # Of two at the same time the later record counts.
        if at >= self.last_at:
            self.last_at = at
            self.last = value


class Tally:
    """The counts of one sort of signal in one partition."""

    def __init__(self, sort: Sort, partition: int) -> None:
        self._sort = sort
        self._partition = partition
        self._counts: dict[tuple[Series, datetime], Count] = {}
        self._changed: list[tuple[tuple[Series, datetime], Count]] = []
        self._finished: list[Row] = []
        #: The block that is counted now; -1 before the first record. All before it are finished.
        self.block = -1

    @property
    def waiting(self) -> int:
        """How many rows are due."""
        return len(self._finished) + len(self._changed)

    def reach(self, offset: int) -> None:
        """Learn that the record at *offset* is next: it may begin another block."""
        block = offset // BLOCK
        if block != self.block:
            self._finished += self._rows()
            self._counts.clear()
            self.block = block

    def count(self, series: Series, at: datetime, value: float = 0.0) -> None:
        """Count a signal of the record that was reached."""
        place = (series, at.replace(second=0, microsecond=0))
        found = self._counts.get(place)
        if found is None:
            found = self._counts[place] = Count(at, value)
        else:
            found.add(at, value)
        if not found.changed:
            found.changed = True
            self._changed.append((place, found))

    def due(self) -> list[Row]:
        """Return the rows that are other than when they were last asked for."""
        rows = self._finished + self._rows()
        self._finished = []
        return rows

    def _rows(self) -> list[Row]:
        changed, self._changed = self._changed, []
        return [self._row(*place, count) for place, count in changed]

    def _row(self, series: Series, minute: datetime, count: Count) -> Row:
        count.changed = False
        row: Row = {
            **dict(zip(self._sort.columns, series, strict=True)),
            "minute": minute,
            "partition": self._partition,
            "block": self.block,
            "signals": count.signals,
        }
        if self._sort.measured:
            row |= {
                "total": count.total,
                "lowest": count.lowest,
                "highest": count.highest,
                "last": count.last,
                "last_at": count.last_at,
            }
        return row
