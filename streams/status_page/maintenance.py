"""Scheduled maintenance, of the windows that were made with a title for people outside."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from schemas.silences import SilenceV1
from streams.matchers import predicate

#: A window that was called off before it began has less.
_SHORTEST: Final = timedelta(seconds=1)
_SERVICE: Final = "service"


@dataclass(frozen=True)
class Maintenance:
    """One maintenance window, as people outside know it."""

    silence_id: str
    title: str
    components: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime
    changed_at: datetime
    #: ``scheduled``, ``in_progress`` or ``completed``.
    status: str

    @property
    def turns(self) -> tuple[tuple[str, datetime], ...]:
        """The statuses that it has had up to now, with when each began: the latest first."""
        # It may have been put off, or prolonged, while it was under way.
        every = (
            ("completed", self.ends_at),
            ("in_progress", self.starts_at),
            ("scheduled", min(self.changed_at, self.starts_at)),
        )
        return every[[status for status, _ in every].index(self.status) :]

    @property
    def updated_at(self) -> datetime:
        """When something about it last changed."""
        if self.status == "completed":
            return self.ends_at
        return max(self.changed_at, self.turns[0][1])


def maintenance_of(
    silence: SilenceV1, of_services: Mapping[str, tuple[str, ...]], at: datetime
) -> Maintenance | None:
    """Return the maintenance that *silence* is at *at*; None where people outside are told of none."""
    if not silence.maintenance or not silence.title:
        return None
    if silence.ends_at - silence.starts_at < _SHORTEST:
        return None
    about = [each for each in silence.matchers if each.label == _SERVICE]
    try:
        holds = predicate(about, ())
    except ValueError:
        holds = None  # An expression that nobody can read mutes nothing either.
    shown = dict.fromkeys(
        component
        for service, components in of_services.items()
        if holds is not None and holds(_Service({_SERVICE: service}))
        for component in components
    )
    status = "scheduled" if at < silence.starts_at else "in_progress"
    return Maintenance(
        silence.silence_id,
        silence.title,
        tuple(shown),
        silence.starts_at,
        silence.ends_at,
        silence.occurred_at,
        "completed" if at >= silence.ends_at else status,
    )


@dataclass(frozen=True)
class _Service:
    labels: Mapping[str, str]
