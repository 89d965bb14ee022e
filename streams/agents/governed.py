"""
A desk under a policy that can be replaced while it works.

A published policy is a record like any other: it takes effect at its place in the partition, and is part of the journaled state, so that
whoever takes the partition over goes on under it, whatever stands in the folder. Until one is published the folder's is used.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar

from schemas.policies import PolicyV1
from schemas.ticks import TickV1
from schemas.topics import POLICIES, TopicDeclaration
from streams.agents import metrics
from streams.agents.checkpoints import Desk, Skimming
from streams.agents.dead_letters import Aside
from streams.agents.outgoing import Outgoing
from streams.detection.ledger import Changes, Keep
from streams.errors import PolicyError, Rejected
from streams.policy import Policy
from streams.releases import digest, published_policy

log = logging.getLogger(__name__)

#: The state entry that holds the policy in force. No identifier has a line break.
ENTRY: Final = "\npolicy"

Kind = TypeVar("Kind")


class Governable(Desk, Protocol):
    """A desk that can go on under another policy."""

    def use(self, policy: Policy) -> None:
        """Go on under *policy*."""


class Remade:
    """A desk that is made anew under another policy, from everything it ever asked to be kept."""

    def __init__(self, make: Callable[[Policy], Desk], policy: Policy) -> None:
        self._make = make
        self._desk = make(policy)
        #: The whole state, as a journal has it.
        self._kept: dict[str, bytes] = {}
        #: What changed under the policies before and was not asked for yet.
        self._changed: dict[str, bytes | None] = {}

    def hear(self, topic: TopicDeclaration, record: Any) -> Iterable[Outgoing | Aside]:
        """Take in one record and return what follows."""
        return self._desk.hear(topic, record)

    def tick(self, tick: TickV1) -> Iterable[Outgoing]:
        """Take in the time and return what follows."""
        return self._desk.tick(tick)

    def changes(self) -> Mapping[str, bytes | None]:
        """Return the state entries that changed since the last call."""
        self._learn()
        changed, self._changed = self._changed, {}
        return changed

    def restore(self, entries: Mapping[str, bytes]) -> None:
        """Take the state that a journal kept."""
        self._kept = dict(entries)
        self._desk.restore(entries)

    def use(self, policy: Policy) -> None:
        """Go on under *policy*, as a restart with it would."""
        self._learn()
        self._desk = self._make(policy)
        self._desk.restore(self._kept)

    def _learn(self) -> None:
        for name, entry in self._desk.changes().items():
            self._changed[name] = entry
            if entry is None:
                self._kept.pop(name, None)
            else:
                self._kept[name] = entry


class Folder:
    """What a worker was started with: the digest of its policy folder, and its environment."""

    def __init__(self, path: str, sha256: str, environment: Mapping[str, str]) -> None:
        self.path = path
        self._environment = environment
        self._sha256 = sha256
        #: The policy that was read last: one for all partitions.
        self._read: tuple[str, Policy] | None = None
        #: The policy in force that was last compared with the folder: said once for all partitions.
        self._compared = ""

    def policy_of(self, published: PolicyV1) -> Policy:
        """
        Return the policy that was *published*, with this worker's values.

        Raises:
            PolicyError: It cannot be used here.
        """
        if self._read is None or self._read[0] != published.sha256:
            self._read = published.sha256, published_policy(published, self._environment)
        return self._read[1]

    def compare(self, hop: str, in_force: PolicyV1) -> None:
        """Warn where the folder holds another policy than the one in force."""
        if self._compared == in_force.sha256:
            return
        self._compared = in_force.sha256
        if in_force.sha256 != self._sha256:
            log.warning(
                "folder not in force hop=%s folder=%s in_force=%s author=%s published_at=%s "
                "hint=`tocsin policy publish %s` puts the folder in force",
                hop,
                self.path,
                in_force.sha256[:12],
                in_force.author,
                in_force.occurred_at.isoformat(),
                self.path,
            )


class Governed:
    """A desk, and the policy it works under."""

    def __init__(self, hop: str, desk: Governable, folder: Folder) -> None:
        self.desk = desk
        self._hop = hop
        self._folder = folder
        #: None as long as none was published.
        self.in_force: PolicyV1 | None = None
        self._changed = False
        metrics.POLICY_REFUSED.labels(hop)

    def hear(self, topic: TopicDeclaration, record: Any) -> Iterable[Outgoing | Aside]:
        """Take in one record; a policy takes effect before the next one."""
        if topic is not POLICIES:
            return self.desk.hear(topic, record)
        self._take(PolicyV1.from_wire(record.value))
        return ()

    def tick(self, tick: TickV1) -> Iterable[Outgoing]:
        """Take in the time and return what follows."""
        return self.desk.tick(tick)

    def changes(self) -> Mapping[str, bytes | None]:
        """Return the state entries that changed, with the policy where it did."""
        return {**self.desk.changes(), **self._entry()}

    def restore(self, entries: Mapping[str, bytes]) -> None:
        """Take the state that a journal kept, under the policy that was in force then."""
        rest = dict(entries)
        kept = rest.pop(ENTRY, None)
        if kept is not None:
            self.in_force = PolicyV1.from_wire(kept)
            self._folder.compare(self._hop, self.in_force)
            try:
                self._put_in_force(self.in_force)
            except PolicyError as error:
                # It was usable once; to stop here would leave nobody to hear of a better one.
                self._refuse(self.in_force, error, "the folder's is used")
        self.desk.restore(rest)

    def _entry(self) -> dict[str, bytes]:
        if not self._changed or self.in_force is None:
            return {}
        self._changed = False
        return {ENTRY: self.in_force.to_wire()}

    def _take(self, published: PolicyV1) -> None:
        if self.in_force is not None and self.in_force.sha256 == published.sha256:
            return
        if digest(published.files) != published.sha256:
            message = "sha256: is not the digest of the files"
            raise Rejected(message)
        try:
            self._put_in_force(published)
        except PolicyError as error:
            self._refuse(published, error, "the one before stays in force")
            message = "the policy cannot be used by this worker: its log says why"
            raise Rejected(message) from None
        self.in_force, self._changed = published, True
        log.info(
            "policy in force hop=%s partition=%s policy=%s author=%s reason=%s",
            self._hop,
            published.partition,
            published.sha256[:12],
            published.author,
            published.reason,
        )

    def _put_in_force(self, published: PolicyV1) -> None:
        self.desk.use(self._folder.policy_of(published))
        metrics.POLICY_PUBLISHED.labels(self._hop, published.partition).set(
            published.occurred_at.timestamp()
        )

    def _refuse(self, published: PolicyV1, error: PolicyError, instead: str) -> None:
        metrics.POLICY_REFUSED.labels(self._hop).inc()
        log.error(
            "policy not used hop=%s partition=%s policy=%s instead=%s problems=%s",
            self._hop,
            published.partition,
            published.sha256[:12],
            instead,
            "; ".join(line.strip() for line in str(error).splitlines()),
        )


class GovernedSkimming(Governed):
    """A desk that skims, and the policy it works under."""

    def __init__(self, hop: str, desk: Governable, skimming: Skimming, folder: Folder) -> None:
        super().__init__(hop, desk, folder)
        self._skimming = skimming

    def begin(self, positions: Mapping[str, int]) -> None:
        """Learn that what stands before *positions* is in the state."""
        self._skimming.begin(positions)

    def skim(self, topic: TopicDeclaration, records: Sequence[Any], start: int) -> int:
        """Take in *records* from *start* on, and return the place of the first that must be heard."""
        return self._skimming.skim(topic, records, start)

    def write_down(self, positions: Mapping[str, int], keep: Keep) -> Changes:
        """Return what is to be kept; with a new policy everything, so that nothing before it is read again under it."""
        entry = self._entry()
        entries, resume = self._skimming.write_down(positions, Keep.ALL if entry else keep)
        return Changes({**entries, **entry}, resume)


def governed(hop: str, desk: Governable, folder: Folder) -> Governed:
    """Return *desk* under the policy of *folder* until one is published."""
    if isinstance(desk, Skimming):
        return GovernedSkimming(hop, desk, desk, folder)
    return Governed(hop, desk, folder)


def desk_of(desk: Desk, kind: type[Kind]) -> Kind:
    """Return the desk of that *kind*, which *desk* is or puts under a policy."""
    if isinstance(desk, Governed):
        desk = desk.desk
    if not isinstance(desk, kind):
        message = f"{type(desk).__name__} is not the desk of this hop"
        raise TypeError(message)
    return desk
