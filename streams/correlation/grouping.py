"""
Which alerts belong together, and to which incident.

All alerts of a tick are looked at together. Three things tie an alert to others and to incidents, in this order: the same group
key, the service topology, an attribute that both have within a time window. What is tied, directly or over others, is one group:
the group joins the open incident it is tied to; an alert that ties two incidents merges the younger into the older; where it is
tied to none that is open it reopens one that was resolved a short while ago, or opens a new one. Ties have no order, so the order
of alerts decides nothing.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from schemas.alerts import AlertV1
from schemas.lifecycle import Bond, IncidentV1
from streams.correlation.intake import Arrival
from streams.correlation.shared import Attributes
from streams.correlation.topology import Topology
from streams.durations import written
from streams.entries import Place

#: How sure each further dependency between two failing services leaves us.
_FURTHER = 0.9
#: How sure the surest shared attribute makes us, and what each less sure one takes from it.
_SHARED = 0.8
_LESS_SURE = 0.1
_LEAST = 0.3


class Incidents(Protocol):
    """The incidents that are not closed, as correlation needs to know them."""

    def having(self, tenant: str, fingerprint: str) -> tuple[IncidentV1, bool] | None:
        """Return the incident that has an alert, and whether the alert fires there; None where none has it."""

    def latest(self, tenant: str, group_key: str) -> IncidentV1 | None:
        """Return the incident that takes the alerts with *group_key*; None where there is none."""

    def failing(self, tenant: str, environment: str) -> Mapping[str, Collection[str]]:
        """Return the services whose alerts fire, each with the ids of the incidents that have them."""

    def standing(self, tenant: str, incident_id: str) -> IncidentV1 | None:
        """Return an incident, or the one that it was merged into; None where it is closed."""


@dataclass(frozen=True, slots=True)
class Tie:
    """What ties an alert to its group, and how sure that is."""

    bond: Bond
    score: float
    reason: str
    #: The incident it is tied to, where it is one.
    incident_id: str | None = None


@dataclass
class Group:
    """Alerts that belong to one incident."""

    tied: list[tuple[Arrival, Tie]] = field(default_factory=list)
    #: The open incidents that they are tied to, the oldest first.
    incidents: list[IncidentV1] = field(default_factory=list)
    #: The incident that they reopen, where they are tied to no open one.
    reopens: IncidentV1 | None = None


def grouped(  # noqa: PLR0913, PLR0917 - what is asked, and all that is known
    arrivals: Sequence[Arrival],
    incidents: Incidents,
    topology: Topology,
    attributes: Attributes,
    at: datetime,
    reopen_within: timedelta,
) -> list[Group]:
    """Return the groups that *arrivals*, which all fire, fall into at *at*."""
    grouping = _Grouping(arrivals, incidents, topology, at, reopen_within)
    grouping.tie_by_keys()
    grouping.tie_by_topology()
    grouping.tie_by_attributes(attributes)
    return list(grouping.groups())


class _Grouping:
    """The ties among some alerts and the incidents there are."""

    def __init__(
        self,
        arrivals: Sequence[Arrival],
        incidents: Incidents,
        topology: Topology,
        at: datetime,
        reopen_within: timedelta,
    ) -> None:
        self._arrivals = arrivals
        self._incidents = incidents
        self._topology = topology
        self._at = at
        self._reopen_within = reopen_within
        #: The representative of each node: alerts by number, then whatever else ties them.
        self._above: list[int] = list(range(len(arrivals)))
        self._nodes: dict[object, int] = {}
        self._ties: list[Tie | None] = [None] * len(arrivals)
        self._open: dict[tuple[str, str], IncidentV1] = {}
        self._resolved: dict[tuple[str, str], IncidentV1] = {}
        #: Alerts that an open incident has already: they tie nothing else.
        self._members: set[int] = set()

    # -- ties -------------------------------------------------------------------------------------

    def tie_by_keys(self) -> None:
        by_key: dict[tuple[str, str], list[int]] = {}
        for number, arrival in enumerate(self._arrivals):
            had = self._incidents.having(*arrival.place)
            if had is not None and had[0].resolved_at is None:
                self._members.add(number)
                reason = f"{had[0].incident_id} has had it before"
                self._say(number, Tie(Bond.MEMBER, 1.0, reason, had[0].incident_id))
                self._tie_nodes(number, had[0])
                continue
            alert = arrival.alert
            by_key.setdefault((alert.tenant, alert.group_key), []).append(number)
            if had is not None and self._incidents.latest(alert.tenant, alert.group_key) is None:
                self._tie_by_key([number], had[0], alert.group_key)
        for (tenant, group_key), numbers in by_key.items():
            for number in numbers[1:]:
                self._join(numbers[0], number)
            latest = self._incidents.latest(tenant, group_key)
            if latest is not None:
                self._tie_by_key(numbers, latest, group_key)

    def _tie_by_key(self, numbers: Sequence[int], latest: IncidentV1, group_key: str) -> None:
        if latest.resolved_at is None:
            reason = f"{latest.incident_id} has the group key {group_key}"
            self._say_all(numbers, Tie(Bond.GROUP_KEY, 1.0, reason, latest.incident_id))
            self._tie_nodes(numbers[0], latest)
        elif self._at - latest.resolved_at <= self._reopen_within:
            place = (latest.tenant, latest.incident_id)
            self._resolved[place] = latest
            self._join(numbers[0], self._node(("incident", place)))

    def tie_by_topology(self) -> None:
        by_service = self._by_service()
        together: dict[tuple[str, str], set[str]] = {}
        for tenant, environment, service in by_service:
            together.setdefault((tenant, environment), set()).add(service)
        for (tenant, environment, service), numbers in by_service.items():
            needs = self._topology.dependencies(service)
            users = self._topology.dependants(service)
            if not needs and not users:
                continue
            here = together[tenant, environment]
            needed, using = needs.keys() & here, users.keys() & here
            ours = self._node(("service", tenant, environment, service))
            if needed or using:
                near = min(needed, key=lambda each: (needs[each], each), default=None)
                near = near or min(using, key=lambda each: (users[each], each))
                self._say_all(numbers, self._topological(service, near, None))
            for other in needed:
                theirs = self._node(("service", tenant, environment, other))
                self._join(ours, theirs)
            nearest = self._nearest(self._incidents.failing(tenant, environment), tenant, service)
            for incident, other in nearest:
                self._say_all(numbers, self._topological(service, other, incident))
                self._tie_nodes(ours, incident)
            if needed or using or nearest:
                for number in numbers:
                    self._join(number, ours)

    def tie_by_attributes(self, attributes: Attributes) -> None:
        alike: dict[Place, tuple[int, list[int]]] = {}
        for number, arrival in enumerate(self._arrivals):
            if number not in self._members and attributes.has_any(arrival.alert):
                for rank, attribute in attributes.of(arrival.alert):
                    alike.setdefault(attribute, (rank, []))[1].append(number)
        for attribute, (rank, numbers) in alike.items():
            tenant, _, label, value = attribute
            score = max(_SHARED - _LESS_SURE * rank, _LEAST)
            if len(numbers) > 1:
                self._say_all(numbers, Tie(Bond.SHARED, score, f"it shares {label}={value}"))
                for number in numbers[1:]:
                    self._join(numbers[0], number)
            found = attributes.incident(attribute, self._at)
            incident = self._incidents.standing(tenant, found) if found else None
            if incident is not None and incident.resolved_at is None:
                reason = f"{incident.incident_id} has had alerts with {label}={value}"
                self._say_all(numbers, Tie(Bond.SHARED, score, reason, incident.incident_id))
                self._tie_nodes(numbers[0], incident)

    # -- what they come to ------------------------------------------------------------------------

    def groups(self) -> Iterator[Group]:
        found: dict[int, Group] = {}
        for number, arrival in enumerate(self._arrivals):
            group = found.setdefault(self._top(number), Group())
            group.tied.append((arrival, self._ties[number] or self._first(arrival.alert)))
        for place, incident in self._open.items():
            found[self._top(self._nodes["incident", place])].incidents.append(incident)
        for place, incident in self._resolved.items():
            group = found[self._top(self._nodes["incident", place])]
            before = group.reopens
            if not group.incidents and (before is None or _age(before) < _age(incident)):
                group.reopens = incident
        for group in found.values():
            group.incidents.sort(key=_age)
            if group.reopens is not None:
                again = group.reopens.incident_id
                group.tied = [
                    (arrival, Tie(Bond.GROUP_KEY, 1.0, tie.reason, again))
                    if tie.bond is Bond.FIRST
                    else (arrival, tie)
                    for arrival, tie in group.tied
                ]
            yield group

    def _first(self, alert: AlertV1) -> Tie:
        key = alert.group_key
        latest = self._incidents.latest(alert.tenant, key)
        if latest is None or latest.resolved_at is None:
            return Tie(Bond.FIRST, 1.0, f"no open incident has the group key {key}")
        ago = written(_whole(self._at - latest.resolved_at))
        reason = f"{latest.incident_id} with the group key {key} was resolved {ago} ago"
        if self._at - latest.resolved_at > self._reopen_within:
            reason += f", more than {written(self._reopen_within)}"
        return Tie(Bond.FIRST, 1.0, reason)

    def _by_service(self) -> dict[tuple[str, str, str], list[int]]:
        found: dict[tuple[str, str, str], list[int]] = {}
        for number, arrival in enumerate(self._arrivals):
            if number not in self._members:
                alert = arrival.alert
                place = (alert.tenant, alert.environment, alert.service)
                found.setdefault(place, []).append(number)
        return found

    # -- nodes ------------------------------------------------------------------------------------

    def _nearest(
        self, failing: Mapping[str, Collection[str]], tenant: str, service: str
    ) -> list[tuple[IncidentV1, str]]:
        """Return the open incidents with a service that *service* needs, or that needs it, each with the nearest of them."""
        nearest: dict[str, tuple[int, str]] = {}
        for reached in (self._topology.dependencies(service), self._topology.dependants(service)):
            for other in reached.keys() & failing.keys():
                for incident_id in failing[other]:
                    before = nearest.get(incident_id)
                    if before is None or (reached[other], other) < before:
                        nearest[incident_id] = (reached[other], other)
        found = []
        for incident_id, (_, other) in nearest.items():
            incident = self._incidents.standing(tenant, incident_id)
            if incident is not None and incident.resolved_at is None:
                found.append((incident, other))
        return found

    def _topological(self, service: str, other: str, incident: IncidentV1 | None) -> Tie:
        distance = self._topology.dependencies(service).get(other)
        if distance is not None:
            verb, way = "depends on", self._topology.path(service, other)
        else:
            distance = self._topology.dependants(service)[other]
            verb, way = "is needed by", self._topology.path(other, service)
        place = f"in {incident.incident_id}" if incident else "at the same time"
        return Tie(
            Bond.TOPOLOGY,
            round(_FURTHER**distance, 3),
            f"{service} {verb} {other}, which fails {place} ({way})",
            incident.incident_id if incident else None,
        )

    def _say_all(self, numbers: Sequence[int], tie: Tie) -> None:
        for number in numbers:
            self._say(number, tie)

    def _tie_nodes(self, node: int, incident: IncidentV1) -> None:
        place = (incident.tenant, incident.incident_id)
        self._open[place] = incident
        self._join(node, self._node(("incident", place)))

    def _say(self, number: int, tie: Tie) -> None:
        """Remember *tie* unless one is known that says more: to an incident, and surer."""
        before = self._ties[number]
        if before is None or _weight(tie) > _weight(before):
            self._ties[number] = tie

    def _node(self, of: object) -> int:
        node = self._nodes.get(of)
        if node is None:
            node = self._nodes[of] = len(self._above)
            self._above.append(node)
        return node

    def _top(self, node: int) -> int:
        above = self._above
        while above[node] != node:
            above[node] = above[above[node]]
            node = above[node]
        return node

    def _join(self, one: int, other: int) -> None:
        one, other = self._top(one), self._top(other)
        if one != other:
            self._above[max(one, other)] = min(one, other)


def _weight(tie: Tie) -> tuple[bool, float, str]:
    return tie.incident_id is not None, tie.score, tie.reason


def _age(incident: IncidentV1) -> tuple[datetime, int, str]:
    # Ids of one moment differ in their number, which grows in length too.
    return incident.detected_at, len(incident.incident_id), incident.incident_id


def _whole(span: timedelta) -> timedelta:
    return timedelta(seconds=round(span.total_seconds()))
