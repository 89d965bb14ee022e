"""
Telegraf's JSON output, one metric or a batch.

Source: Telegraf documentation, "JSON output data format". Each field that is a number becomes a metric called
``name.field``; a field called ``value`` bears the name alone, a truth value is 1 or 0, and texts are passed over.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import msgspec
from pydantic import ConfigDict

from schemas import limits
from schemas.contract import Unreadable
from schemas.telemetry import MetricV1, Signal
from streams.telemetry.documents import Part, made, read_document
from streams.telemetry.external import first_of, shown
from streams.telemetry.format import Names, Translated, too_many
from streams.telemetry.labelling import fitting
from streams.telemetry.moments import from_any_unit, from_text
from streams.telemetry.payload import Payload

_VALUE = "value"


class _Metric(Part):
    name: str
    fields: Mapping[str, bool | float | str | None]
    timestamp: int | float | str
    tags: Mapping[str, str] = msgspec.field(default_factory=dict)


class _Batch(Part):
    metrics: list[_Metric]


class Telegraf(Translated):
    """Reads each numeric field; the tags are its labels."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"topics": ["telemetry.metrics"], "service": ["service", "host"]}]
        }
    )

    kind: Literal["telegraf"] = "telegraf"
    service: Names = ("service", "service_name", "app", "host")
    """Tags that name the service: the first that is there."""

    def recognises(self, payload: Payload) -> bool:
        """Whether *payload* is a metric of Telegraf, or a batch of them."""
        if shown(payload, "fields", "name", "timestamp"):
            return True
        return payload.top.keys() == {"metrics"} and b'"fields"' in bytes(payload.top["metrics"])

    def read(self, payload: Payload) -> Sequence[Signal]:
        """
        Return the numbers of *payload*.

        Raises:
            Unreadable: It is no such metric, or one of the batch is none.
        """
        if shown(payload, "metrics"):
            batch = read_document(_Batch, payload.body).metrics
            several = ((f"metrics[{number}]", metric) for number, metric in enumerate(batch))
        else:
            several = (
                (name, metric) for name, metric in [("", read_document(_Metric, payload.body))]
            )
        signals: list[Signal] = []
        for place, metric in several:
            if len(signals) + len(metric.fields) > limits.BATCH_SIGNALS:
                raise Unreadable(too_many())
            signals.extend(self._numbers(payload, metric, f"{place}." if place else ""))
        return signals

    def _numbers(self, payload: Payload, metric: _Metric, within: str) -> Iterator[Signal]:
        place = f"{within}timestamp"
        written = metric.timestamp
        at = (
            from_text(written, place) if isinstance(written, str) else from_any_unit(written, place)
        )
        service, environment, said = self.placed(metric.tags)
        labels = fitting(pair for pair in metric.tags.items() if pair[1] and pair[0] not in said)
        for number, (name, value) in enumerate(metric.fields.items()):
            if isinstance(value, str) or value is None:
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
