"""What routes know of schedules: who is on duty at a moment, why, and through which channels that person is reached."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple


class OnDuty(NamedTuple):
    """Whoever is on duty in a schedule."""

    person: str
    channels: tuple[str, ...]
    reason: str
    """Why it is this person, such as ``ada is on call in primary by layer 1``."""


#: Answers who is on duty in a schedule at a moment; None where nobody is.
Duty = Callable[[str, datetime], OnDuty | None]


def nobody(schedule: str, at: datetime) -> OnDuty | None:
    """Answer that nobody is on duty: there are no schedules."""
    del schedule, at
    return None
