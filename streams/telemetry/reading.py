"""
From a record to signals: which format it is in, and whether its time can be true.

Time is checked here because it decides later: a signal from the far future would make every later signal of its series
look old.

What says which format it is, in this order:

1. the record's header ``tocsin_format``, by name;
2. its CloudEvents type, where that is one of our contracts;
3. the topic, where the policy gives all of it to one format;
4. its shape: our own JSON first, then whatever a format recognises;
5. nothing: then it is read as our own JSON, and what is wrong is said in its words.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Final, cast

from schemas import limits
from schemas.contract import CUT_OFF, Unreadable
from schemas.telemetry import Signal
from schemas.topics import TopicDeclaration
from streams.discovery import declared_in, kind_of
from streams.telemetry import formats as folder
from streams.telemetry.batch import AHEAD, Batch, check_time
from streams.telemetry.format import Format
from streams.telemetry.formats.cloudevents import STRUCTURED
from streams.telemetry.labelling import clean_name
from streams.telemetry.payload import Payload

#: The header by which a producer says in which format a record is.
FORMAT: Final = "tocsin_format"
#: The header of a dead letter of which only these places were not read: sent again, it gives no more than them.
UNREAD: Final = "tocsin_unread"
#: The header by which whoever lets a record in says whose it is, whatever it says itself.
TENANT: Final = "tocsin_tenant"

_TYPE: Final = "ce_type"
#: How our own JSON begins when we write it.
_OURS: Final = b'{"occurred_at"'
_CLOUD_EVENTS: Final = "cloudevents"
_MILLISECOND: Final = timedelta(milliseconds=1)
_LAST_STAMP: Final = (limits.LATEST - limits.EARLIEST - AHEAD) // _MILLISECOND


class Formats:
    """The formats of one installation, set up as its policy says."""

    def __init__(self, given: Iterable[Format] = ()) -> None:
        kinds = cast("list[type[Format]]", declared_in(folder))
        self._by_name = {kind_of(kind): kind() for kind in kinds}
        self._of_topic: dict[str, Format] = {}
        for each in given:
            for topic in each.topics:
                self._of_topic[topic] = each
            if not each.topics:
                self._by_name[kind_of(type(each))] = each
        (self._last,) = (each for each in self._by_name.values() if each.asked_last)
        self._asked = [each for each in self._by_name.values() if each is not self._last]

    def foreign(self, topic: TopicDeclaration) -> bool:
        """Whether what bears no mark in *topic* is in another format than ours."""
        return not self._of_topic.get(topic.name, self._last).asked_last

    def chosen(self, payload: Payload) -> Format:
        """
        Return the format of *payload*.

        Raises:
            Unreadable: Its header names none that there is.
        """
        of_topic = self._of_topic.get(payload.topic.name)
        marked = self._marked(payload, of_topic) if payload.headers else None
        chosen = marked or of_topic
        if chosen is not None:
            return chosen
        if (
            payload.value is None
            or payload.value.startswith(_OURS)
            or self._last.recognises(payload)
        ):
            return self._last
        return next((each for each in self._asked if each.recognises(payload)), self._last)

    def _marked(self, payload: Payload, of_topic: Format | None) -> Format | None:
        """Return what the headers of *payload* say; None where they say nothing."""
        named = payload.header(FORMAT).strip().lower()
        if named:
            return self._named(named, of_topic)
        # An event in one piece may have the headers of one in parts beside it (Kafka Protocol Binding, 3.3.3).
        event_type = payload.header(_TYPE)
        if event_type == payload.topic.contract.event_type and payload.media_type != STRUCTURED:
            return self._last
        events = self._by_name[_CLOUD_EVENTS]
        mentioned = event_type or payload.media_type == STRUCTURED
        return events if mentioned and events.recognises(payload) else None

    def _named(self, name: str, of_topic: Format | None) -> Format:
        if of_topic is not None and kind_of(type(of_topic)) == name:
            return of_topic
        try:
            return self._by_name[name]
        except KeyError:
            message = f"{FORMAT}: names no format; there are {', '.join(sorted(self._by_name))}"
            raise Unreadable(message) from None


@cache
def _as_they_are() -> Formats:
    return Formats()


@dataclass(frozen=True, slots=True)
class Read:
    """What a record gave."""

    signals: Sequence[Signal]
    wrong: str = ""
    """What is wrong with those elements of a batch that gave none, while the others count."""
    unread: Sequence[str] = ()
    """Their places in it."""
    begins: Sequence[tuple[str, int]] = ()
    """The places of those that gave signals, and which signal is the first of each."""


def read_record(
    topic: TopicDeclaration,
    value: bytes | None,
    headers: Iterable[tuple[str, bytes | None]] = (),
    *,
    stamped: int | None = None,
    formats: Formats | None = None,
) -> Read:
    """
    Return what a record of *topic* gives; *stamped* is the record's own time as Kafka has it, in milliseconds.

    Raises:
        Unreadable: The value is not what its topic carries, in none of its elements.
        Rejected: The signal's time cannot be true.
    """
    # Kafka lets a header have no value.
    given: Mapping[str, bytes] = {name.lower(): each or b"" for name, each in headers}
    batch = Batch(latest_of(stamped), _unread(given))
    payload = Payload(topic, value, given, stamped, batch)
    payload.check_size()
    chosen = (formats or _as_they_are()).chosen(payload)
    try:
        signals = chosen.read(payload)
    except RecursionError:
        raise Unreadable("value: is nested too deep") from None
    except Unreadable as refusal:
        if not _guessed(chosen, payload) or CUT_OFF in str(refusal):
            raise
        message = f"{refusal}; it looks like no other format: a header {FORMAT} would name one"
        raise Unreadable(message) from None
    if signals is not batch.signals:
        for signal in signals:
            check_time(signal, batch.latest)
    elif batch.faults and not signals:
        raise batch.refusal()
    tenant = given.get(TENANT)
    if tenant is not None:
        named = _tenant(tenant)
        signals = [signal.model_copy(update={"tenant": named}) for signal in signals]
    return Read(signals, batch.said(), tuple(batch.faults), batch.begins)


def read_signals(
    topic: TopicDeclaration,
    value: bytes | None,
    headers: Iterable[tuple[str, bytes | None]] = (),
    *,
    stamped: int | None = None,
    formats: Formats | None = None,
) -> Sequence[Signal]:
    """Return the signals of ``read_record``, which see."""
    return read_record(topic, value, headers, stamped=stamped, formats=formats).signals


def _tenant(named: bytes) -> str:
    text = named.decode(errors="replace")
    if not text or clean_name(text) != text:
        raise Unreadable(f"{TENANT}: must be 1 to {limits.NAME_LENGTH} printable characters")
    return text


def _unread(headers: Mapping[str, bytes]) -> Sequence[str]:
    named = headers.get(UNREAD, b"").decode(errors="replace")
    places = [place for each in named.split(",") if (place := each.strip())]
    if len(places) > limits.BATCH_FAULTS:
        # Ours never does, and each element would be compared with all of them.
        raise Unreadable(f"{UNREAD}: names more than {limits.BATCH_FAULTS} places")
    return places


def _guessed(chosen: Format, payload: Payload) -> bool:
    """Whether *payload* is read as our own JSON only because nothing says what it is."""
    known = payload.headers or not payload.value or len(payload.value) > limits.MESSAGE_BYTES
    return chosen.asked_last and not known and not chosen.recognises(payload)


def latest_of(stamped: int | None) -> datetime:
    """Return when what stands in a record can have happened at the latest; *stamped* is the record's own time, in milliseconds."""
    # Brokers refuse record times far ahead of their own clock, so this one can be relied on.
    if stamped is None or not 0 <= stamped < _LAST_STAMP:
        return limits.LATEST
    return limits.EARLIEST + stamped * _MILLISECOND + AHEAD
