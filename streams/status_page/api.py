"""
The page as Statuspage's public API has it, version 2, so that whatever reads that reads this.

Source: the API description that every page of Statuspage has under ``/api``: ``summary``, ``status``, ``components``, ``incidents``,
``incidents/unresolved``, ``scheduled-maintenances`` with ``/upcoming`` and ``/active``. Its status of an open page is one of none, minor,
major, critical and maintenance.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from streams.status_page import wording
from streams.status_page.maintenance import Maintenance
from streams.status_page.showing import Page, ShownComponent, ShownIncident

Document = dict[str, Any]

#: Hexadecimal digits of an id.
_DIGITS: Final = 12


def _identity(*parts: str) -> str:
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:_DIGITS]


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat(timespec="milliseconds")


def _whole(page: Page, address: str) -> Document:
    return {
        "id": _identity("page", page.name),
        "name": page.name,
        "url": address,
        "time_zone": "Etc/UTC",
        "updated_at": _moment(page.updated_at),
    }


def _component(page: Page, component: ShownComponent) -> Document:
    return {
        "id": _identity("component", component.name),
        "page_id": _identity("page", page.name),
        "name": component.name,
        "description": component.description or None,
        "status": component.status,
        "position": component.position,
        "created_at": _moment(page.updated_at),
        "updated_at": _moment(page.updated_at),
        "group": False,
        "group_id": None,
        "showcase": True,
        "start_date": None,
        "only_show_if_degraded": False,
    }


def _components(page: Page, names: Iterable[str]) -> list[Document]:
    named = set(names)
    return [_component(page, each) for each in page.components if each.name in named]


def _incident(page: Page, address: str, incident: ShownIncident) -> Document:
    public = incident.public
    identity = _identity("incident", incident.incident_id)
    return {
        "id": identity,
        "page_id": _identity("page", page.name),
        "name": public.title,
        "status": str(incident.status),
        "impact": str(public.impact),
        "created_at": _moment(public.published_at),
        "started_at": _moment(incident.began_at),
        "updated_at": _moment(incident.updated_at),
        "monitoring_at": _moment(_first(incident, "monitoring")),
        "resolved_at": _moment(incident.over_at),
        "shortlink": f"{address}#{wording.anchor(incident)}",
        "components": _components(page, public.components),
        "incident_updates": [
            {
                "id": _identity(
                    "update", incident.incident_id, update.published_at.isoformat(), update.message
                ),
                "incident_id": identity,
                "status": str(update.status),
                "body": update.message,
                "created_at": _moment(update.published_at),
                "updated_at": _moment(update.published_at),
                "display_at": _moment(update.published_at),
                "affected_components": [
                    {"code": _identity("component", name), "name": name}
                    for name in update.components
                ],
            }
            for update in incident.updates
        ],
    }


def _first(incident: ShownIncident, status: str) -> datetime | None:
    return next(
        (each.published_at for each in reversed(incident.updates) if each.status == status), None
    )


def _maintenance(page: Page, address: str, each: Maintenance) -> Document:
    identity = _identity("maintenance", each.silence_id)
    return {
        "id": identity,
        "page_id": _identity("page", page.name),
        "name": each.title,
        "status": each.status,
        "impact": "maintenance",
        "created_at": _moment(each.changed_at),
        "started_at": _moment(each.starts_at),
        "updated_at": _moment(each.changed_at),
        "monitoring_at": None,
        "resolved_at": _moment(each.ends_at) if each.status == "completed" else None,
        "shortlink": f"{address}#{wording.anchor(each)}",
        "scheduled_for": _moment(each.starts_at),
        "scheduled_until": _moment(each.ends_at),
        "components": _components(page, each.components),
        "incident_updates": [
            {
                "id": _identity("update", each.silence_id, each.status),
                "incident_id": identity,
                "status": each.status,
                "body": each.title,
                "created_at": _moment(each.changed_at),
                "updated_at": _moment(each.changed_at),
                "display_at": _moment(each.changed_at),
                "affected_components": [
                    {"code": _identity("component", name), "name": name} for name in each.components
                ],
            }
        ],
    }


def _status(page: Page) -> Document:
    return {"indicator": page.indicator, "description": page.description}


def _summary(page: Page, address: str) -> Document:
    return {
        "page": _whole(page, address),
        "status": _status(page),
        "components": [_component(page, each) for each in page.components],
        "incidents": [_incident(page, address, each) for each in page.unresolved],
        "scheduled_maintenances": [_maintenance(page, address, each) for each in page.maintenance],
    }


def _planned(page: Page, address: str, *statuses: str) -> Document:
    every = (*page.maintenance, *page.completed)
    return {
        "page": _whole(page, address),
        "scheduled_maintenances": [
            _maintenance(page, address, each) for each in every if each.status in statuses
        ],
    }


#: What is answered, by its path under ``/api/v2``; of the page and the address at which people find it.
ANSWERS: Final[Mapping[str, Callable[[Page, str], Document]]] = {
    "summary.json": _summary,
    "status.json": lambda page, address: {"page": _whole(page, address), "status": _status(page)},
    "components.json": lambda page, address: {
        "page": _whole(page, address),
        "components": [_component(page, each) for each in page.components],
    },
    "incidents.json": lambda page, address: {
        "page": _whole(page, address),
        "incidents": [_incident(page, address, each) for each in page.incidents],
    },
    "incidents/unresolved.json": lambda page, address: {
        "page": _whole(page, address),
        "incidents": [_incident(page, address, each) for each in page.unresolved],
    },
    "scheduled-maintenances.json": lambda page, address: _planned(
        page, address, "scheduled", "in_progress", "completed"
    ),
    "scheduled-maintenances/upcoming.json": lambda page, address: _planned(
        page, address, "scheduled"
    ),
    "scheduled-maintenances/active.json": lambda page, address: _planned(
        page, address, "in_progress"
    ),
}
