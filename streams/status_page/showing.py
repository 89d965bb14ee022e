"""
The status page as a model: what is shown at one moment, of what was published.

All renderers show this model, so they cannot disagree, and none of them can show what is not in it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from schemas.lifecycle import IncidentV1, Status
from schemas.public import PublicImpact, PublicStatus, PublicUpdate, PublicV1
from schemas.silences import SilenceV1
from streams.status_page.maintenance import Maintenance, maintenance_of
from streams.status_page.settings import StatusPage
from streams.status_page.uptime import LEVELS, Down, Uptime, uptime

#: What an impact makes of the components that are affected.
OF_IMPACT: Final = {
    PublicImpact.NONE: "operational",
    PublicImpact.MINOR: "degraded_performance",
    PublicImpact.MAJOR: "partial_outage",
    PublicImpact.CRITICAL: "major_outage",
}
#: What is shown of the whole: how bad it is, and that in words.
_OVERALL: Final = {
    "operational": ("none", "All Systems Operational"),
    "under_maintenance": ("maintenance", "Service Under Maintenance"),
    "degraded_performance": ("minor", "Partially Degraded Service"),
    "partial_outage": ("major", "Partial System Outage"),
    "major_outage": ("critical", "Major System Outage"),
}
#: Incidents of the past that are shown.
_SHOWN: Final = 50


@dataclass(frozen=True)
class ShownIncident:
    """One incident, as people outside know it."""

    incident_id: str
    public: PublicV1
    #: When it began, as far as uptime goes.
    began_at: datetime
    #: When it was over; None while it is not.
    over_at: datetime | None

    @property
    def status(self) -> PublicStatus:
        """Where it stands: what nobody spoke of again is over when it was closed."""
        return PublicStatus.RESOLVED if self.over_at else self.public.status

    @property
    def updated_at(self) -> datetime:
        """When something was last said."""
        return self.public.updates[0].published_at

    @property
    def updates(self) -> Sequence[PublicUpdate]:
        """What was said, the latest first."""
        return self.public.updates


@dataclass(frozen=True)
class ShownComponent:
    """One component, and how it was."""

    name: str
    description: str
    position: int
    status: str
    uptime: Uptime


@dataclass(frozen=True)
class Page:
    """All that is shown at one moment."""

    name: str
    url: str
    at: datetime
    #: When anything on it last changed.
    updated_at: datetime
    indicator: str
    description: str
    components: Sequence[ShownComponent]
    #: Those that are not over, the latest first.
    unresolved: Sequence[ShownIncident]
    #: All that are shown, the latest first.
    incidents: Sequence[ShownIncident]
    #: Maintenance that is under way or to come, the first one first.
    maintenance: Sequence[Maintenance]
    #: Maintenance that is over, the latest first.
    completed: Sequence[Maintenance]


@dataclass(frozen=True)
class State:
    """What a page is made of."""

    incidents: Iterable[IncidentV1] = ()
    silences: Iterable[SilenceV1] = ()
    #: The components that show each service.
    of_services: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def page(settings: StatusPage, state: State, at: datetime) -> Page:
    """Return what *settings* show of *state* at *at*."""
    incidents = sorted(
        (
            shown
            for each in state.incidents
            if each.tenant == settings.tenant and (shown := _shown(each)) is not None
        ),
        key=lambda each: (each.public.published_at, each.incident_id),
        reverse=True,
    )
    windows = sorted(
        (
            found
            for each in state.silences
            if each.tenant == settings.tenant
            and (found := maintenance_of(each, state.of_services, at)) is not None
        ),
        key=lambda each: (each.starts_at, each.silence_id),
    )
    unresolved = [each for each in incidents if each.over_at is None]
    under_way = [each for each in windows if each.status == "in_progress"]
    components = [
        ShownComponent(
            name,
            each.description,
            position,
            _status(name, unresolved, under_way),
            uptime(list(_downs(name, incidents, at)), at, settings.since),
        )
        for position, (name, each) in enumerate(settings.components.items(), start=1)
    ]
    levels = [
        *(each.status for each in components),
        *(OF_IMPACT[each.public.impact] for each in unresolved),
    ]
    indicator, description = _OVERALL[max(levels, key=LEVELS.index, default="operational")]
    moments = [
        *(each.updated_at for each in incidents),
        *(each.changed_at for each in windows),
    ]
    return Page(
        name=settings.name,
        url=settings.url,
        at=at,
        updated_at=max(moments, default=at),
        indicator=indicator,
        description=description,
        components=components,
        unresolved=unresolved,
        incidents=incidents[:_SHOWN],
        maintenance=[each for each in windows if each.status != "completed"],
        completed=[each for each in windows if each.status == "completed"][::-1][:_SHOWN],
    )


def _shown(incident: IncidentV1) -> ShownIncident | None:
    public = incident.public
    if public is None or incident.drill:
        return None
    over_at = public.resolved_at
    if over_at is None and incident.status is Status.CLOSED:
        # Nobody will speak of it any more.
        over_at = incident.resolved_at or incident.closed_at
    elif over_at is None and incident.status is Status.MERGED:
        over_at = incident.occurred_at
    return ShownIncident(
        public.known_as or incident.incident_id, public, incident.started_at, over_at
    )


def _status(
    name: str, unresolved: Iterable[ShownIncident], under_way: Iterable[Maintenance]
) -> str:
    levels = [
        OF_IMPACT[each.public.impact] for each in unresolved if name in each.public.components
    ]
    levels += ["under_maintenance" for each in under_way if name in each.components]
    return max(levels, key=LEVELS.index, default="operational")


def _downs(name: str, incidents: Iterable[ShownIncident], at: datetime) -> Iterator[Down]:
    """Yield when *name* was how bad: each update counts until the next one."""
    for each in incidents:
        end = each.over_at or at
        begins = each.began_at
        told = [*reversed(each.updates)]
        for number, update in enumerate(told):
            later = told[number + 1].published_at if number + 1 < len(told) else end
            ends = min(later, end)
            open_ = update.status is not PublicStatus.RESOLVED
            if open_ and name in update.components and begins < ends:
                yield Down(begins, ends, OF_IMPACT[update.impact])
            begins = max(begins, ends)
