"""What a record of the log becomes in the warehouse."""

from typing import Any, Final

from schemas.contract import Unreadable
from schemas.telemetry import HealthV1
from schemas.topics import (
    ALERTS,
    CHANGES,
    HEALTH,
    LIFECYCLE,
    NOTICES,
    RECEIPTS,
    TopicDeclaration,
)
from streams.agents.dead_letters import fault_met
from streams.errors import Rejected
from streams.telemetry.reading import Formats, read_signals
from streams.warehouse.newer import READ_AS
from streams.warehouse.rows import Row, check_row, rows_of

NAME = "record"

#: The topics that become history.
RECORDED: Final = (LIFECYCLE, ALERTS, NOTICES, RECEIPTS, CHANGES, HEALTH)
#: Those whose unreadable records another hop puts aside: once is enough.
PUT_ASIDE_ELSEWHERE: Final = (HEALTH,)


def rows_in(
    topic: TopicDeclaration, record: Any, formats: Formats | None = None
) -> list[tuple[str, Row]]:
    """
    Return the rows that a record becomes, each with its table; the same record gives the same rows.

    *formats* read what other systems send, as in detection.

    Raises:
        Unreadable: It is not what its topic carries.
        Rejected: It has no place in the warehouse.
        Fault: It met a bug of ours; others need not.
    """
    try:
        return _rows_in(topic, record, formats)
    except (Unreadable, Rejected):
        raise
    except Exception as fault:
        raise fault_met(NAME, record, fault) from fault


def _rows_in(
    topic: TopicDeclaration, record: Any, formats: Formats | None
) -> list[tuple[str, Row]]:
    if topic is not HEALTH:
        return rows_of(READ_AS.get(topic.name, topic.contract).from_wire(record.value))
    signals = read_signals(
        topic, record.value, record.headers, stamped=record.timestamp, formats=formats
    )
    return [
        check_row(signal, record.partition, record.offset, place)
        for place, signal in enumerate(signals)
        if isinstance(signal, HealthV1)
    ]
