"""
What was posted, as records of the telemetry topics.

It is read as the hops will read it (``streams.telemetry.reading``), and travels as it was written, so that a replay under another policy reads
it anew. It becomes several records where it must: rules remember a service in one partition, and a record has one key and a bounded size.

What is wrong in part travels too: the hop that reads it takes what is right and puts the rest aside, as it does with what comes from
elsewhere. What is wrong as a whole is refused, and nothing of it travels.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

import msgspec

from schemas import cloudevents, limits
from schemas.contract import Unreadable
from schemas.telemetry import Signal
from schemas.topics import TELEMETRY, TopicDeclaration
from streams.agents.outgoing import Headers, Outgoing
from streams.discovery import kind_of
from streams.errors import ForAPerson, Rejected
from streams.telemetry.batch import Batch, TooLarge, too_many
from streams.telemetry.dividing import Divided, Element
from streams.telemetry.format import Format
from streams.telemetry.payload import Payload
from streams.telemetry.reading import FORMAT, TENANT, Formats, read_record

SOURCE: Final = "intake"
_TYPE: Final = "ce_type"
#: Bytes of a record's value: with key and headers beside it, it is what brokers take by default.
RECORD_BYTES: Final = limits.BATCH_BYTES - 16 * 1024

#: The place of an element: that of a part of it is longer.
_PLACE: Final = re.compile(r"(?:[^\[]*\[\d+\]){1,3}")
#: Where the next message of syslog begins.
_NEXT_MESSAGE: Final = re.compile(rb"\r?\n(?=<\d{1,3}>)")
#: Said one by one of what is wrong; the rest is counted.
_SAID: Final = 3
#: How many times as large as itself a post may become on its way: parts of it, and records.
_TIMES: Final = 8
#: Elements that can be parted.
_FEWEST: Final = 2
_TOPICS: Final = {topic.contract.event_type: topic for topic in TELEMETRY}


@dataclass(frozen=True)
class Posted:
    """What somebody posted, unpacked."""

    topic: TopicDeclaration
    """What it is one of, where nothing else says it."""
    body: bytes
    headers: Headers = ()
    """Those that say what it is."""
    tenant: str | None = None
    """Whose it is, whatever it says itself."""
    binary: bool = False
    """Whether it is no text."""


@dataclass
class Sorting:
    """What it becomes."""

    records: list[Outgoing] = field(default_factory=list)
    accepted: int = 0
    """Signals that are right."""
    unread: list[str] = field(default_factory=list)
    """The places of elements that are not."""
    faults: list[str] = field(default_factory=list)
    """What is wrong with them."""

    @property
    def said(self) -> str:
        """What is wrong, in one line; nothing where all is right."""
        more = len(self.faults) - _SAID
        first = "; ".join(self.faults[:_SAID])
        return f"{first}; and more" if more > 0 else first

    def take(self, part: "Sorting", where: str) -> None:
        """Add what *part* of it became; *where* says which part that is."""
        self.records += part.records
        self.accepted += part.accepted
        self.unread += [f"{where}: {place}" for place in part.unread]
        self.faults += [f"{where}: {said}" for said in part.faults]


@dataclass(frozen=True)
class _Owner:
    """Where a signal belongs: a topic, and the key under which that keeps it."""

    topic: TopicDeclaration
    key: bytes


def sort(posted: Posted, formats: Formats, at: datetime) -> Sorting:
    """
    Return what *posted*, which came at *at*, becomes.

    Raises:
        Unreadable: Nothing of it is right; ``TooLarge`` where that is because of its size.
        Rejected: The same of what can be read.
    """
    documents = None if posted.binary else _documents(posted.body)
    room = _Room(len(posted.body))
    try:
        if documents is None:
            return _Desk(posted, formats, at, room).sort(posted.body)
        if len(documents) > limits.BATCH_SIGNALS:
            raise TooLarge(too_many())
        # That the whole is a batch says nothing of what is in it.
        headers = tuple(each for each in posted.headers if each[0] != cloudevents.CONTENT_TYPE)
        return _Desk(replace(posted, headers=headers), formats, at, room).sort_all(documents)
    except _Spent:
        message = "value: becomes too much where it is parted by service: send smaller batches"
        raise TooLarge(message) from None


class _Spent(Exception):
    """There is no room for more."""


class _Room:
    """How many bytes a post may become. What stands beside elements is in each part: a large one of it, and many services, would take all the memory."""

    def __init__(self, size: int) -> None:
        self._left = _TIMES * size + RECORD_BYTES

    def taken(self, part: bytes) -> bytes:
        """
        Return *part*, for which there is room.

        Raises:
            _Spent: There is none.
        """
        self._left -= len(part)
        if self._left < 0:
            raise _Spent
        return part


class _Desk:
    """Sorts documents of which the same is said."""

    def __init__(self, posted: Posted, formats: Formats, at: datetime, room: _Room) -> None:
        self._posted = posted
        self._room = room
        self._topic = posted.topic
        self._formats = formats
        self._at = at
        self._stamped = int(at.timestamp() * 1_000)
        tenant = posted.tenant
        self._tenant: Headers = () if tenant is None else ((TENANT, tenant.encode()),)
        self._headers: Headers = (*posted.headers, *self._tenant)

    def sort(self, value: bytes) -> Sorting:
        """Return what the document *value* becomes; see ``sort``."""
        try:
            _check_size(value)
            return self.whole(value)
        except TooLarge:
            parts = self._parts(value)
            if len(parts) == 1:
                raise
        return self.sort_all(parts)

    def sort_all(self, documents: Sequence[tuple[str, bytes]]) -> Sorting:
        """Return what *documents* become, each with what it is called; those that are wrong travel too, unless all are."""
        made, refused, wrong = Sorting(), Batch(), []
        for called, each in documents:
            try:
                made.take(self.sort(each), called)
            except (Unreadable, Rejected) as refusal:
                refused.put_aside(called, type(refusal)(f"{called}: {refusal}"))
                wrong.append(each)
        if documents and len(wrong) == len(documents):
            raise refused.refusal()
        made.records += [self._aside(each) for each in wrong if len(each) <= RECORD_BYTES]
        made.unread += refused.faults
        made.faults += map(str, refused.faults.values())
        return made

    def whole(self, value: bytes) -> Sorting:
        """Return what *value* becomes, which is no larger than a record."""
        payload = self._payload(value)
        chosen = self._formats.chosen(payload)
        try:
            read = read_record(
                self._topic, value, self._headers, stamped=self._stamped, formats=self._formats
            )
        except ForAPerson as request:
            return Sorting([self._aside(value)], 0, ["value"], [str(request)])
        home = _TOPICS[read.signals[0].event_type] if read.signals else self._topic
        if home is not self._topic:
            return self._at_home(home, chosen).whole(value)
        made = Sorting([], len(read.signals), [*read.unread], [read.wrong] if read.wrong else [])
        # All signals of one element belong together.
        owners = {place: _owner(chosen, read.signals[first]) for place, first in read.begins}
        divided = chosen.divide(payload) if len({*owners.values()}) > 1 else None
        if divided is not None:
            made.records += self._by_owner(divided, chosen, read.unread, owners)
        elif read.signals:
            first = read.signals[0]
            headers = self._headers
            if chosen.asked_last and not payload.header(_TYPE):
                # Like what comes from elsewhere with this mark, it is read at a glance.
                headers = (*cloudevents.headers(first, source=SOURCE), *self._tenant)
            made.records.append(self._record(value, _owner(chosen, first), chosen, headers))
        return made

    def _at_home(self, topic: TopicDeclaration, chosen: Format) -> "_Desk":
        """Return who sorts what is in the *chosen* format and belongs into *topic*, where the policy can have it read otherwise."""
        headers = _marked(self._posted.headers, chosen)
        posted = replace(self._posted, topic=topic, headers=headers)
        return _Desk(posted, self._formats, self._at, self._room)

    def _by_owner(
        self,
        divided: Divided,
        chosen: Format,
        unread: Iterable[str],
        owners: Mapping[str, _Owner],
    ) -> Iterator[Outgoing]:
        """Yield a record for each owner of elements, and one for those of which nothing is right."""
        whose: dict[str, _Owner | None] = {_element(place): None for place in unread}
        whose |= {_element(place): owner for place, owner in owners.items()}
        topic = next(iter(owners.values())).topic
        parts: dict[_Owner | None, list[Element]] = {}
        for element in divided.elements:
            # What gives no signal, such as the mark of a series that ended, is nobody's.
            known = next((place for place in _around(element.place) if place in whose), None)
            if known is not None:
                parts.setdefault(whose[known], []).append(element)
        for owner, elements in parts.items():
            to = owner or _Owner(topic, b"")
            value = self._room.taken(divided.joined(elements))
            yield self._record(value, to, chosen, self._headers)

    def _parts(self, value: bytes) -> Sequence[tuple[str, bytes]]:
        """Return *value*, which is too large, in parts of about equal size; itself where it has none."""
        payload = self._payload(value)
        divided = self._formats.chosen(payload).divide(payload)
        if divided is None or len(divided.elements) < _FEWEST:
            return [("", value)]
        size = sum(len(element.value) for element in divided.elements)
        count = max(_FEWEST, -(-max(len(value), size) * 5 // (RECORD_BYTES * 4)))
        parts: list[list[Element]] = [[]]
        filled = 0
        for element in divided.elements:
            if parts[-1] and filled >= len(parts) * size / count:
                parts.append([])
            parts[-1].append(element)
            filled += len(element.value)
        if len(parts) == 1:
            # The last one is as large as all others together.
            parts = [parts[0][:-1], parts[0][-1:]]
        return [
            (f"part {number} of {len(parts)}", self._room.taken(divided.joined(each)))
            for number, each in enumerate(parts, 1)
        ]

    def _payload(self, value: bytes) -> Payload:
        headers = {name.lower(): each or b"" for name, each in self._headers}
        return Payload(self._topic, value, headers, self._stamped)

    def _record(self, value: bytes, owner: _Owner, chosen: Format, headers: Headers) -> Outgoing:
        if not chosen.asked_last:
            # What it was recognised by can be gone; and the policy can give the topic to another format.
            headers = _marked(headers, chosen)
        return Outgoing(owner.topic.name, owner.key or None, value, headers)

    def _aside(self, value: bytes) -> Outgoing:
        """Return a record of which the hop that reads it says what is wrong, for whoever looks after dead letters."""
        return Outgoing(self._topic.name, None, value, self._headers)


def _marked(headers: Headers, chosen: Format) -> Headers:
    """Return *headers* with the name of the *chosen* format."""
    mark = FORMAT, kind_of(type(chosen)).encode()
    return (*(each for each in headers if each[0] != FORMAT), mark)


def _owner(chosen: Format, signal: Signal) -> _Owner:
    topic = _TOPICS[signal.event_type]
    service = chosen.kept_with(signal)
    if service != signal.service:
        signal = signal.model_copy(update={"service": service})
    return _Owner(topic, topic.key_of(signal))


def _element(place: str) -> str:
    found = _PLACE.match(place)
    return found[0] if found else place


def _around(place: str) -> Iterator[str]:
    """Yield *place*, and what it stands in: of a resource that cannot be read, no element can."""
    while place:
        yield place
        place = place.rpartition(".")[0]


def _check_size(value: bytes) -> None:
    if len(value) > RECORD_BYTES:
        message = f"the value has {len(value)} bytes: at most {RECORD_BYTES} are read"
        raise TooLarge(message)


def _documents(body: bytes) -> Sequence[tuple[str, bytes]] | None:
    """Return the documents of a JSON array, of lines of JSON or of messages of syslog, with their places; None where there is one."""
    body = body.strip()
    if body[:1] == b"[":
        try:
            listed = msgspec.json.decode(body, type=list[msgspec.Raw])
        except (ValueError, RecursionError):
            raise Unreadable("value: is not JSON") from None
        return [(f"[{number}]", bytes(each)) for number, each in enumerate(listed)]
    if body[:1] == b"<":
        return _numbered(_NEXT_MESSAGE.split(body))
    if body[:1] == b"{" and b"\n" in body and not _is_json(body):
        lines = body.splitlines()
        # Else it is one document that is wrong.
        if all(line.lstrip()[:1] in {b"{", b""} for line in lines):
            return _numbered(lines)
    return None


def _numbered(lines: Iterable[bytes]) -> Sequence[tuple[str, bytes]] | None:
    there = [(f"line {number}", line) for number, line in enumerate(lines, 1) if line.strip()]
    return there if len(there) > 1 else None


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (ValueError, RecursionError):
        return False
    return True
