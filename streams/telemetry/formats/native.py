"""Our own JSON, as the published schema of each topic says; with CloudEvents headers or without."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict

from schemas.telemetry import Signal
from streams.telemetry.format import Format
from streams.telemetry.payload import Payload


class Native(Format):
    """Reads the contract of the topic."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"topics": ["telemetry.health"]}]})

    #: A payload without any mark is read as the topic says.
    asked_last: ClassVar[bool] = True

    kind: Literal["native"] = "native"

    def recognises(self, payload: Payload) -> bool:
        """Whether *payload* is in this format: no other has this name in this place."""
        return "occurred_at" in payload.top

    def read(self, payload: Payload) -> Sequence[Signal]:
        """
        Return the signals of *payload*.

        Raises:
            Unreadable: It is not what its topic carries.
        """
        contract: Any = payload.topic.contract
        return (contract.from_wire(payload.value),)
