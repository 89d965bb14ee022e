"""The words and times that people outside read, the same on the page and in its feeds."""

from datetime import UTC, datetime
from typing import Final

from streams.status_page.maintenance import Maintenance
from streams.status_page.showing import ShownIncident

#: What the statuses of components are called.
COMPONENT: Final = {
    "operational": "Operational",
    "under_maintenance": "Under Maintenance",
    "degraded_performance": "Degraded Performance",
    "partial_outage": "Partial Outage",
    "major_outage": "Major Outage",
}
#: What the statuses of maintenance are called.
MAINTENANCE: Final = {
    "scheduled": "Scheduled",
    "in_progress": "In Progress",
    "completed": "Completed",
}


def clock(at: datetime) -> str:
    """Return *at* as people read it."""
    return f"{at.astimezone(UTC):%b %-d, %Y, %H:%M} UTC"


def anchor(of: ShownIncident | Maintenance) -> str:
    """Return what an incident, or a maintenance, is called within the page."""
    if isinstance(of, ShownIncident):
        return of.incident_id
    return f"maintenance-{of.silence_id}"
