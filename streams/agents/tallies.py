"""What is counted of telemetry: from the records of a partition to rows by service and minute."""

from collections.abc import Sequence
from datetime import datetime
from sys import float_info
from typing import Any, Final

import msgspec

from schemas import limits
from schemas.contract import Unreadable
from schemas.telemetry import ExternalV1, LogV1, MetricV1, Signal
from schemas.topics import EXTERNAL, LOGS, METRICS, TopicDeclaration
from streams.errors import Rejected
from streams.telemetry.glance import Glance, glance_at, source_of
from streams.telemetry.reading import Formats, latest_of, read_signals
from streams.warehouse import tally as sorts
from streams.warehouse.rows import Row
from streams.warehouse.tally import Series, Sort, Tally, level_of

#: The topics that are counted. Health checks are kept one by one.
COUNTED: Final[dict[TopicDeclaration, Sort]] = {
    METRICS: sorts.METRICS,
    LOGS: sorts.LOGS,
    EXTERNAL: sorts.EXTERNAL,
}
#: Senders that are known to be readable; beyond that all are looked at anew.
_KNOWN: Final = 20_000
_LARGEST: Final = float_info.max


class Part:
    """The counts of one partition of one topic, which takes its records in order."""

    def __init__(self, topic: TopicDeclaration, partition: int, formats: Formats) -> None:
        self._topic = topic
        self._formats = formats
        self.tally = Tally(COUNTED[topic], partition)
        #: Offset of the record after those that were taken.
        self.position = 0
        #: Records that met a bug of ours and are not counted, with what it was.
        self.faults: list[tuple[Any, Exception]] = []
        #: What was read as a whole once: who signs like that can be glanced at.
        self._known: dict[bytes, tuple[Any, ...]] = {}

    def take(self, records: Sequence[Any]) -> None:
        """Count *records*, which follow each other. What no hop can read is not counted: detection puts it aside."""
        glance = None if self._formats.foreign(self._topic) else glance_at(self._topic)
        stamped = min(record.timestamp for record in records)
        if stamped < 0:
            # One of them bears no time: each is looked at by itself.
            glance = None
        latest = latest_of(stamped)
        reach = self.tally.reach
        for record in records:
            reach(record.offset)
            try:
                if glance is None or not self._glanced(glance, record, latest):
                    self._read(glance, record)
            except Exception as fault:  # noqa: BLE001 - whoever takes over would meet it again, and again
                self.faults.append((record, fault))
        self.position = records[-1].offset + 1

    def _glanced(self, glance: Glance, record: Any, latest: datetime) -> bool:
        """Count a record at a glance; say whether that was enough."""
        if record.headers and not glance.ours(record.headers):
            return False
        try:
            seen = glance.seen(record.value)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, TypeError):
            return False
        at = seen.occurred_at
        series = self._known.get(source_of(seen))
        if series is None or not limits.EARLIEST <= at <= latest:
            return False
        level = seen.level
        if self._topic is LOGS:
            self.tally.count((*series, level_of(level)), at)
            return True
        if not -_LARGEST <= level <= _LARGEST:
            return False
        self.tally.count(series, at, level)
        return True

    def _read(self, glance: Glance | None, record: Any) -> None:
        try:
            signals = read_signals(
                self._topic,
                record.value,
                record.headers,
                stamped=record.timestamp,
                formats=self._formats,
            )
        except (Unreadable, Rejected):
            return
        # A CloudEvent of another type, or another system's batch, can hold what is not of this topic.
        expected = self._topic.contract.event_type
        ours = [signal for signal in signals if signal.event_type == expected]
        for signal in ours:
            self._count(signal)
        if glance is not None and len(signals) == len(ours) == 1:
            self._remember(glance, record, ours[0])

    def _count(self, signal: Signal) -> None:
        whose = (signal.tenant, signal.service, signal.environment)
        at = signal.occurred_at
        match signal:
            case MetricV1():
                self.tally.count((*whose, signal.name, signal.unit), at, signal.value)
            case LogV1():
                self.tally.count((*whose, level_of(signal.severity_number)), at)
            case ExternalV1():
                said = (signal.source, str(signal.state), signal.severity or 0)
                self.tally.count((*whose, *said), at)

    def _remember(self, glance: Glance, record: Any, signal: Signal) -> None:
        if not glance.ours(record.headers or ()):
            return  # Its headers can say whose it is: the same text without them can be somebody else's.
        try:
            source = source_of(glance.seen(record.value))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, TypeError):
            return
        if len(self._known) >= _KNOWN:
            self._known.clear()
        whose: Series = (signal.tenant, signal.service, signal.environment)
        if isinstance(signal, MetricV1):
            whose = (*whose, signal.name, signal.unit)
        self._known[source] = whose


class Parts:
    """The counts of all partitions that somebody reads."""

    def __init__(self, formats: Formats | None = None, *, wanted: bool = True) -> None:
        self._formats = formats or Formats()
        self._wanted = wanted
        self._parts: dict[tuple[str, int], Part] = {}

    @property
    def topics(self) -> tuple[TopicDeclaration, ...]:
        """What is counted."""
        return tuple(COUNTED) if self._wanted else ()

    def take(self, topic: TopicDeclaration, partition: int, records: Sequence[Any]) -> Part:
        """
        Count *records*, which follow each other in *partition* of *topic*, and return where they are counted.

        Where they were read before, counting begins anew with them: nobody knows what lies between.
        """
        place = (topic.name, partition)
        part = self._parts.get(place)
        if part is None or records[0].offset < part.position:
            part = self._parts[place] = Part(topic, partition, self._formats)
        part.take(records)
        return part

    def due(self) -> dict[str, list[Row]]:
        """Return the rows, by table, that are other than when they were last asked for."""
        rows: dict[str, list[Row]] = {}
        for (name, _), part in self._parts.items():
            if part.tally.waiting:
                rows.setdefault(_TABLES[name], []).extend(part.tally.due())
        return rows

    def has(self, part: Part) -> bool:
        """Whether *part* is still what its partition is counted in."""
        return any(part is each for each in self._parts.values())

    @property
    def waiting(self) -> int:
        """How many rows are due."""
        return sum(part.tally.waiting for part in self._parts.values())


_TABLES: Final = {topic.name: sort.table for topic, sort in COUNTED.items()}
