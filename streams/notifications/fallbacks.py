"""
Fallbacks: who is told instead, where a channel gives up or takes nothing for a while.

A channel can name its fallback. Where it names none, what it does not deliver is told once for each incident through another channel that
works: of those that people are told of new incidents by, the first.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from schemas import limits
from schemas.notices import NoticeV1, Outcome, Purpose
from streams.durations import written
from streams.notifications.ids import derived, entry_name
from streams.notifications.reminders import Line, line_of

#: Channels that may stand in for one another, one after the other.
_FALLBACKS: Final = 8
#: What nobody is told by another channel without having asked for it.
_CAN_BE_MISSED: Final = frozenset({Purpose.RESOLUTION, Purpose.REMINDER})


@dataclass(frozen=True, slots=True)
class Fallback:
    """Which channel stands in for another, any other where it is empty, and after how long without a delivery."""

    channel: str
    after: timedelta


class Fallbacks:
    """The channels of one partition that fail, and who was told instead."""

    def __init__(self) -> None:
        self._fallbacks: Mapping[str, Fallback] = {}
        self._substitutes: Sequence[str] = ()
        #: Since when each channel has taken nothing.
        self._failing: dict[str, datetime] = {}
        #: Incidents of which another channel was told in place of one that names none.
        self._told: dict[Line, datetime] = {}
        self._changed: dict[str, bytes | None] = {}

    def follow(self, fallbacks: Mapping[str, Fallback], substitutes: Sequence[str]) -> None:
        """Keep to these from now on; *substitutes* may stand in for any channel."""
        self._fallbacks, self._substitutes = fallbacks, substitutes

    def note(self, channel: str, outcome: Outcome, at: datetime) -> None:
        """Take note of how an attempt ended."""
        failing = channel in self._failing
        if outcome is Outcome.DELIVERED and failing:
            del self._failing[channel]
            self._changed[entry_name("failing", channel)] = None
        elif outcome is not Outcome.DELIVERED and not failing:
            self._failing[channel] = at
            self._changed[entry_name("failing", channel)] = orjson.dumps(
                {"failing": channel, "since": at}
            )

    def overdue(self, at: datetime) -> Iterator[tuple[str, str]]:
        """Yield the channels that have taken nothing for too long, and what is said of it."""
        for channel, since in self._failing.items():
            fallback = self._fallbacks.get(channel)
            if fallback is not None and at - since >= fallback.after:
                yield channel, f"{channel} has taken nothing for {written(fallback.after)}"

    def instead(self, notice: NoticeV1, why: str, at: datetime) -> NoticeV1 | None:
        """Return what another channel is told instead of *notice*'s, at *at*; None where there is none that was not tried."""
        fallback = self._fallbacks.get(notice.channel)
        tried = (*notice.instead_of, notice.channel)
        if fallback is None or len(tried) > _FALLBACKS:
            return None
        channel = fallback.channel or self._substitute(notice, tried)
        if channel is None or channel in tried:
            return None
        if not fallback.channel:
            self._keep(line_of(notice), at)
        return notice.model_copy(
            update={
                "notice_id": derived(notice.notice_id, f">{channel}"),
                "channel": channel,
                "reason": f"{why}; {notice.reason}"[: limits.LINE_LENGTH],
                "timing": None,
                "instead_of": tried,
            }
        )

    def _substitute(self, notice: NoticeV1, tried: Sequence[str]) -> str | None:
        if notice.purpose in _CAN_BE_MISSED or line_of(notice) in self._told:
            return None
        works = (each for each in self._substitutes if each not in {*self._failing, *tried})
        return next(works, None)

    def _keep(self, line: Line, at: datetime) -> None:
        self._told[line] = at
        self._changed[entry_name("instead", *line)] = orjson.dumps({"instead": line, "at": at})

    def forget(self, before: datetime) -> None:
        """Forget who was told before *before*."""
        for line in [each for each, at in self._told.items() if at < before]:
            del self._told[line]
            self._changed[entry_name("instead", *line)] = None

    def changes(self) -> Mapping[str, bytes | None]:
        """Return the entries that changed since the last call; None where one is gone."""
        changed, self._changed = self._changed, {}
        return changed

    def restore(self, said: Mapping[str, Any]) -> bool:
        """Take back one entry; False where it is none of these."""
        if "failing" in said:
            self._failing[said["failing"]] = datetime.fromisoformat(said["since"])
        elif "instead" in said:
            tenant, incident_id, channel = said["instead"]
            self._told[tenant, incident_id, channel] = datetime.fromisoformat(said["at"])
        else:
            return False
        return True
