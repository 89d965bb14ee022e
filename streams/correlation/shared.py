"""Attributes that alerts share inside a time window: a host, a deployment, a trace."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import orjson

from schemas.alerts import AlertV1
from streams.correlation.settings import Sharing
from streams.entries import Entries, Place


class Attributes:
    """Which incident last had an alert with each value of each attribute."""

    def __init__(self, settings: Sharing) -> None:
        self._settings = settings
        self._labels = frozenset(settings.labels)
        #: By tenant, environment, label and value: the incident's id, and when.
        self._latest: dict[Place, tuple[str, datetime]] = {}
        self.entries = Entries({"shared": self._written})

    def has_any(self, alert: AlertV1) -> bool:
        """Whether *alert* has an attribute that it can share."""
        return not self._labels.isdisjoint(alert.labels)

    def of(self, alert: AlertV1) -> Iterator[tuple[int, Place]]:
        """Yield the attributes of *alert*, each with its rank: 0 is the surest."""
        labels = alert.labels
        if self.has_any(alert):
            for rank, label in enumerate(self._settings.labels):
                value = labels.get(label)
                if value:
                    yield rank, (alert.tenant, alert.environment, label, value)

    def incident(self, attribute: Place, at: datetime) -> str | None:
        """Return the incident that had *attribute* within the window before *at*."""
        found = self._latest.get(attribute)
        if found is None or at - found[1] > self._settings.within:
            return None
        return found[0]

    def note(self, alert: AlertV1, incident_id: str, at: datetime) -> None:
        """Note that an incident has *alert*."""
        for _, attribute in self.of(alert):
            self._latest[attribute] = (incident_id, at)
            self.entries.note("shared", attribute)

    def forget(self, at: datetime) -> None:
        """Forget what lies before the window."""
        for attribute in [
            attribute
            for attribute, (_, seen) in self._latest.items()
            if at - seen > self._settings.within
        ]:
            del self._latest[attribute]
            self.entries.note("shared", attribute)

    def restore(self, place: Place, value: Any) -> None:
        """Take back one entry."""
        self._latest[place] = (value[0], datetime.fromisoformat(value[1]))

    def _written(self, place: Place) -> bytes | None:
        found = self._latest.get(place)
        return orjson.dumps(found) if found else None
