"""OTLP's log records as ours."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from schemas import limits
from schemas.contract import Unreadable
from schemas.telemetry import LogV1, Signal
from streams.telemetry.batch import Batch, TooLarge, too_many
from streams.telemetry.documents import made
from streams.telemetry.external import first_of
from streams.telemetry.format import Translated
from streams.telemetry.formats._otlp_dialect import Dialect
from streams.telemetry.formats._otlp_resources import Whose, by_resource, by_scope, pairs
from streams.telemetry.labelling import fitting
from streams.telemetry.moments import from_nanoseconds
from streams.telemetry.severities import level

_TRACE: Final = re.compile(r"[0-9a-f]{32}")
_NUMBERS: Final = range(1, 25)


def read_logs(
    resources: Any, dialect: Dialect, settings: Translated, batch: Batch, arrived: datetime | None
) -> None:
    """
    Add the records of *resources* to *batch*.

    Raises:
        Unreadable: There are too many, or too many are wrong.
    """
    for where, each, of in by_resource(resources, "resourceLogs", dialect, settings, batch):
        for within, scope in by_scope(each.scope_logs, f"{where}.scopeLogs", dialect, batch):
            if len(scope.log_records) > limits.BATCH_SIGNALS:
                raise TooLarge(too_many())
            said = _scope(scope.scope, dialect)
            for index, record in enumerate(scope.log_records):
                place = f"{within}.logRecords[{index}]"
                batch.add(place, _read(record, dialect, of, said, place, arrived))


def _scope(scope: Any, dialect: Dialect) -> Sequence[tuple[str, str]]:
    """Return what *scope* says of its records: the name of whoever logs, and attributes."""
    named = [("otel.scope.name", scope.name)] if scope.name else []
    return [*named, *pairs(scope.attributes, dialect)]


def _read(  # noqa: PLR0913, PLR0917 - what a record, its scope and its resource say
    record: Any,
    dialect: Dialect,
    of: Whose,
    scope: Sequence[tuple[str, str]],
    place: str,
    arrived: datetime | None,
) -> Iterator[Signal]:
    record = dialect.record(record, place)
    # The time of whoever saw it first stands in for the time of its source (Logs Data Model, "Timestamp").
    nanoseconds = record.time_unix_nano or record.observed_time_unix_nano
    field = f"{place}.timeUnixNano"
    at = from_nanoseconds(nanoseconds, field) if nanoseconds else None
    number = dialect.severity(record)
    trace = dialect.trace(record.trace_id)
    event = record.event_name
    text = dialect.text(record.body) or event
    if at is None and not text and not record.attributes:
        # So does a metric look to who takes it for a log record.
        raise Unreadable(f"{place}: has neither time nor body nor attributes")
    attributes = fitting(
        pairs(record.attributes, dialect), [("event.name", event)] if event else [], scope
    )
    yield made(
        LogV1,
        place,
        **of.every,
        occurred_at=first_of(at, arrived, place=field),
        labels=of.labels,
        severity_number=number if number in _NUMBERS else level(record.severity_text),
        body=text[: limits.TEXT_LENGTH],
        attributes=attributes,
        # What is no trace id stands for none (W3C Trace Context, "trace-id").
        trace_id=trace if _TRACE.fullmatch(trace) and trace.strip("0") else None,
    )
