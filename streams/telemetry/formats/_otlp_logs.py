"""OTLP's log records as ours."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from schemas import limits
from schemas.contract import Unreadable
from schemas.telemetry import LogV1, Signal
from streams.telemetry.documents import made
from streams.telemetry.external import first_of
from streams.telemetry.format import Translated, too_many
from streams.telemetry.formats._otlp_dialect import Dialect
from streams.telemetry.formats._otlp_resources import Whose, by_resource, pairs
from streams.telemetry.labelling import fitting
from streams.telemetry.moments import from_nanoseconds
from streams.telemetry.severities import level

_TRACE_DIGITS: Final = 32
_NUMBERS: Final = range(1, 25)


def read_logs(
    resources: Any, dialect: Dialect, settings: Translated, arrived: datetime | None
) -> Sequence[Signal]:
    """
    Return the records of *resources*.

    Raises:
        Unreadable: One of them is none.
    """
    signals: list[Signal] = []
    for number, each, of in by_resource(resources, dialect, settings):
        for scope_number, scope in enumerate(each.scope_logs):
            place = f"resourceLogs[{number}].scopeLogs[{scope_number}]"
            if len(signals) + len(scope.log_records) > limits.BATCH_SIGNALS:
                raise Unreadable(too_many())
            signals.extend(
                _record(record, dialect, of, f"{place}.logRecords[{index}]", arrived)
                for index, record in enumerate(scope.log_records)
            )
    return signals


def _record(
    record: Any, dialect: Dialect, of: Whose, place: str, arrived: datetime | None
) -> Signal:
    # The time of whoever saw it first stands in for the time of its source (Logs Data Model, "Timestamp").
    nanoseconds = record.time_unix_nano or record.observed_time_unix_nano
    field = f"{place}.timeUnixNano"
    at = from_nanoseconds(nanoseconds, field) if nanoseconds else None
    number = record.severity_number
    trace = dialect.trace(record.trace_id)
    return made(
        LogV1,
        place,
        **of.every,
        occurred_at=first_of(at, arrived, place=field),
        labels=of.labels,
        severity_number=number if number in _NUMBERS else level(record.severity_text),
        body=dialect.text(record.body)[: limits.TEXT_LENGTH],
        attributes=fitting(pairs(record.attributes, dialect)),
        # All zeros stand for none (W3C Trace Context, "trace-id").
        trace_id=trace if len(trace) == _TRACE_DIGITS and trace.strip("0") else None,
    )
