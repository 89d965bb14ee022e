"""The words and times that people outside read, the same on the page and in its feeds."""

import hashlib
from datetime import datetime, tzinfo
from typing import Final

from streams.status_page.maintenance import Maintenance
from streams.status_page.showing import ShownIncident

#: Hexadecimal digits of an id.
_DIGITS: Final = 12
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


def clock(at: datetime, zone: tzinfo) -> str:
    """Return *at* as people read it."""
    return f"{at.astimezone(zone):%b %-d, %Y, %H:%M %Z}"


def period(begins_at: datetime, ends_at: datetime, zone: tzinfo) -> str:
    """Return a time as people read it: of one day, the day is said once."""
    begins, ends = begins_at.astimezone(zone), ends_at.astimezone(zone)
    if (begins.date(), begins.utcoffset()) == (ends.date(), ends.utcoffset()):
        return f"{begins:%b %-d, %Y, %H:%M} to {ends:%H:%M %Z}"
    return f"{clock(begins, zone)} to {clock(ends, zone)}"


def anchor(of: ShownIncident | Maintenance) -> str:
    """Return what an incident, or a maintenance, is called within the page."""
    if isinstance(of, ShownIncident):
        return of.incident_id
    # Whoever makes a window may name it after something internal.
    return f"maintenance-{identity('maintenance', of.silence_id)}"


def identity(*parts: str) -> str:
    """Return an id for people outside, from which nobody learns what it was made of."""
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:_DIGITS]
