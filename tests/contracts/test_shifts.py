"""What every channel makes of a notice that is of no incident: the handover of a shift."""

from typing import Any

import pytest

from streams.discovery import example_of, kind_of
from streams.notifications.channel import Channel
from streams.notifications.rendering import render
from tests.contracts.test_channels import SENT, WAYS, accepted, raw
from tests.told import SHIFT

#: Those that page would open an incident over there that nobody ends: they are told of no shift.
MERGING = [(kind, ways) for kind, ways in WAYS if kind.merges]


@pytest.mark.parametrize(("kind", "ways"), MERGING, ids=[kind_of(kind) for kind, _ in MERGING])
def test_nobody_can_take_a_shift_or_look_it_up(kind: type[Channel], ways: dict[str, Any]) -> None:
    """A button, or a link, would lead to an incident that is none."""
    channel = kind(**example_of(kind) | ways)
    request = channel.compose(SHIFT, render(SHIFT), SENT)
    accepted(channel, request)
    for word in (b"acknowledge", b"ACK ", b"tocsin.example.org/default"):
        assert word not in raw(request)
