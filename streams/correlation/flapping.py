"""Flapping: an alert that comes and goes too often counts as firing until it is quiet."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from streams.correlation.settings import Flapping


class Beat(NamedTuple):
    """The beginnings and ends of one alert, as far as they count, and whether it flaps."""

    times: tuple[datetime, ...] = ()
    flaps: bool = False


def beaten(beat: Beat, at: datetime, settings: Flapping) -> Beat:
    """Return *beat* after one more beginning or end at *at*."""
    if not beat.times:
        return Beat((at,), beat.flaps)
    since = at - settings.within
    # No more than show that it flaps, and when it was last seen to.
    times = (*(each for each in beat.times if each > since), at)[-settings.more_than - 1 :]
    return Beat(times, beat.flaps or len(times) > settings.more_than)


def quiet(times: Sequence[datetime], at: datetime, settings: Flapping) -> bool:
    """Whether an alert with these beginnings and ends has been quiet for long enough at *at*."""
    return not times or at - times[-1] >= settings.within
