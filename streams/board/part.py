"""A part of the board: what it answers about one thing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter


@dataclass(frozen=True)
class Part:
    """Addresses that belong together, and what the description says of them."""

    #: What they are called together, the tag of each of them.
    name: str
    #: What they are for.
    about: str
    router: APIRouter
    #: Dependencies that every request passes before it is looked at.
    guards: Sequence[Any] = ()
    #: What guards answer instead, by status.
    refusals: dict[int | str, dict[str, Any]] = field(default_factory=dict)

    @property
    def tag(self) -> dict[str, Any]:
        """The tag as the description has it."""
        return {"name": self.name, "description": self.about}
