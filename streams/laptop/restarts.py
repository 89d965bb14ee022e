"""What follows when a part of a running installation ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

#: A part that ends more often than this within ``WINDOW`` will not get better by itself.
RESTARTS: Final = 3
WINDOW: Final = timedelta(minutes=5)
FIRST_WAIT: Final = timedelta(seconds=1)


@dataclass(frozen=True)
class Restart:
    """Start it again after a wait."""

    wait: timedelta


@dataclass(frozen=True)
class GiveUp:
    """Stop everything."""

    reason: str


def after_exit(ends: Sequence[timedelta], *, restartable: bool) -> Restart | GiveUp:
    """
    Say what follows the last of *ends*: the moments, on any one clock, at which the part ended.

    A part that is not *restartable* holds what the others cannot be without.
    """
    if not restartable:
        return GiveUp("nothing works without it")
    recent = [end for end in ends if ends[-1] - end <= WINDOW]
    if len(recent) > RESTARTS:
        minutes = WINDOW / timedelta(minutes=1)
        return GiveUp(f"it ended {len(recent)} times in {minutes:g} minutes")
    return Restart(FIRST_WAIT * 2 ** (len(recent) - 1))
