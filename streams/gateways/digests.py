"""
Mails the reports that the policy schedules, one worker of the installation at a time.

What is done with is noted down in the warehouse after the server took the mail. A crash between the two sends it again, under the
same Message-ID: mail programs show it once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from prometheus_client import REGISTRY, Counter

from streams.errors import TocsinError
from streams.gateways.courier import post
from streams.gateways.policies import published
from streams.gateways.reporting import Asking, told
from streams.notifications.channel import Judgement, Verdict
from streams.notifications.channels.email import Email
from streams.policy import Policy, read_policy
from streams.releases import published_policy
from streams.settings import Settings
from streams.warehouse.digests import Digest, Due, asked, due
from streams.warehouse.mail import Told, mail_of

log = logging.getLogger(__name__)

#: How often is looked whether one is due.
EVERY: Final = timedelta(minutes=1)
TABLE: Final = "digests"
LATEST: Final = "SELECT schedule, max(due_at) AS due_at FROM digests GROUP BY schedule"

MAILED: Final = Counter(
    "tocsin_digests_total",
    "Scheduled reports, by what became of the attempt to mail them.",
    ["schedule", "outcome"],
    registry=REGISTRY,
)

Post = Callable[[Email, Any], Awaitable[Judgement]]


class Warehouse(Asking, Protocol):
    """Where is noted down what is done with."""

    async def insert(self, table: str, rows: Any) -> None:
        """Store *rows*."""


class Digests:
    """Looks whether a digest is due, and mails it."""

    def __init__(
        self,
        warehouse: Warehouse,
        policy: Callable[[], Awaitable[Policy]],
        clock: Callable[[], datetime],
        post: Post = post,
    ) -> None:
        self._warehouse = warehouse
        self._policy = policy
        self._clock = clock
        self._post = post

    async def keep_looking(self, leads: Callable[[], bool]) -> None:
        """Look until cancelled, whenever *leads* says so; what did not work is tried again at the next look."""
        while True:
            await asyncio.sleep(EVERY.total_seconds())
            if not leads():
                continue
            try:
                await self.look()
            except TocsinError as error:
                log.warning("digests not looked at reason=%s", error)
            except Exception:  # History is written on, whatever a report does.
                log.exception("digests failed")

    async def look(self) -> None:
        """
        Do what is due now.

        Raises:
            PolicyError: The policy cannot be used.
            Unavailable: The broker does not tell the policy, or the warehouse what is done with.
        """
        policy = await self._policy()
        if not policy.reports.digests:
            return
        rows = await self._warehouse.select(LATEST)
        done = {str(row["schedule"]): row["due_at"] for row in rows}
        for name, digest in policy.reports.digests.items():
            found = due(digest, done.get(name), self._clock())
            if found is not None:
                await self._do(name, digest, found, policy.channels[digest.to])

    async def _do(self, name: str, digest: Digest, found: Due, channel: Any) -> None:
        if found.begins:
            await self._note(name, found, "begun", "the schedule is new")
            return
        judged = await self._mailed(name, digest, found, channel)
        MAILED.labels(name, judged.verdict).inc()
        if judged.verdict is Verdict.TRY_AGAIN:
            log.warning(
                "digest not mailed schedule=%s due=%s reason=%s", name, found.moment, judged.reason
            )
            return
        if judged.verdict is Verdict.GIVE_UP:
            log.error(
                "digest given up schedule=%s due=%s reason=%s", name, found.moment, judged.reason
            )
        else:
            log.info("digest mailed schedule=%s due=%s", name, found.moment)
        outcome = "sent" if judged.verdict is Verdict.DELIVERED else "given_up"
        await self._note(name, found, outcome, judged.reason)

    async def _mailed(self, name: str, digest: Digest, found: Due, channel: Email) -> Judgement:
        missing = channel.missing()
        if missing is not None:
            return Judgement(
                Verdict.TRY_AGAIN, f"channel {digest.to} is not set up: {missing} is empty"
            )
        parts = [Told(it, await told(it, self._warehouse)) for it in asked(digest, found.moment)]
        since, until = parts[0].asked.window
        mail = mail_of(
            parts,
            subject=f"Digest {name}: {since:%Y-%m-%d} to {until:%Y-%m-%d}",
            key=f"digest {name} {found.moment.isoformat()}",
            sender=channel.sender,
            to=channel.to,
            at=self._clock(),
        )
        return await self._post(channel, mail)

    async def _note(self, name: str, found: Due, outcome: str, reason: str) -> None:
        row: Mapping[str, Any] = {
            "schedule": name,
            "due_at": found.moment,
            "outcome": outcome,
            "reason": reason,
            "written_at": self._clock(),
        }
        await self._warehouse.insert(TABLE, [row])


async def policy_in_force(settings: Settings, environment: Mapping[str, str]) -> Policy:
    """
    Return the policy that was published last; that of the folder where none was.

    Raises:
        PolicyError: It cannot be used.
        Unavailable: The broker does not answer.
    """
    latest = (await published(settings)).latest
    if latest is None:
        return read_policy(settings.policy)
    return published_policy(latest, environment)
