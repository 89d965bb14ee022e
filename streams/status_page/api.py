"""The page as Statuspage's public API has it, version 2, so that whatever reads that reads this."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from schemas.public import PublicStatus, PublicUpdate
from streams.status_page.documents import (
    AffectedDocument,
    ComponentDocument,
    Components,
    IncidentDocument,
    Incidents,
    MaintenanceDocument,
    Maintenances,
    PageDocument,
    Status,
    StatusDocument,
    Summary,
    UpdateDocument,
)
from streams.status_page.maintenance import Maintenance
from streams.status_page.showing import OF_IMPACT, Page, ShownComponent, ShownIncident
from streams.status_page.wording import anchor, identity


def _summary(page: Page, address: str) -> Summary:
    """All of what is now."""
    return Summary(
        page=_whole(page, address),
        status=_overall(page),
        components=[_component(page, each) for each in page.components],
        incidents=[_incident(page, address, each) for each in page.unresolved],
        scheduled_maintenances=[_maintenance(page, address, each) for each in page.maintenance],
    )


def _status(page: Page, address: str) -> Status:
    """How the whole is."""
    return Status(page=_whole(page, address), status=_overall(page))


def _components(page: Page, address: str) -> Components:
    """How each component is."""
    listed = [_component(page, each) for each in page.components]
    return Components(page=_whole(page, address), components=listed)


def _incidents(page: Page, address: str) -> Incidents:
    """The latest 50 incidents."""
    listed = [_incident(page, address, each) for each in page.incidents]
    return Incidents(page=_whole(page, address), incidents=listed)


def _unresolved(page: Page, address: str) -> Incidents:
    """Incidents that are not over."""
    listed = [_incident(page, address, each) for each in page.unresolved]
    return Incidents(page=_whole(page, address), incidents=listed)


def _every(page: Page, address: str) -> Maintenances:
    """Scheduled maintenance, with the latest 50 that are over."""
    return _planned(page, address, "scheduled", "in_progress", "completed")


def _upcoming(page: Page, address: str) -> Maintenances:
    """Scheduled maintenance that is to come."""
    return _planned(page, address, "scheduled")


def _active(page: Page, address: str) -> Maintenances:
    """Scheduled maintenance that is under way."""
    return _planned(page, address, "in_progress")


#: What is answered, by its path under ``/api/v2``; of the page and the address at which people find it.
ANSWERS: Final[
    Mapping[str, Callable[[Page, str], Summary | Status | Components | Incidents | Maintenances]]
] = {
    "summary.json": _summary,
    "status.json": _status,
    "components.json": _components,
    "incidents.json": _incidents,
    "incidents/unresolved.json": _unresolved,
    "scheduled-maintenances.json": _every,
    "scheduled-maintenances/upcoming.json": _upcoming,
    "scheduled-maintenances/active.json": _active,
}


def _planned(page: Page, address: str, *statuses: str) -> Maintenances:
    every = (*page.maintenance, *page.completed)
    return Maintenances(
        page=_whole(page, address),
        scheduled_maintenances=[
            _maintenance(page, address, each) for each in every if each.status in statuses
        ],
    )


def _whole(page: Page, address: str) -> PageDocument:
    return PageDocument(
        id=_page_id(page),
        name=page.name,
        url=address,
        time_zone="Etc/UTC" if page.zone.key == "UTC" else page.zone.key,
        updated_at=page.updated_at,
    )


def _page_id(page: Page) -> str:
    return identity("page", page.tenant, page.name)


def _overall(page: Page) -> StatusDocument:
    return StatusDocument(indicator=_is(page.indicator), description=page.description)


def _is(word: str) -> Any:
    """Return a word of the model as one of the documents', which are checked for being so when they are made."""
    return word


def _component(page: Page, component: ShownComponent) -> ComponentDocument:
    return ComponentDocument(
        id=_code(page, component.name),
        page_id=_page_id(page),
        name=component.name,
        description=component.description or None,
        status=_is(component.status),
        position=component.position,
        created_at=page.begins_at,
        updated_at=component.changed_at,
        group=False,
        group_id=None,
        showcase=True,
        start_date=page.since,
        only_show_if_degraded=False,
    )


def _code(page: Page, name: str) -> str:
    return identity("component", page.tenant, name)


def _named(page: Page, names: Iterable[str]) -> list[ComponentDocument]:
    named = set(names)
    return [_component(page, each) for each in page.components if each.name in named]


def _incident(page: Page, address: str, incident: ShownIncident) -> IncidentDocument:
    public = incident.public
    code = identity("incident", page.tenant, incident.incident_id)
    return IncidentDocument(
        id=code,
        page_id=_page_id(page),
        name=public.title,
        status=_is(str(incident.status)),
        impact=_is(str(public.impact)),
        created_at=public.published_at,
        started_at=incident.began_at,
        updated_at=incident.updated_at,
        monitoring_at=_first(incident, PublicStatus.MONITORING),
        resolved_at=incident.over_at,
        shortlink=f"{address}#{anchor(incident)}",
        components=_named(page, public.components),
        incident_updates=[*_updates(page, code, incident)][::-1],
    )


def _updates(page: Page, code: str, incident: ShownIncident) -> Iterator[UpdateDocument]:
    """Yield what was said, the first of it first, with what became of the components each time."""
    was: dict[str, str] = {}
    for update in reversed(incident.updates):
        now = _level(update)
        yield UpdateDocument(
            id=identity("update", code, update.published_at.isoformat(), update.message),
            incident_id=code,
            status=_is(str(update.status)),
            body=update.message,
            created_at=update.published_at,
            updated_at=update.published_at,
            display_at=update.published_at,
            affected_components=[
                AffectedDocument(
                    code=_code(page, name),
                    name=name,
                    old_status=_is(was.get(name, "operational")),
                    new_status=_is(now),
                )
                for name in update.components
            ],
            deliver_notifications=True,
            custom_tweet=None,
            tweet_id=None,
        )
        was.update(dict.fromkeys(update.components, now))


def _level(update: PublicUpdate) -> str:
    return "operational" if update.status is PublicStatus.RESOLVED else OF_IMPACT[update.impact]


def _first(incident: ShownIncident, status: PublicStatus) -> datetime | None:
    return next(
        (each.published_at for each in reversed(incident.updates) if each.status is status), None
    )


#: What a component is once maintenance has a status.
_WORKED_ON: Final = {
    "scheduled": "operational",
    "in_progress": "under_maintenance",
    "completed": "operational",
}


def _maintenance(page: Page, address: str, each: Maintenance) -> MaintenanceDocument:
    code = identity("maintenance", page.tenant, each.silence_id)
    return MaintenanceDocument(
        id=code,
        page_id=_page_id(page),
        name=each.title,
        status=_is(each.status),
        impact="maintenance",
        created_at=each.turns[-1][1],
        started_at=each.starts_at,
        updated_at=each.updated_at,
        monitoring_at=None,
        resolved_at=each.ends_at if each.status == "completed" else None,
        shortlink=f"{address}#{anchor(each)}",
        scheduled_for=each.starts_at,
        scheduled_until=each.ends_at,
        components=_named(page, each.components),
        incident_updates=[*_steps(page, code, each)][::-1],
    )


def _steps(page: Page, code: str, each: Maintenance) -> Iterator[UpdateDocument]:
    """Yield what became of a maintenance, the first of it first."""
    was = "operational"
    for status, at in reversed(each.turns):
        now = _WORKED_ON[status]
        yield UpdateDocument(
            id=identity("update", code, status),
            incident_id=code,
            status=_is(status),
            body=each.title,
            created_at=at,
            updated_at=at,
            display_at=at,
            affected_components=[
                AffectedDocument(
                    code=_code(page, name), name=name, old_status=_is(was), new_status=_is(now)
                )
                for name in each.components
            ],
            deliver_notifications=False,
            custom_tweet=None,
            tweet_id=None,
        )
        was = now
