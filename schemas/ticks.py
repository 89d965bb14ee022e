"""Ticks: time as a message, so that a replay sees the same time as the first run."""

from typing import Annotated, ClassVar

from pydantic import Field

from schemas.contract import Contract, Count, Name


class TickV1(Contract):
    """The time, for one partition of every stateful hop, or of one of them."""

    event_type: ClassVar[str] = "tocsin.tick.v1"

    partition: Count
    """The partition that this tick is for."""
    hop: Name | None = None
    """The only hop that it is for; all where none is named."""
    reached: Annotated[dict[Name, Count], Field(max_length=64)] = {}
    """
    End offset of this partition in each input topic when the tick was made.

    A hop acts on a tick once it has read that far. So time never runs ahead of the records that came before it:
    a backlog after an outage looks like the minutes it came from, not like silence.
    """

    @property
    def event_id(self) -> str:
        return f"{self.partition}@{self.occurred_at.isoformat()}"
