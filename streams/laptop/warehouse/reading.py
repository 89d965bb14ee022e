"""What an HTTP request asks for, in ClickHouse's protocol: a statement, rows, parameters, settings."""

import gzip
import re
import sys
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import lz4.frame  # type: ignore[import-untyped]  # It has no types.

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

#: What the protocol puts beside the settings in the query string.
CONTROL: Final = frozenset(
    {
        "query",
        "database",
        "default_format",
        "session_id",
        "session_timeout",
        "session_check",
        "query_id",
        "quota_key",
        "compress",
        "decompress",
        "wait_end_of_query",
        "client_protocol_version",
        "role",
        "user",
        "password",
        "buffer_size",
        "send_progress_in_http_headers",
        "http_headers_progress_interval_ms",
        "enable_http_compression",
        "http_zlib_compression_level",
        "add_http_cors_header",
        "close_session",
        # Settings of a server's own HTTP edge, which this one is not.
        "cancel_http_readonly_queries_on_client_close",
        "http_wait_end_of_query",
        "http_response_buffer_size",
        "http_write_exception_in_output_format",
    }
)
DEFAULT_FORMAT: Final = "TabSeparated"

BAD_ARGUMENTS: Final = 36
NOT_IMPLEMENTED: Final = 48
SYNTAX_ERROR: Final = 62
TOO_LARGE: Final = 307

_WORD: Final = re.compile(
    r"""'(?:[^'\\]|\\.|'')*'|`(?:[^`\\]|\\.)*`|"(?:[^"\\]|\\.)*"|--[^\n]*|/\*.*?\*/|\#[ !][^\n]*|\w+|[()]""",
    re.DOTALL,
)


class Unreadable(Exception):
    """A request that is not ClickHouse's protocol, with ClickHouse's code for it."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True)
class Asked:
    """What a request asks for."""

    statement: str
    """One SQL statement, without inserted rows."""
    rows: bytes | None
    """Rows to insert, in the format that the statement names."""
    parameters: Mapping[str, str]
    """Server-side parameters, escaped as the protocol has them."""
    settings: Mapping[str, str]
    """Settings for this statement."""
    default_format: str
    """Format of the answer where the statement names none."""
    session: str | None
    """The session it belongs to."""


def read(query: Mapping[str, str], headers: Mapping[str, str], body: bytes) -> Asked:
    """
    Read a request whose body is inflated already.

    Raises:
        Unreadable: It asks for nothing, or for what this server has not.
    """
    if "1" in {query.get("compress"), query.get("decompress")}:
        # ClickHouse's own framing; every current client uses HTTP compression instead.
        raise Unreadable(NOT_IMPLEMENTED, "use HTTP compression instead of compress/decompress")
    given = query.get("query", "").encode()
    # In the protocol the statement is the query string followed by the body.
    whole = given + (b"\n" if given and body else b"") + body
    statement, rows = _split_rows(whole)
    if not statement.strip():
        raise Unreadable(SYNTAX_ERROR, "Empty query")
    if "\0" in statement:
        raise Unreadable(SYNTAX_ERROR, "a statement has no NUL characters")
    return Asked(
        statement=statement,
        rows=rows,
        parameters={
            name.removeprefix("param_"): value
            for name, value in query.items()
            if name.startswith("param_")
        },
        settings={
            name: value
            for name, value in query.items()
            if name not in CONTROL and not name.startswith("param_")
        },
        default_format=(
            query.get("default_format") or headers.get("X-ClickHouse-Format") or DEFAULT_FORMAT
        ),
        session=query.get("session_id") or None,
    )


def _split_rows(whole: bytes) -> tuple[str, bytes | None]:
    """Cut an ``INSERT … FORMAT X`` or ``INSERT … VALUES`` where its rows begin."""
    # Rows can be binary: only what precedes them must be text. Latin-1 keeps the places of the bytes.
    shadow = whole.decode("latin-1")
    words = (word for word in _WORD.finditer(shadow) if not word[0].startswith(("--", "/*", "#")))
    first = next(words, None)
    if first is None or first[0].upper() != "INSERT":
        return _text(whole), None
    depth = 0
    for word in words:
        it = word[0].upper()
        depth += (it == "(") - (it == ")")
        if depth:
            continue
        if it in {"SELECT", "WITH"}:
            return _text(whole), None
        if it == "VALUES":
            return _text(whole[: word.end()]), whole[word.end() :].strip() or None
        if it == "FORMAT":
            name = next(words, None)
            if name is None:
                break
            return _text(whole[: name.end()]), _after_one_line_end(whole, name.end())
    return _text(whole), None


def _after_one_line_end(whole: bytes, place: int) -> bytes:
    """Skip the blanks after the format's name and one end of line, as the engine does."""
    rest = whole[place:]
    stripped = rest.lstrip(b" \t")
    for end in (b"\r\n", b"\n"):
        if stripped.startswith(end):
            return stripped[len(end) :]
    return stripped


def _text(statement: bytes) -> str:
    try:
        return statement.decode()
    except UnicodeDecodeError:
        raise Unreadable(SYNTAX_ERROR, "a statement is UTF-8") from None


def inflate(body: bytes, encoding: str, limit: int) -> bytes:
    """
    Undo a ``Content-Encoding``.

    Raises:
        Unreadable: It is unknown, broken, or hides more than *limit* bytes.
    """
    makers = {
        "gzip": lambda: zlib.decompressobj(wbits=31),
        "deflate": zlib.decompressobj,
        "lz4": lz4.frame.LZ4FrameDecompressor,
        "zstd": zstd.ZstdDecompressor,
    }
    if encoding in {"", "identity"}:
        return body
    if encoding not in makers:
        raise Unreadable(BAD_ARGUMENTS, f"Unknown Content-Encoding: use {', '.join(makers)}")
    parts: list[bytes] = []
    size = 0
    while body:
        # A sender may write several frames one after the other.
        worker: Any = makers[encoding]()
        try:
            while not worker.eof:
                part = worker.decompress(body, limit + 1 - size)
                size += len(part)
                parts.append(part)
                if size > limit:
                    raise Unreadable(TOO_LARGE, f"at most {limit} bytes are taken at once")
                body = getattr(worker, "unconsumed_tail", b"")
                if not part and not worker.eof and not body:
                    raise Unreadable(BAD_ARGUMENTS, f"The body is no complete {encoding}")
        except (zlib.error, RuntimeError, zstd.ZstdError, EOFError):
            raise Unreadable(BAD_ARGUMENTS, f"The body is no {encoding}") from None
        body = worker.unused_data or b""
    return b"".join(parts)


def deflate(answer: bytes, accepted: str) -> tuple[bytes, str | None]:
    """Compress an answer in the first way that the client accepts."""
    names = {name.split(";")[0].strip() for name in accepted.lower().split(",")}
    if "zstd" in names:
        return zstd.compress(answer, 1), "zstd"
    if "lz4" in names:
        return bytes(lz4.frame.compress(answer)), "lz4"
    if "gzip" in names:
        return gzip.compress(answer, 1), "gzip"
    return answer, None
