"""How incidents live, as far as a policy may say."""

from datetime import timedelta

from pydantic import BaseModel, ConfigDict

from streams.durations import Duration
from streams.incidents.checklists import CHECKLIST, Checklist


class IncidentSettings(BaseModel):
    """The ``incidents:`` part of a policy."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        json_schema_extra={"examples": [{"auto_resolve_after": "60s"}]},
    )

    auto_resolve_after: Duration = timedelta(seconds=60)
    """An incident is resolved when none of its alerts has fired for so long."""
    reopen_within: Duration = timedelta(minutes=30)
    """An alert that fires within this time after the resolution reopens the incident."""
    close_after: Duration = timedelta(hours=24)
    """A resolved incident is closed after this time."""
    checklist: Checklist = dict(CHECKLIST)
    """What is to be done about an incident, by name and in this order; those of the severities 1 and 2 have one where nothing is said."""
