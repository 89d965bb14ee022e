"""
The status page as a model: what is shown at one moment, of what was published.

All renderers show this model, so they cannot disagree, and none of them can show what is not in it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from schemas.lifecycle import IncidentV1, Status
from schemas.public import PublicImpact, PublicStatus, PublicUpdate, PublicV1
from schemas.silences import SilenceV1
from streams.status_page.maintenance import Maintenance, maintenance_of
from streams.status_page.settings import StatusPage
from streams.status_page.uptime import LEVELS, Down, Uptime, midnight, uptime

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
#: How long nothing may have been heard before people are told so.
_STALE_AFTER: Final = timedelta(minutes=1)
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
    #: When its status last changed, as far as is known.
    changed_at: datetime
    uptime: Uptime


@dataclass(frozen=True)
class Page:
    """All that is shown at one moment."""

    name: str
    tenant: str
    url: str
    #: Whose days and whose clock.
    zone: ZoneInfo
    at: datetime
    #: Until when everything is known, where nothing was heard for so long that it must be said.
    stale_since: datetime | None
    #: The first day that is known of, where the policy says one.
    since: date | None
    #: The first that is known of, as a moment.
    begins_at: datetime
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
    #: Until when everything is known; None where that is now.
    as_of: datetime | None = None


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
            _of_page(found, settings)
            for each in state.silences
            if each.tenant == settings.tenant
            and (found := maintenance_of(each, state.of_services, at)) is not None
        ),
        key=lambda each: (each.starts_at, each.silence_id),
    )
    zone = settings.zone
    moments = [moment for each in incidents for _, moment in _turns(each)]
    moments += [each.updated_at for each in windows]
    begins_at = (
        midnight(settings.since, zone)
        if settings.since
        else min(moments, default=midnight(at.astimezone(zone).date(), zone))
    )
    unresolved = [each for each in incidents if each.over_at is None]
    under_way = [each for each in windows if each.status == "in_progress"]
    components = [
        ShownComponent(
            name,
            each.description,
            position,
            _status(name, unresolved, under_way),
            max(_changes(name, incidents, windows), default=begins_at),
            uptime(
                [*_downs(name, incidents, at), *_work(name, windows, at)], at, settings.since, zone
            ),
        )
        for position, (name, each) in enumerate(settings.components.items(), start=1)
    ]
    levels = [
        *(each.status for each in components),
        *(OF_IMPACT[each.public.impact] for each in unresolved),
    ]
    indicator, description = _OVERALL[max(levels, key=LEVELS.index, default="operational")]
    return Page(
        name=settings.name,
        tenant=settings.tenant,
        url=settings.url,
        zone=zone,
        at=at,
        stale_since=state.as_of if state.as_of and at - state.as_of > _STALE_AFTER else None,
        since=settings.since,
        begins_at=begins_at,
        updated_at=max(moments, default=begins_at),
        indicator=indicator,
        description=description,
        components=components,
        unresolved=unresolved,
        incidents=incidents[:_SHOWN],
        maintenance=[each for each in windows if each.status != "completed"],
        completed=[each for each in windows if each.status == "completed"][::-1][:_SHOWN],
    )


def _of_page(found: Maintenance, settings: StatusPage) -> Maintenance:
    """Return the maintenance with the components that are on this page: services are shown on others as well."""
    mine = tuple(name for name in settings.components if name in found.components)
    return replace(found, components=mine)


def _turns(incident: ShownIncident) -> Iterator[tuple[tuple[str, ...], datetime]]:
    """Yield when something was said, or was over, and of which components."""
    for update in incident.updates:
        yield update.components, update.published_at
    if incident.over_at:
        yield incident.public.components, incident.over_at


def _changes(
    name: str, incidents: Iterable[ShownIncident], windows: Iterable[Maintenance]
) -> Iterator[datetime]:
    """Yield when the status of *name* may have changed."""
    for incident in incidents:
        for components, moment in _turns(incident):
            if name in components:
                yield moment
    for window in windows:
        if name in window.components:
            yield from (at for status, at in window.turns if status != "scheduled")


def _work(name: str, windows: Iterable[Maintenance], at: datetime) -> Iterator[Down]:
    """Yield when *name* was worked on: it counts as up, and its days show it."""
    for each in windows:
        if name in each.components:
            yield Down(each.starts_at, min(each.ends_at, at), "under_maintenance")


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
