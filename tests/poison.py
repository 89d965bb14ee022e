"""What strangers send: bytes without sense, and messages that are nearly right."""

import json
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

#: Each in the place of some field's value.
WRONG: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    10**30,
    1e308,
    "",
    " ",
    "\x00",
    "\ud83d\ude00" * 50,
    "a" * 20_000,
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00+14:00",
    "not a time",
    [],
    [[]],
    {},
    {"a": {"b": {"c": 1}}},
    "{{ 7 * 7 }}",
    "'; DROP TABLE incidents; --",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "${HOME}",
)
#: Texts that JSON parsers are known to stumble over.
HOSTILE: tuple[bytes, ...] = (
    b"",
    b"null",
    b"[]",
    b"{}",
    b"\xff\xfe\x00",
    b"\xef\xbb\xbf{}",
    b'{"occurred_at": NaN}',
    b'{"a": 1, "a": 2}',
    b"[" * 5_000,
    b'{"a":' * 5_000,
    b'{"occurred_at": "2026-11-23T00:00:00Z"',
    b'"' + b"a" * 300_000 + b'"',
    b"1" * 5_000,
    b'{"\\ud800": 1}',
    b"\x00\x00\x00\x00\x05magic",
    # As large as a broker takes.
    b"\xf0" * 1_000_000,
)


def random_bytes(chance: Random, count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield chance.randbytes(chance.choice([1, 7, 64, 500, 3_000]))


def mutations(chance: Random, examples: Sequence[bytes], count: int) -> Iterator[bytes]:
    """Examples with one thing wrong, or with one thing changed that is still right."""
    for _ in range(count):
        example = chance.choice(examples)
        yield chance.choice([_wrong_value, _missing, _added, _cut, _flipped])(chance, example)


def _wrong_value(chance: Random, example: bytes) -> bytes:
    message = json.loads(example)
    holder, place = chance.choice(list(_places(message)))
    holder[place] = chance.choice(WRONG)
    return json.dumps(message).encode(errors="surrogatepass")


def _missing(chance: Random, example: bytes) -> bytes:
    message = json.loads(example)
    holder, place = chance.choice(list(_places(message)))
    del holder[place]
    return json.dumps(message).encode()


def _added(chance: Random, example: bytes) -> bytes:
    message = json.loads(example)
    if isinstance(message, list):
        message.append(chance.choice(WRONG))
    else:
        message[f"field_{chance.randrange(100)}"] = chance.choice(WRONG)
    return json.dumps(message).encode(errors="surrogatepass")


def _cut(chance: Random, example: bytes) -> bytes:
    return example[: chance.randrange(len(example))]


def _flipped(chance: Random, example: bytes) -> bytes:
    mutable = bytearray(example)
    for _ in range(chance.randrange(1, 4)):
        mutable[chance.randrange(len(mutable))] ^= 1 << chance.randrange(8)
    return bytes(mutable)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every place in a JSON value, as a container and its key or index."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for place, each in list(inside):
        yield value, place
        if isinstance(each, (dict, list)):
            yield from _places(each)
