"""
Telegraf's JSON output, one metric or a batch.

Source: Telegraf documentation, "JSON output data format". Each field that is a number becomes a metric called
``name.field``; a field called ``value`` bears the name alone, a truth value is 1 or 0, and texts and nested fields are passed over.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

import msgspec
from pydantic import ConfigDict

from schemas import limits
from schemas.telemetry import MetricV1, Signal
from schemas.topics import METRICS, TopicDeclaration
from streams.telemetry.batch import TooLarge, too_many
from streams.telemetry.dividing import Divided, divide_json
from streams.telemetry.documents import Part, made, read_document
from streams.telemetry.external import first_of, shown
from streams.telemetry.format import Names, Translated
from streams.telemetry.labelling import fitting
from streams.telemetry.moments import from_any_unit, from_text
from streams.telemetry.payload import Payload

_VALUE = "value"
#: How a batch begins.
_BATCH = re.compile(rb'\s*\{\s*"metrics"\s*:')


class _Metric(Part):
    name: str
    # Nested ones are written where ``json_nested_fields_include`` names them.
    fields: Mapping[str, bool | float | str | list[Any] | dict[str, Any] | None]
    timestamp: int | float | str
    tags: Mapping[str, str] = msgspec.field(default_factory=dict)


class _Batch(Part):
    metrics: list[msgspec.Raw]


class Telegraf(Translated):
    """Reads each numeric field; the tags are its labels."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"topics": ["telemetry.metrics"], "service": ["service", "host"]}]
        }
    )

    becomes: ClassVar[TopicDeclaration | None] = METRICS

    kind: Literal["telegraf"] = "telegraf"
    service: Names = ("service", "service_name", "app", "host")
    """Tags that name the service: the first that is there."""

    def recognises(self, payload: Payload) -> bool:
        """Whether *payload* is a metric of Telegraf, or a batch of them."""
        if any(shown(payload, "fields", "name", each) for each in ("timestamp", "tags")):
            return True
        return payload.top.keys() == {"metrics"} and b'"fields"' in bytes(payload.top["metrics"])

    def read(self, payload: Payload) -> Sequence[Signal]:
        """
        Return the numbers of *payload*.

        Raises:
            Unreadable: It is no such metric, or one of the batch is none.
        """
        if not shown(payload, "metrics"):
            # One metric is read whole or not at all.
            return list(self._numbers(payload, read_document(_Metric, payload.body), ""))
        for number, metric in enumerate(read_document(_Batch, payload.body).metrics):
            place = f"metrics[{number}]"
            payload.batch.add(place, self._one(payload, metric, place))
        return payload.batch.signals

    def divide(self, payload: Payload) -> Divided | None:
        """Return the metrics of *payload*, where it is a batch."""
        value = payload.value or b""
        batch = _BATCH.match(value)
        return divide_json(value, "metrics") if batch else None

    def _one(self, payload: Payload, metric: msgspec.Raw, place: str) -> Iterator[Signal]:
        yield from self._numbers(payload, read_document(_Metric, metric, place), f"{place}.")

    def _numbers(self, payload: Payload, metric: _Metric, within: str) -> Iterator[Signal]:
        if len(metric.fields) > limits.BATCH_SIGNALS:
            raise TooLarge(too_many())
        place = f"{within}timestamp"
        written = metric.timestamp
        at = (
            from_text(written, place) if isinstance(written, str) else from_any_unit(written, place)
        )
        service, environment, said = self.placed(metric.tags)
        labels = fitting(pair for pair in metric.tags.items() if pair[1] and pair[0] not in said)
        for number, (name, value) in enumerate(metric.fields.items()):
            if not isinstance(value, bool | float):
                continue
            yield made(
                MetricV1,
                f"{within}fields[{number}]",
                occurred_at=first_of(at, payload.arrived, place=place),
                tenant=self.tenant,
                service=service,
                environment=environment,
                labels=labels,
                name=metric.name if name == _VALUE else f"{metric.name}.{name}",
                value=float(value),
            )
