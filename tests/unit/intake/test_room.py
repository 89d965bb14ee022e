"""How much is in hand, and what a packed body becomes: on both sides of each limit."""

import gzip
import zlib

import pytest

from schemas import limits
from schemas.contract import Unreadable
from streams.intake.room import Full, Room
from streams.intake.unpacking import Unsupported, unpacked
from streams.telemetry.batch import TooLarge


def test_no_more_requests_than_may_be_are_in_hand():
    """A crowd would take all the memory, and nobody would be answered."""
    room = Room(requests=2, size=10)
    with room.share(), room.share():
        with pytest.raises(Full), room.share():
            pass
        assert room.in_hand == 2
    assert room.in_hand == 0
    with room.share():
        pass


def test_bytes_are_given_back_whatever_happens():
    """Otherwise the intake would refuse everything some day."""
    room = Room(requests=9, size=10)
    with room.share() as share:
        share.take(10)
        with pytest.raises(Full), room.share() as other:
            other.take(1)
    with pytest.raises(Full), room.share() as share:
        share.take(11)
    with room.share() as share:
        share.take(9)
        share.take(1)


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("GZIP ", gzip.compress),
        ("deflate", zlib.compress),
        ("", bytes),
        ("identity", bytes),
    ],
)
def test_a_body_is_unpacked(encoding, pack):
    """Collectors pack what they send."""
    taken = []
    body = b"telemetry" * 100_000
    assert unpacked(pack(body), encoding, taken.append) == body
    assert sum(taken) == (0 if pack is bytes else len(body))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"plain", "Content-Encoding: the body is not gzip"),
        (gzip.compress(b"x" * 1_000, mtime=0)[:-9], "Content-Encoding: the body is not whole gzip"),
        (gzip.compress(b"x", mtime=0) + b"more", "Content-Encoding: the body is not whole gzip"),
        (b"", "Content-Encoding: the body is not whole gzip"),
    ],
)
def test_what_is_not_packed_as_it_says_is_refused(body, said):
    """Half a batch would pass for a whole one."""
    with pytest.raises(Unreadable) as refusal:
        unpacked(body, "gzip", abs)
    assert str(refusal.value) == said


def test_an_unknown_encoding_is_refused_by_name():
    """Otherwise it would be taken for nonsense, and nobody would know what to set."""
    with pytest.raises(Unsupported) as refusal:
        unpacked(b"x", "zstd", abs)
    assert str(refusal.value) == "Content-Encoding: must be gzip, deflate or none"


def test_a_bomb_is_stopped_at_the_limit():
    """A few bytes can stand for gigabytes."""
    most = gzip.compress(b" " * limits.POSTED_BYTES)
    assert len(unpacked(most, "gzip", abs)) == limits.POSTED_BYTES
    bomb = gzip.compress(b" " * (4 * limits.POSTED_BYTES))
    assert len(bomb) < 100_000
    taken = []
    with pytest.raises(TooLarge, match="the body has more than 20971520 bytes"):
        unpacked(bomb, "gzip", taken.append)
    assert sum(taken) < limits.POSTED_BYTES + 1_000_000
    room = Room(size=1_000)
    with pytest.raises(Full), room.share() as share:
        unpacked(bomb, "gzip", share.take)
