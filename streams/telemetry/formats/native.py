"""Our own JSON, as the published schema of each topic says; with CloudEvents headers or without."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from schemas.telemetry import Signal
from streams.telemetry.payload import Payload


class Native(BaseModel):
    """Reads the contract of the topic."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra={"examples": [{}]})

    #: It takes what no other format recognises, so that a payload without any mark is read as the topic says.
    asked_last: ClassVar[bool] = True

    kind: Literal["native"] = "native"

    def recognises(self, payload: Payload) -> bool:
        """Whether *payload* is in this format: any can be."""
        del payload
        return True

    def read(self, payload: Payload) -> Sequence[Signal]:
        """
        Return the signals of *payload*.

        Raises:
            Unreadable: It is not what its topic carries.
        """
        contract: Any = payload.topic.contract
        return (contract.from_wire(payload.value),)
