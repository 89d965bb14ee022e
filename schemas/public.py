"""
What people outside are told of an incident: words that a person wrote for them, and nothing else.

It stands beside the internal text of the incident and takes nothing from it.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from schemas import limits
from schemas.contract import Identifier, Line, Moment, Name, Part

PublicLine = Annotated[str, Field(min_length=1, max_length=limits.PUBLIC_TITLE_LENGTH)]
PublicText = Annotated[str, Field(min_length=1, max_length=limits.PUBLIC_TEXT_LENGTH)]
Components = Annotated[tuple[Name, ...], Field(max_length=limits.COMPONENTS_LISTED)]


class PublicStatus(StrEnum):
    """Where an incident stands, in the words of status pages."""

    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MONITORING = "monitoring"
    RESOLVED = "resolved"


class PublicImpact(StrEnum):
    """How much of it people notice."""

    NONE = "none"
    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"


class PublicUpdate(Part):
    """One thing that was said, and how it stood then."""

    published_at: Moment
    """When it was said."""
    status: PublicStatus
    """Where the incident stood."""
    impact: PublicImpact
    """How much of it people noticed."""
    components: Components = ()
    """What they noticed it in."""
    message: PublicText
    """What was said."""


class PublicV1(Part):
    """An incident as people outside know it."""

    title: PublicLine
    """What it is called."""
    status: PublicStatus
    """Where it stands."""
    impact: PublicImpact
    """How much of it people notice."""
    components: Components = ()
    """The components of the status page that it affects."""
    published_at: Moment
    """When it was first told of."""
    resolved_at: Moment | None = None
    """When people were told that it is over; None while it is not."""
    expected_at: Moment | None = None
    """When it is expected to be over, where somebody said so."""
    impact_text: Line = ""
    """Who notices what, in words for people outside."""
    known_as: Identifier | None = None
    """The id by which people outside know it, where it began as another incident that was merged."""
    continued_as: PublicLine | None = None
    """What it goes on as, where people know the incident that took it over as well; ``components`` are then those that both affect."""
    updates: Annotated[
        tuple[PublicUpdate, ...], Field(min_length=1, max_length=limits.PUBLIC_UPDATES_LISTED)
    ]
    """What was said, the latest first; of very many the first and the latest ones."""


class PageV1(Part):
    """The status page that something is said on."""

    name: Name
    """Whose page it is."""
    url: Annotated[str, Field(max_length=limits.URL_LENGTH)] = ""
    """Its address."""
