"""
What Statuspage's public API answers, version 2, as models: the shapes that its readers know.

Source: the API description that every page of Statuspage has under ``/api``, and answers of such pages. Moments are RFC 3339 with milliseconds.
"""

from datetime import UTC, date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, PlainSerializer, WithJsonSchema


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


Moment = Annotated[
    datetime,
    PlainSerializer(_written, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
ComponentStatus = Literal[
    "operational", "under_maintenance", "degraded_performance", "partial_outage", "major_outage"
]


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class PageDocument(_Document):
    """Whose page it is."""

    id: str
    """Its id, which stays the same."""
    name: str
    """Whose status it is."""
    url: str
    """Where people find it."""
    time_zone: str
    """Whose days its uptime counts, by the zone's name in the IANA database."""
    updated_at: Moment
    """When anything on it last changed."""


class StatusDocument(_Document):
    """How the whole is."""

    indicator: Literal["none", "minor", "major", "critical", "maintenance"]
    """How bad it is."""
    description: str
    """The same in words."""


class ComponentDocument(_Document):
    """A component and how it is."""

    id: str
    """Its id, which stays the same."""
    page_id: str
    """The page's id."""
    name: str
    """What it is called."""
    description: str | None
    """What it is."""
    status: ComponentStatus
    """How it is."""
    position: int
    """Its place on the page, from 1 on."""
    created_at: Moment
    """From when on it is known."""
    updated_at: Moment
    """When its status last changed."""
    group: bool
    """Whether it holds others; never here."""
    group_id: str | None
    """What holds it; nothing here."""
    showcase: bool
    """Whether its uptime is shown."""
    start_date: date | None
    """The first day that is known of."""
    only_show_if_degraded: bool
    """Whether it is hidden while all is well; never here."""


class AffectedDocument(_Document):
    """What an update says of a component."""

    code: str
    """The component's id."""
    name: str
    """What it is called."""
    old_status: ComponentStatus
    """How it was before, as far as this incident goes."""
    new_status: ComponentStatus
    """How it is since then."""


class UpdateDocument(_Document):
    """One thing that was said."""

    id: str
    """Its id, which stays the same."""
    incident_id: str
    """The id of what it is about."""
    status: Literal[
        "investigating",
        "identified",
        "monitoring",
        "resolved",
        "scheduled",
        "in_progress",
        "completed",
    ]
    """Where it stood."""
    body: str
    """What was said."""
    created_at: Moment
    """When it was said."""
    updated_at: Moment
    """The same: what was said is never changed."""
    display_at: Moment
    """The same."""
    affected_components: list[AffectedDocument]
    """What people noticed it in."""
    deliver_notifications: bool
    """Whether subscribers were told."""
    custom_tweet: None
    """Nothing is told that way."""
    tweet_id: None
    """Nothing is told that way."""


class _Happening(_Document):
    id: str
    """Its id, which stays the same."""
    page_id: str
    """The page's id."""
    name: str
    """What it is called."""
    created_at: Moment
    """When it was first told of."""
    started_at: Moment
    """When it began."""
    updated_at: Moment
    """When something was last said."""
    monitoring_at: Moment | None
    """When it was first said to be watched."""
    resolved_at: Moment | None
    """When it was over."""
    shortlink: str
    """Where it stands on the page."""
    components: list[ComponentDocument]
    """What is affected, as it is now."""
    incident_updates: list[UpdateDocument]
    """What was said, the latest first."""


class IncidentDocument(_Happening):
    """An incident, as it was published."""

    status: Literal["investigating", "identified", "monitoring", "resolved"]
    """Where it stands."""
    impact: Literal["none", "minor", "major", "critical"]
    """How much of it people notice."""


class MaintenanceDocument(_Happening):
    """Scheduled maintenance."""

    status: Literal["scheduled", "in_progress", "completed"]
    """Where it stands."""
    impact: Literal["maintenance"]
    """Always this."""
    scheduled_for: Moment
    """When it begins."""
    scheduled_until: Moment
    """When it ends."""


class Status(_Document):
    """The page and how the whole is."""

    page: PageDocument
    """Whose page it is."""
    status: StatusDocument
    """How the whole is."""


class Components(_Document):
    """The page and its components."""

    page: PageDocument
    """Whose page it is."""
    components: list[ComponentDocument]
    """The components, in the order of the page."""


class Incidents(_Document):
    """The page and incidents of it."""

    page: PageDocument
    """Whose page it is."""
    incidents: list[IncidentDocument]
    """The incidents, the latest first."""


class Maintenances(_Document):
    """The page and maintenance of it."""

    page: PageDocument
    """Whose page it is."""
    scheduled_maintenances: list[MaintenanceDocument]
    """The maintenance: what is to come or under way by its beginning, then what is over."""


class Summary(_Document):
    """All of what is now."""

    page: PageDocument
    """Whose page it is."""
    status: StatusDocument
    """How the whole is."""
    components: list[ComponentDocument]
    """The components, in the order of the page."""
    incidents: list[IncidentDocument]
    """Those that are not over, the latest first."""
    scheduled_maintenances: list[MaintenanceDocument]
    """What is under way or to come, the first one first."""
