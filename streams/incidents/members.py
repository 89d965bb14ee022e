"""
Which incident has which alerts, which services fail in it, and which group keys lead to it.

An alert is in one incident at most. All questions are answered without looking at every incident.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from schemas.alerts import AlertState
from streams.entries import Entries, Place, written

Key = tuple[str, str]


class Member(NamedTuple):
    """What is remembered of one alert of an incident: as ``AttachedAlert`` says, and not checked again."""

    fingerprint: str
    sequence: int
    state: AlertState
    rule: str
    severity: int
    service: str
    summary: str
    since: datetime
    changed_at: datetime

    @classmethod
    def from_json(cls, value: Sequence[Any]) -> "Member":
        """Return what its JSON was made from."""
        made = cls(*value)
        return made._replace(
            state=AlertState(made.state),
            since=datetime.fromisoformat(value[-2]),
            changed_at=datetime.fromisoformat(value[-1]),
        )


class Members:
    """The alerts of all incidents of one partition that are not closed."""

    def __init__(self) -> None:
        #: By tenant and incident id, then by fingerprint.
        self._alerts: dict[Key, dict[str, Member]] = {}
        self._environments: dict[Key, str] = {}
        #: The incident that has an alert, by tenant and fingerprint.
        self._holders: dict[Key, str] = {}
        #: By tenant and environment: services, and in which incidents how many of their alerts fire.
        self._failing: dict[Key, dict[str, dict[str, int]]] = {}
        #: All services of an incident's alerts, with how many of them each has.
        self._services: dict[Key, dict[str, int]] = {}
        #: By tenant and group key.
        self._keys: dict[Key, str] = {}
        self._keys_of: dict[Key, dict[str, None]] = {}
        self.entries = Entries({"member": self._written_member, "key": self._written_key})

    # -- questions --------------------------------------------------------------------------------

    def of(self, place: Key) -> Mapping[str, Member]:
        """Return the alerts of an incident, by fingerprint."""
        return self._alerts.get(place, {})

    def services(self, place: Key) -> Iterable[str]:
        """Return the services of an incident's alerts."""
        return self._services.get(place, {}).keys()

    def holder(self, tenant: str, fingerprint: str) -> str | None:
        """Return the id of the incident that has an alert."""
        return self._holders.get((tenant, fingerprint))

    def failing(self, tenant: str, environment: str) -> Mapping[str, Mapping[str, int]]:
        """Return the services whose alerts fire, each with the incidents that have them."""
        return self._failing.get((tenant, environment), {})

    def leading(self, tenant: str, group_key: str) -> str | None:
        """Return the id of the incident that takes the alerts with *group_key*."""
        return self._keys.get((tenant, group_key))

    def keys_of(self, place: Key) -> Iterable[str]:
        """Return the group keys that lead to an incident."""
        return self._keys_of.get(place, {}).keys()

    # -- changes ----------------------------------------------------------------------------------

    def begin(self, place: Key, environment: str) -> None:
        """Take note of an incident."""
        self._alerts.setdefault(place, {})
        self._environments[place] = environment

    def put(self, place: Key, alert: Member) -> Member | None:
        """Give *alert* to an incident, whoever had it; return what that incident itself knew of it."""
        tenant, incident_id = place
        fingerprint = alert.fingerprint
        holder = self._holders.get((tenant, fingerprint))
        if holder is not None and holder != incident_id:
            self.take((tenant, holder), fingerprint)
        alerts = self._alerts[place]
        before = alerts.get(fingerprint)
        alerts[fingerprint] = alert
        self._holders[tenant, fingerprint] = incident_id
        if before is not None:
            self._count(place, before, -1)
            self._leave(place, before.service)
        self._count(place, alert, 1)
        services = self._services.setdefault(place, {})
        services[alert.service] = services.get(alert.service, 0) + 1
        self.entries.note("member", (tenant, incident_id, fingerprint))
        return before

    def take(self, place: Key, fingerprint: str) -> Member | None:
        """Take an alert from an incident."""
        alert = self._alerts.get(place, {}).pop(fingerprint, None)
        if alert is not None:
            self._count(place, alert, -1)
            self._leave(place, alert.service)
            if self._holders.get((place[0], fingerprint)) == place[1]:
                del self._holders[place[0], fingerprint]
            self.entries.note("member", (*place, fingerprint))
        return alert

    def lead(self, place: Key, group_key: str) -> None:
        """Let *group_key* lead to an incident."""
        key = (place[0], group_key)
        before = self._keys.get(key)
        if before == place[1]:
            return
        if before is not None:
            self._keys_of[place[0], before].pop(group_key, None)
        self._keys[key] = place[1]
        self._keys_of.setdefault(place, {})[group_key] = None
        self.entries.note("key", key)

    def drop(self, place: Key) -> None:
        """Forget what an incident had."""
        for fingerprint in list(self._alerts.get(place, ())):
            self.take(place, fingerprint)
        for group_key in self._keys_of.pop(place, {}):
            del self._keys[place[0], group_key]
            self.entries.note("key", (place[0], group_key))
        for table in (self._alerts, self._environments, self._services):
            table.pop(place, None)

    def restore(self, kind: str, place: Place, value: Any) -> None:
        """Take back one entry; its incident must have been begun."""
        if kind == "member":
            self.put((place[0], place[1]), Member.from_json(value))
        else:
            self.lead((place[0], value), place[1])

    def _count(self, place: Key, alert: Member, by: int) -> None:
        if alert.state is AlertState.RESOLVED:
            return
        where = (place[0], self._environments[place])
        services = self._failing.setdefault(where, {})
        incidents = services.setdefault(alert.service, {})
        count = incidents.get(place[1], 0) + by
        if count:
            incidents[place[1]] = count
            return
        del incidents[place[1]]
        if not incidents:
            del services[alert.service]

    def _leave(self, place: Key, service: str) -> None:
        services = self._services[place]
        services[service] -= 1
        if not services[service]:
            del services[service]

    def _written_member(self, place: Place) -> bytes | None:
        alert = self._alerts.get((place[0], place[1]), {}).get(place[2])
        return written(tuple(alert)) if alert else None

    def _written_key(self, place: Place) -> bytes | None:
        return written(self._keys.get((place[0], place[1])))
