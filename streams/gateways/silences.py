"""Silences as seen from outside the hop that obeys them: make one, end one, look at what is muted."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from schemas.contract import Unreadable
from schemas.silences import SilenceV1
from schemas.topics import SILENCES
from streams.errors import TocsinError
from streams.gateways.looking import READ_WITHIN, read_all, reading
from streams.gateways.producer import Publisher
from streams.settings import Settings


class NoSilence(TocsinError):
    """There is no such silence, or it is over."""


@dataclass(frozen=True)
class Ending:
    """Who ends a silence, when, and why."""

    author: str
    at: datetime
    reason: str = ""


async def add(settings: Settings, silence: SilenceV1, *, source: str) -> None:
    """
    Make *silence*, or replace the one with its id.

    Raises:
        Unavailable: The broker did not confirm it.
    """
    async with Publisher(settings, source=source) as publisher:
        await publisher.send(SILENCES, silence)


async def current(
    settings: Settings, at: datetime, *, tenant: str | None = None, within: timedelta = READ_WITHIN
) -> list[SilenceV1]:
    """
    Return the silences that are not over at *at*, those that end first before the others.

    Raises:
        Unavailable: The broker does not answer in time.
    """
    latest: dict[bytes | None, SilenceV1] = {}

    def take(record: Any) -> None:
        if record.value is None:
            latest.pop(record.key, None)
            return
        try:
            latest[record.key] = SilenceV1.from_wire(record.value)
        except Unreadable:
            return  # A newer release may write what this one cannot read.

    async with reading(settings, [settings.topic(SILENCES.name)]) as consumer:
        await read_all(consumer, take, since=None, within=within)
    return sorted(
        (
            each
            for each in latest.values()
            if at < each.ends_at and (tenant is None or each.tenant == tenant)
        ),
        key=lambda each: (each.ends_at, each.silence_id),
    )


async def end(
    settings: Settings, silence_id: str, ending: Ending, *, tenant: str, source: str
) -> SilenceV1:
    """
    End a silence, and return it as it is now.

    Raises:
        NoSilence: There is none with that id that is not over.
        Unavailable: The broker does not answer.
    """
    known = await current(settings, ending.at, tenant=tenant)
    found = next((each for each in known if each.silence_id == silence_id), None)
    if found is None:
        ids = ", ".join(each.silence_id for each in known) or "none"
        message = (
            f"no silence {silence_id!r} of tenant {tenant} is in force or to come; there are {ids}"
        )
        raise NoSilence(message)
    over = ended(found, ending)
    await add(settings, over, source=source)
    return over


def ended(silence: SilenceV1, ending: Ending) -> SilenceV1:
    """Return *silence* as it is once it was ended; its reason says who did, and why."""
    why = f": {ending.reason}" if ending.reason else ""
    return silence.model_copy(
        update={
            "occurred_at": max(ending.at, silence.occurred_at),
            # One that had not begun ends before it could.
            "starts_at": min(silence.starts_at, ending.at - timedelta(milliseconds=1)),
            "ends_at": ending.at,
            "reason": f"{silence.reason} (ended by {ending.author}{why})"[:1_000],
        }
    )
