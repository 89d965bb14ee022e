"""Dead letters: what stood on the topic, whatever it was, and why it is here."""

import pytest

from schemas.topics import LOGS
from streams.agents.dead_letters import REASON, dead_letter
from tests.recording import Record


@pytest.mark.parametrize(
    ("key", "value", "sent"),
    [
        (b"k", b"v", (b"k", b"v")),
        (None, b"v", (None, b"v")),
        (b"k", None, (b"k", None)),
        # A producer refuses it.
        (None, None, (b"", None)),
    ],
)
def test_a_dead_letter_is_the_record_as_it_was(
    key: bytes | None, value: bytes | None, sent: tuple[bytes | None, bytes | None]
) -> None:
    """Sent to its topic again it would go to another partition, or be something else."""
    letter = dead_letter(LOGS, Record("a.logs", 3, 9, key, value), hop="detect", reason="odd")
    assert (letter.key, letter.value) == sent


def test_a_reason_fits_into_a_header_whatever_it_is() -> None:
    """The worker would stop at what it wanted to put aside."""
    letter = dead_letter(
        LOGS, Record("a.logs", 3, 9, None, b"v"), hop="detect", reason="\ud800" + 5_000 * "x"
    )
    assert dict(letter.headers)[REASON] == b"?" + 999 * b"x"
