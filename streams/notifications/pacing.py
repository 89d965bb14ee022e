"""
How much a receiver takes: rate limits, and what is told as a digest where a storm would exceed them.

Severity 1, and whatever calls somebody, waits for nothing and is never part of a digest. The limits hold for each worker; what it had sent
before a restart is not known after it.
"""

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from schemas.notices import NoticeV1
from streams.notifications.waiting import PATIENT

#: Incidents that one digest names.
DIGEST_SIZE: Final = 50

_WORST: Final = 1


@dataclass(frozen=True, slots=True)
class Limit:
    """What one channel takes."""

    at_most: int
    """Messages."""
    per: timedelta
    """In any span of this length."""
    merges: bool
    """Whether several incidents can be told in one message."""


class Pace:
    """What was sent of late, by channel."""

    def __init__(self, limits: Mapping[str, Limit] | None = None) -> None:
        self._limits: Mapping[str, Limit] = limits or {}
        self._sent: dict[str, deque[datetime]] = defaultdict(deque)

    def follow(self, limits: Mapping[str, Limit]) -> None:
        """Keep to other *limits* from now on; what was sent still counts."""
        self._limits = limits

    def take(self, due: Sequence[NoticeV1], at: datetime) -> list[list[NoticeV1]]:
        """Return what of *due* may be sent at *at*, each message with the notices that it tells; the rest waits."""
        by_channel: dict[str, list[NoticeV1]] = defaultdict(list)
        for notice in due:
            by_channel[notice.channel].append(notice)
        messages: list[list[NoticeV1]] = []
        for channel, notices in by_channel.items():
            taken = self._of_channel(channel, notices, at)
            self._sent[channel].extend([at] * len(taken))
            messages.extend(taken)
        return messages

    def _of_channel(
        self, channel: str, notices: list[NoticeV1], at: datetime
    ) -> list[list[NoticeV1]]:
        urgent = [[each] for each in notices if _urgent(each)]
        limit = self._limits.get(channel)
        calm = [each for each in notices if not _urgent(each)]
        if limit is None:
            return [*urgent, *([each] for each in calm)]
        room = max(self._room(channel, limit, at) - len(urgent), 0)
        if len(calm) <= room or not limit.merges:
            return [*urgent, *([each] for each in calm[:room])]
        digests = [calm[start : start + DIGEST_SIZE] for start in range(0, len(calm), DIGEST_SIZE)]
        return [*urgent, *digests[:room]]

    def _room(self, channel: str, limit: Limit, at: datetime) -> int:
        sent = self._sent[channel]
        while sent and sent[0] <= at - limit.per:
            sent.popleft()
        return limit.at_most - len(sent)


def _urgent(notice: NoticeV1) -> bool:
    return notice.incident.severity == _WORST or notice.purpose not in PATIENT
