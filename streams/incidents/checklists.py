"""What is to be done about an incident in its first half hour, as far as a policy may say."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from schemas import limits
from schemas.contract import Name, Severity
from streams.durations import Duration

#: What happens to an incident by itself or by another command, and ticks an item.
Fact = Literal["acknowledged", "commander", "notified", "identified", "mitigated", "published"]

#: What stands in an item's text for the name of the incident's own channel.
CHANNEL: Final = "{channel}"
_NAME: Final = re.compile(rf"[a-z0-9][a-z0-9_-]{{0,{limits.CHECKLIST_NAME_LENGTH - 1}}}")
_BRACED: Final = re.compile(r"\{[^{}]*\}")


def _filled(text: str) -> str:
    for braced in _BRACED.findall(text):
        if braced != CHANNEL:
            message = f"has {braced}, which stands for nothing; there is {CHANNEL}"
            raise ValueError(message)
    return text


def _named(name: str) -> str:
    # It is typed on the command line.
    if not _NAME.fullmatch(name):
        message = f"is no name of an item: write small letters, digits, - and _, {limits.CHECKLIST_NAME_LENGTH} at most"
        raise ValueError(message)
    return name


ItemName = Annotated[str, AfterValidator(_named)]


class Item(BaseModel):
    """One thing that is to be done about an incident."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    text: Annotated[
        str,
        StringConstraints(
            min_length=1, max_length=limits.CHECKLIST_TEXT_LENGTH, strip_whitespace=True
        ),
        AfterValidator(_filled),
    ]
    """What is to be done; ``{channel}`` stands for the name of the incident's own channel."""
    within: Annotated[Duration, Field(gt=timedelta(0), le=timedelta(days=30))] | None = None
    """How soon after the incident opened, or came to have the item; without it at any time."""
    severities: Annotated[tuple[Severity, ...], Field(min_length=1)] = (1, 2, 3, 4)
    """The severities whose incidents have it."""
    services: tuple[Name, ...] = ()
    """The services whose incidents have it; all where none is named."""
    done_by: Fact | None = None
    """What ticks it by itself; without it only a person does."""


Checklist = Annotated[dict[ItemName, Item], Field(max_length=limits.CHECKLIST_ITEMS)]

#: What is answered within hours, by the severity policy, has no steps of minutes.
_URGENT: Final = (1, 2)
_FIRST: Final = timedelta(minutes=5)

#: Where the policy says nothing else.
CHECKLIST: Final[Mapping[str, Item]] = {
    "acknowledge": Item(
        text="Acknowledge the incident",
        within=_FIRST,
        severities=_URGENT,
        done_by="acknowledged",
    ),
    "commander": Item(
        text="Assign an incident commander",
        within=_FIRST,
        severities=_URGENT,
        done_by="commander",
    ),
    "channel": Item(
        text=f"Create the incident channel {CHANNEL}", within=_FIRST, severities=_URGENT
    ),
    "stakeholders": Item(
        text="Notify stakeholders based on severity",
        within=_FIRST,
        severities=_URGENT,
        done_by="notified",
    ),
    "impact": Item(text="Begin impact assessment", within=_FIRST, severities=_URGENT),
    "assessment": Item(
        text="Assess what is wrong",
        within=timedelta(minutes=15),
        severities=_URGENT,
        done_by="identified",
    ),
    "mitigation": Item(
        text="Mitigate",
        within=timedelta(minutes=30),
        severities=_URGENT,
        done_by="mitigated",
    ),
}
