"""
Pending, firing, resolved: how long a finding must hold before it is told, and how long it is kept afterwards.

=========  ===================================  =========================================
is         hears                                becomes
=========  ===================================  =========================================
quiet      bad                                  pending; firing at once where nothing is waited for
pending    anything but bad                     quiet
pending    nothing else for ``wait``            firing
firing     bad, with another severity           firing (changed)
firing     clear                                resolved once it was clear for ``keep``
firing     between                              firing, and the time it was clear starts anew
=========  ===================================  =========================================

*Between* is what a clear threshold makes: no longer bad enough to begin, not yet good enough to end.

A move that only needs time happens at the moment it is due, however late somebody looks. So it does not
matter whether a tick or the next signal shows that the time has come.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final


class Says(StrEnum):
    """What a rule says about a series at one moment."""

    BAD = "bad"
    BETWEEN = "between"
    CLEAR = "clear"


class Phase(StrEnum):
    """Where a series stands."""

    QUIET = "quiet"
    PENDING = "pending"
    FIRING = "firing"


class Move(StrEnum):
    """A change that others are told of."""

    FIRED = "fired"
    CHANGED = "changed"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Terms:
    """How patient a rule is."""

    wait: timedelta = timedelta(0)
    """A finding must hold so long before it fires."""
    keep: timedelta = timedelta(0)
    """It must be clear so long before it is resolved."""


@dataclass(frozen=True, slots=True)
class Held:
    """Where a series stands, and since when."""

    phase: Phase = Phase.QUIET
    since: datetime | None = None
    """When the present phase began; None while quiet."""
    clear_since: datetime | None = None
    """While firing: since when it is clear without a break."""
    severity: int = 0
    """Of the latest bad finding; 0 while quiet."""


QUIET: Final = Held()


def hold(
    held: Held, says: Says, at: datetime, severity: int, terms: Terms
) -> tuple[Held, Move | None]:
    """Return where a series stands once *says* was found at *at*, and the move it made."""
    if says is Says.BAD:
        return _bad(held, at, severity, terms)
    if held.phase is not Phase.FIRING:
        return QUIET, None
    if says is Says.BETWEEN:
        return (replace(held, clear_since=None) if held.clear_since else held), None
    if not terms.keep:
        return QUIET, Move.RESOLVED
    return (held if held.clear_since else replace(held, clear_since=at)), None


def due(held: Held, terms: Terms) -> datetime | None:
    """Return when time alone moves the series; None where it never does."""
    if held.phase is Phase.PENDING and held.since is not None:
        return held.since + terms.wait
    if held.clear_since is not None:
        return held.clear_since + terms.keep
    return None


def elapse(held: Held, at: datetime) -> tuple[Held, Move]:
    """Make the move that is due at *at*."""
    if held.phase is Phase.PENDING:
        return Held(Phase.FIRING, since=at, severity=held.severity), Move.FIRED
    return QUIET, Move.RESOLVED


def _bad(held: Held, at: datetime, severity: int, terms: Terms) -> tuple[Held, Move | None]:
    if held.phase is Phase.QUIET:
        if not terms.wait:
            return Held(Phase.FIRING, since=at, severity=severity), Move.FIRED
        return Held(Phase.PENDING, since=at, severity=severity), None
    if held.severity == severity and held.clear_since is None:
        return held, None
    changed = replace(held, severity=severity, clear_since=None)
    if held.phase is Phase.FIRING and held.severity != severity:
        return changed, Move.CHANGED
    return changed, None
