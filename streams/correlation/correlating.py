"""Everything that correlation remembers of one partition, and the questions that are asked of it together."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import orjson

from schemas.changes import ChangeV1
from schemas.withheld import Withholding
from streams.correlation.demand import Demands
from streams.correlation.grouping import Group, Incidents, grouped
from streams.correlation.intake import Arrival, Intake
from streams.correlation.settings import CorrelationSettings
from streams.correlation.shared import Attributes
from streams.correlation.suspects import Changes
from streams.correlation.telling import Told
from streams.correlation.topology import Topology
from streams.correlation.withholding import Withheld
from streams.entries import Entries, Place, unnamed, written


class Correlation:
    """One partition of correlation."""

    def __init__(
        self, settings: CorrelationSettings, topology: Topology, *, reopen_within: timedelta
    ) -> None:
        self._demands = Demands(settings)
        self._reopen_within = reopen_within
        self.topology = topology
        self.intake = Intake(settings.flapping)
        self.withheld = Withheld(settings)
        self.attributes = Attributes(settings.shared)
        self.recent = Changes()
        #: What was changed since suspects were last ranked: tenant, environment and service.
        self._news: dict[Place, None] = {}
        self._entries = Entries(
            {"news": lambda place: written(True if place in self._news else None)}
        )
        self._forgot: datetime | None = None

    def changed(self, change: ChangeV1) -> None:
        """Take in a change of a service."""
        if self.recent.hear(change):
            place = (change.tenant, change.environment, change.service)
            self._news[place] = None
            self._entries.note("news", place)

    def news(self) -> list[tuple[str, str, str]]:
        """Return tenant, environment and service of what was changed since this was last asked."""
        news = [(place[0], place[1], place[2]) for place in sorted(self._news)]
        self._news.clear()
        for place in news:
            self._entries.note("news", place)
        return news

    def groups(self, fresh: Sequence[Arrival], incidents: Incidents, at: datetime) -> list[Group]:
        """Return the groups that *fresh* alerts fall into, together with those that wait for more."""
        if not fresh:
            return []
        heard = {arrival.place for arrival in fresh}
        waiting = [
            each
            for each in self.withheld.waiting({place[0] for place in heard})
            if each.place not in heard
        ]
        return grouped(
            [*fresh, *waiting], incidents, self.topology, self.attributes, at, self._reopen_within
        )

    def below_demand(self, group: Group) -> list[Told] | None:
        """Keep the alerts of *group* waiting where too few fire, and say so of those that are new; None where enough do."""
        firing = len(group.tied)
        demanded = self._demands.of(arrival.alert for arrival, _ in group.tied)
        if firing >= demanded.count:
            return None
        return [
            Told(
                arrival.alert,
                arrival.origin,
                Withholding.WAITING,
                f"{firing} of the {demanded.count} alerts that open an incident{demanded.of} fire: {tie.reason}",
            )
            for arrival, tie in group.tied
            if self.withheld.wait(arrival)
        ]

    def forget(self, at: datetime, heard_before: datetime) -> None:
        """Forget what is too old to decide anything; done once an hour."""
        if self._forgot is not None and at - self._forgot < timedelta(hours=1):
            return
        self._forgot = at
        self.intake.forget(heard_before)
        self.attributes.forget(at)
        self.recent.forget(at)

    def changes(self) -> Iterator[Mapping[str, bytes | None]]:
        """Yield the entries that changed since the last call."""
        yield self._entries.changes()
        yield self.intake.entries.changes()
        yield from self.withheld.changes()
        yield self.attributes.entries.changes()
        yield self.recent.entries.changes()

    def restore(self, entries: Mapping[str, bytes]) -> None:
        """Take what ``changes`` told, accumulated; entries that are not ours are passed over."""
        for name, raw in entries.items():
            self._restore(*unnamed(name), raw)
        for _ in self.changes():
            pass  # What was taken back did not change.

    def _restore(self, kind: str, place: Place, raw: bytes) -> None:
        if kind in {"waiting", "seen"}:
            self.intake.restore(kind, place, orjson.loads(raw))
        elif kind in {"held", "source", "silence", "warned"}:
            self.withheld.restore(kind, place, orjson.loads(raw))
        elif kind == "shared":
            self.attributes.restore(place, orjson.loads(raw))
        elif kind == "news":
            self._news[place] = None
        elif kind == "change":
            self.recent.restore(orjson.loads(raw))
