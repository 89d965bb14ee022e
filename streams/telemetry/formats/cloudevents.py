"""
CloudEvents that hold our own contracts: structured JSON, a batch of it, or Kafka headers beside the data.

Sources: CloudEvents 1.0.2; JSON Event Format, sections 3 and 4; Kafka Protocol Binding, section 3. The event's type says which
contract its data is, whatever the topic; its id and time stand in where the data has none.
"""

import binascii
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec
from pydantic import ConfigDict

from schemas.contract import Unreadable
from schemas.telemetry import Signal
from schemas.topics import TELEMETRY
from streams.telemetry.documents import Part, read_document
from streams.telemetry.external import shown
from streams.telemetry.format import Format
from streams.telemetry.moments import from_text
from streams.telemetry.payload import Payload

#: The media type that says so, whatever other headers say.
STRUCTURED: Final = "application/cloudevents+json"
_BATCH: Final = "application/cloudevents-batch+json"
#: Bytes at whose beginning a batch is recognised.
_LOOKED_AT: Final = 1_000
#: Our contracts, by the type that names them.
CONTRACTS: Final[Mapping[str, Any]] = {
    topic.contract.event_type: topic.contract for topic in TELEMETRY
}


class _Event(Part):
    id: str
    source: str
    specversion: str
    type: str
    time: str | None = None
    data: msgspec.Raw = msgspec.Raw()
    data_base64: str | None = None


class CloudEvents(Format):
    """Reads the contract that each event's type names."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"topics": ["telemetry.external"]}]})

    kind: Literal["cloudevents"] = "cloudevents"

    def recognises(self, payload: Payload) -> bool:
        """Whether *payload* is such an event, or a batch of them."""
        return (
            payload.header("ce_type") in CONTRACTS
            or payload.media_type in {STRUCTURED, _BATCH}
            or shown(payload, "specversion", "id", "source", "type")
            or _listed(payload.value or b"")
        )

    def read(self, payload: Payload) -> Sequence[Signal]:
        """
        Return the signals of *payload*.

        Raises:
            Unreadable: It is no such event, or its data is not what its type says.
        """
        body = payload.body
        if payload.media_type == _BATCH or body.lstrip()[:1] == b"[":
            for number, event in enumerate(read_document(list[msgspec.Raw], body)):
                place = f"[{number}]"
                payload.batch.add(place, _one(event, place))
            return payload.batch.signals
        kind = payload.header("ce_type")
        if kind and payload.media_type != STRUCTURED:
            if payload.header("ce_specversion") not in {"1.0", ""}:
                raise Unreadable("ce_specversion: must be 1.0")
            contract = _contract(kind, "ce_type")
            return (_read(contract, body, payload.header("ce_id"), payload.header("ce_time"), ""),)
        return (_signal(read_document(_Event, body), ""),)


def _listed(value: bytes) -> bool:
    """Whether *value* begins as a batch does."""
    begins = value[:_LOOKED_AT].lstrip()
    return begins.startswith(b"[") and b'"specversion"' in begins


def _one(event: msgspec.Raw, place: str) -> Iterator[Signal]:
    yield _signal(read_document(_Event, event, place), f"{place}.")


def _signal(event: _Event, within: str) -> Signal:
    if event.specversion != "1.0":
        raise Unreadable(f"{within}specversion: must be 1.0")
    contract = _contract(event.type, f"{within}type")
    if event.data_base64 is not None:
        try:
            data = b64decode(event.data_base64, validate=True)
        except (binascii.Error, ValueError):
            raise Unreadable(f"{within}data_base64: is not base64") from None
    elif bytes(event.data):
        data = bytes(event.data)
    else:
        raise Unreadable(f"{within}data: is missing")
    if event.time:
        from_text(event.time, f"{within}time")
    return _read(contract, data, event.id, event.time or "", f"{within}data: ")


def _contract(kind: str, place: str) -> Any:
    try:
        return CONTRACTS[kind]
    except KeyError:
        message = f"{place}: is none of ours; there are {', '.join(sorted(CONTRACTS))}"
        raise Unreadable(message) from None


def _read(contract: Any, data: bytes, event_id: str, time: str, within: str) -> Signal:
    """Return the signal that *data* is, with the event's own id and time where it has none."""
    try:
        top = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        added = {
            name: msgspec.Raw(msgspec.json.encode(value))
            for name, value in (("signal_id", event_id), ("occurred_at", time))
            if value and name not in top
        }
        whole = msgspec.json.encode(added | top) if added else data
    except (ValueError, RecursionError):
        whole = data  # The contract says what is wrong with it.
    try:
        signal: Signal = contract.from_wire(whole)
    except Unreadable as error:
        raise Unreadable(f"{within}{error}") from None
    return signal
