"""A body as it was before it was packed for the way."""

import zlib
from collections.abc import Callable
from typing import Final

from schemas import limits
from schemas.contract import Unreadable
from streams.telemetry.batch import TooLarge

#: Bytes that are unpacked at a time.
_PIECE: Final = 256 * 1024
#: Lets zlib find out whether it is gzip or zlib's own format, which HTTP calls "deflate".
_EITHER: Final = 32 + zlib.MAX_WBITS
_KNOWN: Final = ("gzip", "x-gzip", "deflate")


class Unsupported(Exception):
    """It is packed, or written, in a way that is not read; the text says how it may be."""


def unpacked(body: bytes, encoding: str, take: Callable[[int], None]) -> bytes:
    """
    Return *body*, which is in *encoding*; *take* is told of its size as it grows.

    Raises:
        Unsupported: Nobody knows that encoding.
        Unreadable: It is not in it.
        TooLarge: There is more of it than is read.
    """
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"}:
        return body
    if encoding not in _KNOWN:
        message = "Content-Encoding: must be gzip, deflate or none"
        raise Unsupported(message)
    whole = bytearray()
    unpacking = zlib.decompressobj(_EITHER)
    try:
        piece = unpacking.decompress(body, _PIECE)
        while piece:
            take(len(piece))
            whole += piece
            if len(whole) > limits.POSTED_BYTES:
                raise TooLarge(too_large())
            piece = unpacking.decompress(unpacking.unconsumed_tail, _PIECE)
    except zlib.error:
        raise Unreadable(f"Content-Encoding: the body is not {encoding}") from None
    if not unpacking.eof or unpacking.unused_data:
        raise Unreadable(f"Content-Encoding: the body is not whole {encoding}")
    return bytes(whole)


def too_large() -> str:
    """Return what is said of a body that is larger than is read."""
    return f"the body has more than {limits.POSTED_BYTES} bytes: send less at a time"
