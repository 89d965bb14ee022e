"""
The policy that the board and the intake answer by: that of their folder, until one is published.

A published policy takes effect as soon as it was read. One that cannot be used here changes nothing; after a restart the last usable one counts, as
it does for the workers.
"""

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import datetime
from typing import Final, Protocol

from fastapi import HTTPException, status

from schemas.policies import PolicyV1
from streams.agents import metrics
from streams.agents.governed import Folder
from streams.errors import PolicyError
from streams.notifications.channel import Channel
from streams.policy import Policy
from streams.releases import digest

log = logging.getLogger(__name__)

HOP: Final = "board"
#: Policies that are remembered while the log is read: were all of them unusable, the folder's would count.
_REMEMBERED: Final = 10
#: There is one policy for all partitions.
_PARTITION: Final = "all"

_Key = tuple[datetime, str]


class InForce:
    """The policy in force, and which one it is."""

    def __init__(self, folder: Folder, sha256: str, policy: Policy, hop: str = HOP) -> None:
        self._hop = hop
        self._folder = folder
        self._folder_sha256 = sha256
        self._heard: dict[_Key, PolicyV1] = {}
        self._refused: set[_Key] = set()
        self.policy = policy
        #: None as long as none was published.
        self.published: PolicyV1 | None = None
        self.channels: Mapping[str, Channel] = _Channels(self)
        # There from the start: growth from nothing is no growth to Prometheus.
        metrics.POLICY_REFUSED.labels(hop)

    @property
    def sha256(self) -> str:
        """The digest of the policy in force."""
        return self.published.sha256 if self.published else self._folder_sha256

    def hear(self, published: PolicyV1) -> None:
        """Take in a record of the log; it counts once ``settle`` was called."""
        key = _key(published)
        if key in self._refused or (self.published and key <= _key(self.published)):
            return  # The same for another partition, or an older one.
        self._heard[key] = published
        if len(self._heard) > _REMEMBERED:
            del self._heard[min(self._heard)]

    def settle(self) -> None:
        """Put the latest usable one of those that were heard in force."""
        heard = [self._heard[key] for key in sorted(self._heard, reverse=True)]
        self._heard.clear()
        for published in heard:
            try:
                policy = self._usable(published)
            except PolicyError as error:
                self._refuse(published, error)
                continue
            self.policy, self.published = policy, published
            self._folder.compare(self._hop, published)
            metrics.POLICY_PUBLISHED.labels(self._hop, _PARTITION).set(
                published.occurred_at.timestamp()
            )
            log.info(
                "policy in force hop=%s policy=%s author=%s reason=%s",
                self._hop,
                published.sha256[:12],
                published.author,
                published.reason,
            )
            return

    def _usable(self, published: PolicyV1) -> Policy:
        if digest(published.files) != published.sha256:
            message = "sha256: is not the digest of the files"
            raise PolicyError(message)
        return self._folder.policy_of(published)

    def _refuse(self, published: PolicyV1, error: PolicyError) -> None:
        self._refused.add(_key(published))
        metrics.POLICY_REFUSED.labels(self._hop).inc()
        log.error(
            "policy not used hop=%s policy=%s instead=the one before stays in force problems=%s",
            self._hop,
            published.sha256[:12],
            "; ".join(line.strip() for line in str(error).splitlines()),
        )


class Reads(Protocol):
    """Who reads the log."""

    @property
    def ready(self) -> bool:
        """Whether all of it was read."""


def settled(reads: Reads) -> Callable[[], Awaitable[None]]:
    """Return a dependency that refuses with 503 what comes before the policy in force is known: the folder's secrets may be old ones."""

    async def check() -> None:
        if not reads.ready:
            raise HTTPException(
                status.HTTP_503_SERVICE_UNAVAILABLE,
                "the policy is still being read",
                {"Retry-After": "5"},
            )

    return check


class _Channels(Mapping[str, Channel]):
    """The channels of the policy in force, whichever that is."""

    def __init__(self, in_force: InForce) -> None:
        self._in_force = in_force

    def __getitem__(self, name: str) -> Channel:
        return self._in_force.policy.channels[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._in_force.policy.channels)

    def __len__(self) -> int:
        return len(self._in_force.policy.channels)


def _key(published: PolicyV1) -> _Key:
    return published.occurred_at, published.sha256
