"""Silences and maintenance windows: who muted what, until when, and why."""

from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from schemas import limits
from schemas.contract import Contract, Identifier, LabelName, LabelValue, Line, Moment, Name, Part


class MatchOperator(StrEnum):
    """How a label is compared."""

    EQUAL = "="
    NOT_EQUAL = "!="
    MATCHES = "=~"
    MATCHES_NOT = "!~"


class Matcher(Part):
    """One comparison of a label; a missing label counts as empty."""

    label: LabelName
    """The label's name."""
    operator: MatchOperator = MatchOperator.EQUAL
    """How it is compared; ``=~`` and ``!~`` take an RE2 expression for the whole value."""
    value: LabelValue
    """What it is compared with."""


class SilenceV1(Contract):
    """
    A silence or a maintenance window; ``occurred_at`` is when it was made or last changed.

    The topic is compacted by ``silence_id``: a later message replaces an earlier one, a tombstone ends it.
    """

    event_type: ClassVar[str] = "tocsin.silence.v1"

    silence_id: Identifier
    """Identity of the silence."""
    tenant: Name = "default"
    """The scope inside which it mutes."""
    matchers: Annotated[tuple[Matcher, ...], Field(min_length=1, max_length=32)]
    """All must hold for an alert to be muted."""
    starts_at: Moment
    """From when it mutes."""
    ends_at: Moment
    """Until when; the moment itself is not muted any more."""
    author: Name
    """Who made it."""
    reason: Line
    """Why."""
    maintenance: bool = False
    """Whether it is a planned maintenance window."""
    title: Annotated[str, Field(max_length=limits.PUBLIC_TITLE_LENGTH)] = ""
    """What the status page calls the maintenance; without it nothing is shown there."""

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.ends_at <= self.starts_at:
            message = "ends_at must be later than starts_at"
            raise ValueError(message)
        return self

    @property
    def event_id(self) -> str:
        return f"{self.silence_id}@{self.occurred_at.isoformat()}"
