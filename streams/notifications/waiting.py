"""
When a notice may go out: the groups of one partition, and the times at which nothing does.

The first message of a group waits ``group_wait`` for more of it; afterwards a group is told of at most every ``group_interval``,
counted from that first time. A group ends with its last incident. All of it follows from the notices' own times, so a restart changes nothing.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from schemas.notices import NoticeV1, Purpose, TimingV1
from streams.notifications.times import TimeInterval

#: Messages that say where an incident stands: they can wait, and one can be told instead of several. The others call somebody, or say
#: that time runs out.
PATIENT: Final = frozenset(
    {Purpose.INITIAL, Purpose.UPDATE, Purpose.SEVERITY, Purpose.RESOLUTION, Purpose.REMINDER}
)

_MINUTE: Final = timedelta(minutes=1)
#: How far ahead an end of a mute time is looked for.
_LOOKED_AHEAD: Final = timedelta(days=8)

#: Group and channel.
_Place = tuple[str, str]


@dataclass(slots=True)
class _Group:
    #: A moment at which it is told of; the others are intervals away.
    at: datetime
    #: Incidents that are not over.
    open: set[str] = field(default_factory=set)


class Groups:
    """The groups of one partition."""

    def __init__(self) -> None:
        self._groups: dict[_Place, _Group] = {}
        self._changed: dict[str, bytes | None] = {}

    def goes_at(self, notice: NoticeV1) -> datetime | None:
        """Take *notice* into its group, and return when it may go out; None at once."""
        timing = notice.timing
        if timing is None or not (timing.wait or timing.interval):
            return None
        place = (timing.group, notice.channel)
        group = self._groups.get(place)
        if group is None or not group.open:
            group = _Group(notice.occurred_at + timing.wait)
        elif group.at <= notice.occurred_at:
            group.at = _next(group.at, notice.occurred_at, timing.interval)
        if notice.purpose is Purpose.RESOLUTION:
            group.open.discard(notice.incident_id)
        else:
            group.open.add(notice.incident_id)
        self._groups[place] = group
        self._changed[_name(place)] = orjson.dumps({"at": group.at, "open": sorted(group.open)})
        return group.at if group.at > notice.occurred_at else None

    def forget(self, before: datetime) -> None:
        """Forget the groups of which nothing was heard since *before*."""
        for place in [place for place, group in self._groups.items() if group.at < before]:
            del self._groups[place]
            self._changed[_name(place)] = None

    def changes(self) -> Mapping[str, bytes | None]:
        """Return the entries that changed since the last call; None where one is gone."""
        changed, self._changed = self._changed, {}
        return changed

    def restore(self, name: str, kept: Mapping[str, Any]) -> None:
        """Take one entry that ``changes`` returned."""
        _, group, channel = orjson.loads(name)
        at = datetime.fromisoformat(kept["at"])
        self._groups[group, channel] = _Group(at, set(kept["open"]))


def muted(timing: TimingV1 | None, intervals: Sequence[TimeInterval], at: datetime) -> str | None:
    """Return why nothing goes out by *timing* at *at*; None where it may. Names that the policy lost mute nothing."""
    if timing is None or not (timing.mute or timing.active):
        return None
    for interval in _named(timing.mute, intervals):
        if interval.contains(at):
            return f"muted by {interval.name}"
    active = list(_named(timing.active, intervals))
    if active and not any(interval.contains(at) for interval in active):
        return f"only active in {', '.join(interval.name for interval in active)}"
    return None


def minute_after(at: datetime) -> datetime:
    """Return when the next minute begins: times of the week begin and end with one."""
    return at.replace(second=0, microsecond=0) + _MINUTE


def opens(
    timing: TimingV1 | None, intervals: Sequence[TimeInterval], at: datetime
) -> datetime | None:
    """Return the first moment from *at* on at which something may go out; None where there is none for a week."""
    end = at + _LOOKED_AHEAD
    while muted(timing, intervals, at) is not None:
        at = minute_after(at)
        if at > end:
            return None
    return at


def _next(at: datetime, now: datetime, interval: timedelta) -> datetime:
    if not interval:
        return now
    return at + interval * math.ceil((now - at) / interval)


def _named(names: Iterable[str], intervals: Sequence[TimeInterval]) -> Iterable[TimeInterval]:
    known = {interval.name: interval for interval in intervals}
    return [known[name] for name in names if name in known]


def _name(place: _Place) -> str:
    # JSON, because names may hold any separator; no notice's id begins so.
    return orjson.dumps(["group", *place]).decode()
