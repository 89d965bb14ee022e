"""What could not be processed: the original bytes and key, with hop and reason beside them."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from schemas.topics import TopicDeclaration
from streams.agents.outgoing import Headers, Outgoing
from streams.errors import Fault
from streams.telemetry.reading import UNREAD

log = logging.getLogger(__name__)

HOP = "tocsin_hop"
REASON = "tocsin_reason"
TOPIC = "tocsin_topic"
PARTITION = "tocsin_partition"
OFFSET = "tocsin_offset"

#: Characters of a reason that are kept; brokers bound headers too.
_REASON_LENGTH = 1_000
#: Records of a topic that meet a bug of ours one after the other: so many are not to blame for it.
MANY: Final = 100


@dataclass(frozen=True, slots=True)
class Aside:
    """What a desk could not read of a record whose other parts it took."""

    reason: str
    unread: Sequence[str]
    """The places of those parts."""


def dead_letter(
    topic: TopicDeclaration, record: Any, *, hop: str, reason: str, unread: Sequence[str] = ()
) -> Outgoing:
    """
    Return *record* of *topic* as a dead letter; where only some of its places are *unread*, a header names them.

    Its own headers are kept, so that sending it to the original topic again replays it.
    """
    # Which places were not read stays said when all that was left is refused again.
    named: Headers = ((UNREAD, ",".join(unread).encode()),) if unread else ()
    ours = {HOP, REASON, TOPIC, PARTITION, OFFSET} | {name for name, _ in named}
    headers: Headers = (
        *((name, value) for name, value in record.headers if name not in ours),
        *named,
        (HOP, hop.encode()),
        (REASON, reason[:_REASON_LENGTH].encode(errors="replace")),
        (TOPIC, record.topic.encode()),
        (PARTITION, str(record.partition).encode()),
        (OFFSET, str(record.offset).encode()),
    )
    # The producer refuses a record that has neither key nor value; other clients do not.
    empty = record.key is None and record.value is None
    return Outgoing(topic.dead, b"" if empty else record.key, record.value, headers)


def fault_met(hop: str, record: Any, fault: Exception) -> Fault:
    """Log that *record* met a bug of ours, and return what its dead letter says of it."""
    log.error(
        "fault hop=%s topic=%s partition=%s offset=%s fault=%s",
        hop,
        record.topic,
        record.partition,
        record.offset,
        type(fault).__name__,
        exc_info=fault,
    )
    return Fault(hop, fault)


class Streaks:
    """How many records of each topic met a bug of ours, one after the other."""

    def __init__(self) -> None:
        self._lengths: Counter[str] = Counter()

    def add(self, topic: TopicDeclaration, records: int, faults: Sequence[Exception]) -> None:
        """
        Take in that of so many *records* some met *faults*.

        Raises:
            Exception: The latest fault, where none of ``MANY`` records went well. The worker must stop, for it would put everything aside.
        """
        if len(faults) < records:
            del self._lengths[topic.name]
            return
        self._lengths[topic.name] += records
        if self._lengths[topic.name] >= MANY:
            raise faults[-1]
