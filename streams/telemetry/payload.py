"""One record as a format sees it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

import msgspec

from schemas import limits
from schemas.contract import Unreadable
from schemas.topics import TopicDeclaration
from streams.telemetry.batch import Batch, TooLarge

_TOP: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_MILLISECOND: Final = timedelta(milliseconds=1)
_NOTHING: Final[Mapping[str, msgspec.Raw]] = {}


@dataclass(frozen=True)
class Payload:
    """A record of a telemetry topic."""

    topic: TopicDeclaration
    value: bytes | None
    headers: Mapping[str, bytes] = field(default_factory=dict)
    """By name in small letters; of several with one name, the last."""
    stamped: int | None = None
    """The record's own time as Kafka has it, in milliseconds."""
    batch: Batch = field(default_factory=Batch)
    """What its elements become, where it has several."""

    @property
    def body(self) -> bytes:
        """
        The value.

        Raises:
            Unreadable: There is none, or it is too large.
        """
        if not self.value:
            message = "the value is empty: this topic carries no tombstones"
            raise Unreadable(message)
        self.check_size()
        return self.value

    def check_size(self) -> None:
        """
        Refuse a value that no format reads.

        Raises:
            TooLarge: It is larger.
        """
        size = len(self.value or b"")
        if size > limits.BATCH_BYTES:
            message = f"the value has {size} bytes: at most {limits.BATCH_BYTES} are read"
            raise TooLarge(message)

    @cached_property
    def top(self) -> Mapping[str, msgspec.Raw]:
        """What the value's JSON object holds, by name and unread; nothing where it is no object."""
        value = self.value
        if value is None or len(value) > limits.BATCH_BYTES or b"{" not in value[:8]:
            return _NOTHING
        try:
            return _TOP.decode(value)
        except (ValueError, RecursionError):
            return _NOTHING

    @cached_property
    def media_type(self) -> str:
        """The content type in small letters, without its parameters."""
        return self.header("content-type").partition(";")[0].strip().lower()

    @property
    def arrived(self) -> datetime | None:
        """The record's own time; None where the broker gave none that can be."""
        return arrived_at(self.stamped)

    def header(self, name: str) -> str:
        """Return the header *name* as text; nothing where there is none."""
        return self.headers.get(name, b"").decode(errors="replace")


def arrived_at(stamped: int | None) -> datetime | None:
    """Return the time of a record as Kafka has it, in milliseconds; None where it gave none that can be."""
    if stamped is None or stamped < 0:
        return None
    at = stamped * _MILLISECOND
    return limits.EARLIEST + at if at < limits.LATEST - limits.EARLIEST else None
