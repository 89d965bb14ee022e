"""
A document of several elements as several documents: because they belong to different services, or are too much for one record.

What stands beside the elements (a resource, a receiver, symbols) stays as it was written, and stands in each part that needs it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

import msgspec

from schemas.contract import Unreadable
from streams.telemetry.documents import read_document

#: How many bytes a field has whose length its kind says, in protobuf's wire format.
_FIXED: Final = {1: 8, 5: 4}
_VARINT, _LENGTH = 0, 2
_VARINT_BYTES: Final = 10
_NOTHING: Final = msgspec.Raw(b"null")

_Within = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Element:
    """One of them."""

    place: str
    """Where it stands in the document, as what is wrong with it is said: ``alerts[1]``."""
    value: bytes
    within: _Within = ()
    """The numbers of what it stands in, from outside: of its resource and its scope."""


@dataclass(frozen=True)
class Divided:
    """A document, taken apart."""

    elements: Sequence[Element]
    _depth: int
    #: What stands beside the elements, by the numbers of where.
    _shells: Mapping[_Within, Any]
    #: Puts what is inside at some depth into its shell.
    _wrap: Callable[[Any, int, Sequence[bytes]], bytes]

    def joined(self, elements: Sequence[Element]) -> bytes:
        """
        Return a document of no more than *elements*, which are in their order.

        Raises:
            Unreadable: One of them is none.
        """
        return self._wrapped((), elements)

    def _wrapped(self, within: _Within, elements: Sequence[Element]) -> bytes:
        depth = len(within)
        if depth == self._depth:
            inside = [each.value for each in elements]
        else:
            inside = [
                self._wrapped((*within, number), list(each))
                for number, each in groupby(elements, lambda element: element.within[depth])
            ]
        return self._wrap(self._shells[within], depth, inside)


def divide_json(value: bytes, *names: str) -> Divided:
    """
    Return the elements of a JSON document that lists them under the last of *names*, each inside the one before.

    Raises:
        Unreadable: It is no such document.
    """
    elements: list[Element] = []
    shells: dict[_Within, dict[str, msgspec.Raw]] = {}

    def open_at(part: bytes | msgspec.Raw, within: _Within, place: str) -> None:
        shell = shells[within] = read_document(dict[str, msgspec.Raw], part, place)
        depth = len(within)
        name = names[depth]
        listed = f"{place}.{name}" if place else name
        inside = read_document(list[msgspec.Raw] | None, shell.pop(name, _NOTHING), listed)  # type: ignore[arg-type]
        for number, each in enumerate(inside or ()):
            if depth + 1 == len(names):
                elements.append(Element(f"{listed}[{number}]", bytes(each), within))
            else:
                open_at(each, (*within, number), f"{listed}[{number}]")

    def wrap(shell: dict[str, msgspec.Raw], depth: int, inside: Sequence[bytes]) -> bytes:
        return msgspec.json.encode({**shell, names[depth]: [msgspec.Raw(each) for each in inside]})

    open_at(value, (), "")
    return Divided(elements, len(names) - 1, shells, wrap)


def divide_protobuf(
    value: bytes,
    names: Sequence[str],
    numbers: Sequence[int],
    packed: Callable[[bytes], bytes] = bytes,
) -> Divided:
    """
    Return the elements of a protobuf message that has them in the last of the fields called *names*, each inside the one before.

    *numbers* are those fields' numbers; *packed* is what parts are sent as.

    Raises:
        Unreadable: It is no protobuf message.
    """
    elements: list[Element] = []
    shells: dict[_Within, bytes] = {}

    def open_at(part: bytes, within: _Within, place: str) -> None:
        depth, beside, count = len(within), bytearray(), 0
        for number, field, inside in fields(part):
            if number != numbers[depth] or inside is None:
                beside += field
                continue
            where = f"{place}{names[depth]}[{count}]"
            if depth + 1 == len(names):
                elements.append(Element(where, inside, within))
            else:
                open_at(inside, (*within, count), f"{where}.")
            count += 1
        shells[within] = bytes(beside)

    def wrap(shell: bytes, depth: int, inside: Sequence[bytes]) -> bytes:
        tag = varint(numbers[depth] << 3 | _LENGTH)
        whole = shell + b"".join(part for each in inside for part in (tag, varint(len(each)), each))
        return whole if depth else packed(whole)

    open_at(value, (), "")
    return Divided(elements, len(names) - 1, shells, wrap)


def fields(message: bytes) -> Iterator[tuple[int, bytes, bytes | None]]:
    """
    Yield the fields of *message*: number, the whole of it, and what is inside where it says its length.

    Raises:
        Unreadable: It is no protobuf message.
    """
    at, end = 0, len(message)
    while at < end:
        begins = at
        tag, at = number_at(message, at)
        kind = tag & 7
        inside = None
        if kind == _VARINT:
            _, at = number_at(message, at)
        elif kind == _LENGTH:
            size, at = number_at(message, at)
            inside = message[at : at + size]
            at += size
        elif kind in _FIXED:
            at += _FIXED[kind]
        else:
            raise _unreadable()
        if at > end:
            raise _unreadable()
        yield tag >> 3, message[begins:at], inside


def packed_numbers(packed: bytes) -> Iterator[int]:
    """
    Yield the numbers that a field holds one after the other.

    Raises:
        Unreadable: It is no such field.
    """
    at = 0
    while at < len(packed):
        number, at = number_at(packed, at)
        yield number


def number_at(message: bytes, at: int) -> tuple[int, int]:
    """
    Return the number that stands in *message* at *at*, and where what comes after it begins.

    Raises:
        Unreadable: There is none.
    """
    number = 0
    for index, byte in enumerate(message[at : at + _VARINT_BYTES]):
        number |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:  # noqa: PLR2004 - The bit that says that the number goes on.
            return number, at + index + 1
    raise _unreadable()


def varint(number: int) -> bytes:
    """Return *number* as protobuf writes it."""
    encoded = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - as above
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _unreadable() -> Unreadable:
    return Unreadable("value: is no protobuf message")
