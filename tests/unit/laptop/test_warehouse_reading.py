"""What a request asks for, and how its body is inflated."""

import gzip
import zlib

import lz4.frame
import pytest

from streams.laptop.warehouse.reading import (
    TOO_LARGE,
    Unreadable,
    deflate,
    inflate,
    read,
    zstd,
)

LIMIT = 1 << 20


@pytest.mark.parametrize(
    ("whole", "statement", "rows"),
    [
        (b"SELECT 1", "SELECT 1", None),
        (b"INSERT INTO x FORMAT CSV\n1,2\n", "INSERT INTO x FORMAT CSV", b"1,2\n"),
        (b"insert into x format CSV 1,2", "insert into x format CSV", b"1,2"),
        (b"INSERT INTO x FORMAT Native\n\xff\x00;", "INSERT INTO x FORMAT Native", b"\xff\x00;"),
        (b"INSERT INTO x FORMAT TSV\n\n", "INSERT INTO x FORMAT TSV", b"\n"),
        (b'INSERT INTO x (`values`, "format") VALUES (1)', None, b"(1)"),
        (b"INSERT INTO x (values) VALUES (';')", None, b"(';')"),
        (b"INSERT INTO x /* VALUES */ -- FORMAT y\n VALUES (1)", None, b"(1)"),
        (b"INSERT INTO x SELECT 1 FORMAT TSV", "INSERT INTO x SELECT 1 FORMAT TSV", None),
        (b"INSERT INTO x WITH 1 AS values SELECT values", None, None),
        (b"SELECT 'INSERT INTO x VALUES (1)'", "SELECT 'INSERT INTO x VALUES (1)'", None),
        (b"INSERT INTO x FORMAT", "INSERT INTO x FORMAT", None),
    ],
)
def test_rows_are_cut_from_their_statement(
    whole: bytes, statement: str | None, rows: bytes | None
) -> None:
    """Rows would be read as SQL, or SQL as rows."""
    asked = read({}, {}, whole)

    assert asked.rows == rows
    assert statement is None or asked.statement == statement


def test_the_query_string_comes_before_the_body() -> None:
    """curl's usual way to load a file."""
    asked = read({"query": "INSERT INTO x FORMAT CSV"}, {}, b"1\n2\n")

    assert (asked.statement, asked.rows) == ("INSERT INTO x FORMAT CSV", b"1\n2\n")


def test_settings_parameters_and_control_are_told_apart() -> None:
    """A setting that is taken for control is neither examined nor applied."""
    query = {
        "query": "SELECT 1",
        "param_a": "x",
        "max_threads": "1",
        "session_id": "s",
        "user": "u",
    }

    asked = read(query, {"X-ClickHouse-Format": "JSON"}, b"")

    assert asked.parameters == {"a": "x"}
    assert asked.settings == {"max_threads": "1"}
    assert asked.session == "s"
    assert asked.default_format == "JSON"


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ({}, b""),
        ({}, b" \n"),
        ({}, b"SELECT '\xff'"),
        ({}, b"SELECT '\0'"),
        ({"query": "SELECT 1", "compress": "1"}, b""),
        ({"query": "SELECT 1", "decompress": "1"}, b""),
    ],
)
def test_what_asks_for_nothing_is_refused(query: dict[str, str], body: bytes) -> None:
    """The engine would be asked something else."""
    with pytest.raises(Unreadable):
        read(query, {}, body)


COMPRESS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "lz4": lz4.frame.compress,
    "zstd": zstd.compress,
}


@pytest.mark.parametrize("encoding", COMPRESS)
@pytest.mark.parametrize("size", [0, 1, 70_000, LIMIT])
def test_bodies_are_inflated(encoding: str, size: int) -> None:
    """Clients compress what they insert."""
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)

    assert inflate(COMPRESS[encoding](body), encoding, LIMIT) == body


@pytest.mark.parametrize("encoding", ["gzip", "lz4", "zstd"])
def test_several_frames_are_one_body(encoding: str) -> None:
    """Streaming clients write a frame for each block."""
    body = COMPRESS[encoding](b"one") + COMPRESS[encoding](b"two")

    assert inflate(body, encoding, LIMIT) == b"onetwo"


@pytest.mark.parametrize("encoding", COMPRESS)
def test_a_bomb_is_refused_at_the_limit(encoding: str) -> None:
    """A kilobyte would take a gigabyte of memory."""
    with pytest.raises(Unreadable) as refused:
        inflate(COMPRESS[encoding](bytes(LIMIT + 1)), encoding, LIMIT)

    assert refused.value.code == TOO_LARGE


@pytest.mark.parametrize("encoding", COMPRESS)
def test_a_broken_body_is_refused(encoding: str) -> None:
    """Half a batch would be stored."""
    whole = COMPRESS[encoding](bytes(range(256)) * 40)
    for broken in (whole[:-5], whole[: len(whole) // 2], b"nonsense" * 9):
        with pytest.raises(Unreadable):
            inflate(broken, encoding, LIMIT)


def test_an_unknown_encoding_is_refused() -> None:
    """Its bytes would be read as SQL."""
    with pytest.raises(Unreadable, match="Unknown Content-Encoding: use gzip, deflate, lz4, zstd"):
        inflate(b"x", "br", LIMIT)


def test_answers_are_compressed_as_accepted() -> None:
    """A client cannot read what it did not offer to."""
    answer = b"x" * 10_000

    assert deflate(answer, "br, identity") == (answer, None)
    for accepted, encoding in (("gzip;q=1, br", "gzip"), ("lz4", "lz4"), ("gzip, zstd", "zstd")):
        body, named = deflate(answer, accepted)
        assert named == encoding
        assert inflate(body, encoding, LIMIT) == answer
