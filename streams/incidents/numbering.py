"""Numbers of incidents: ``INC-YYYY-MM-DD-NNN``, counted for each tenant and UTC day."""

from datetime import datetime
from typing import Any

from streams.entries import Entries, Place, written


class Numbers:
    """The numbers that were given out."""

    def __init__(self) -> None:
        #: By tenant and day.
        self._given: dict[Place, int] = {}
        self.entries = Entries({"number": lambda place: written(self._given.get(place))})

    def next_id(self, tenant: str, at: datetime) -> str:
        """Return the id of the next incident of *tenant* at *at*."""
        day = at.date().isoformat()
        place = (tenant, day)
        number = self._given.get(place, 0) + 1
        self._given[place] = number
        self.entries.note("number", place)
        return f"INC-{day}-{number:03}"

    def forget(self, before: datetime) -> None:
        """Forget the days before that of *before*."""
        day = before.date().isoformat()
        for place in [place for place in self._given if place[1] < day]:
            del self._given[place]
            self.entries.note("number", place)

    def restore(self, place: Place, value: Any) -> None:
        """Take back one entry."""
        self._given[place] = value
