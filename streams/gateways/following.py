"""What the board answers by, followed as it changes: topics are read from the beginning, then on and on."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from schemas.contract import Unreadable
from schemas.lifecycle import IncidentV1
from schemas.policies import PolicyV1
from schemas.silences import SilenceV1
from schemas.topics import CURRENT, POLICIES, SILENCES, TopicDeclaration
from streams.errors import Unavailable
from streams.gateways import clock
from streams.gateways.looking import READ_WITHIN, fetched, read_all, reading
from streams.gateways.producer import ANSWERS_WITHIN
from streams.settings import Settings
from streams.status_page.showing import State

log = logging.getLogger(__name__)

#: How long a broker that does not answer is left alone.
_AGAIN_AFTER: Final = timedelta(seconds=5)
#: How often is asked whether it is there: the client waits for a broker that is away without a word.
_ASKED_EVERY: Final = timedelta(seconds=10)

_BEING_READ: Final = "the topics are still being read"


class Policies(Protocol):
    """Who wants to know of published policies."""

    def hear(self, published: PolicyV1) -> None:
        """Take in a record of the log."""

    def settle(self) -> None:
        """Go on by what was heard; this may take a while."""


class Following:
    """
    The published incidents, the maintenance windows and the policies, as far as they were read.

    *besides* are the topics that are followed beside the policies.
    """

    def __init__(
        self,
        settings: Settings,
        policies: Policies,
        now: Callable[[], datetime] = clock.now,
        besides: Sequence[TopicDeclaration] = (CURRENT, SILENCES),
    ) -> None:
        self._settings = settings
        self._now = now
        #: Until when everything is known.
        self._as_of: datetime | None = None
        self._policies = policies
        self._incidents: dict[bytes | None, IncidentV1] = {}
        self._silences: dict[bytes | None, SilenceV1] = {}
        self._current = settings.topic(CURRENT.name)
        self._published = settings.topic(POLICIES.name)
        self._topics = [settings.topic(each.name) for each in (*besides, POLICIES)]
        self._unsettled = False
        #: Whether everything was read once: before, a page would show less than there is.
        self.ready = False
        #: Why not yet.
        self._missing = _BEING_READ

    def state(self) -> State:
        """Return what pages are made of now."""
        return State(
            tuple(self._incidents.values()), tuple(self._silences.values()), as_of=self._as_of
        )

    def unready(self) -> str | None:
        """Return what is missing; a broker that goes away later takes nothing from what is shown."""
        return None if self.ready else self._missing

    def take(self, record: Any) -> None:
        """Take in one record; what nobody outside may see is not even kept."""
        try:
            if record.topic == self._published:
                self._policies.hear(PolicyV1.from_wire(record.value))
                self._unsettled = True
            elif record.topic == self._current:
                incident = IncidentV1.from_wire(record.value) if record.value else None
                _keep(
                    self._incidents, record.key, incident if incident and incident.public else None
                )
            else:
                silence = SilenceV1.from_wire(record.value) if record.value else None
                _keep(
                    self._silences, record.key, silence if silence and silence.maintenance else None
                )
        except Unreadable:
            return  # A newer release may write what this one cannot read.

    async def run(self) -> None:
        """Follow the topics until cancelled; where the broker does not answer, what was read stays, and it is asked again."""
        while True:
            try:
                await self._follow()
            except Unavailable as error:
                log.warning("topics not followed reason=%s", error)
                self._missing = str(error)
                await asyncio.sleep(_AGAIN_AFTER.total_seconds())

    async def _follow(self) -> None:
        async with reading(self._settings, self._topics) as consumer:
            self._missing = _BEING_READ
            await read_all(consumer, self.take, since=None, within=READ_WITHIN)
            await self._settle()
            self._as_of = self._now()
            self.ready = True
            while True:
                for record in await fetched(consumer):
                    self.take(record)
                await self._settle()
                if self._now() - self._as_of >= _ASKED_EVERY:
                    async with asyncio.timeout(ANSWERS_WITHIN.total_seconds()):
                        await consumer.end_offsets(consumer.assignment())
                    self._as_of = self._now()

    async def _settle(self) -> None:
        if self._unsettled:
            self._unsettled = False
            # Reading a large policy takes a second, in which nobody shall wait for the page.
            await asyncio.to_thread(self._policies.settle)


def _keep(kept: dict[bytes | None, Any], key: bytes | None, value: Any) -> None:
    if value is None:
        kept.pop(key, None)
    else:
        kept[key] = value
