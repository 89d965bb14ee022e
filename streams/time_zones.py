"""Names of time zones, wherever a policy has one."""

from functools import cache
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator

from streams.policy_faults import meant


@cache
def zone(name: str) -> ZoneInfo:
    """
    Return the time zone called *name*.

    Raises:
        ValueError: There is none.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        hint = meant(name, available_timezones(), "write one such as Europe/Berlin")
        message = f"is no time zone; {hint}"
        raise ValueError(message) from None


def _named(name: str) -> str:
    zone(name)
    return name


ZoneName = Annotated[str, AfterValidator(_named)]
