"""Names of time zones, as settings of reports have them."""

from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator


def _known(name: str) -> str:
    if name not in available_timezones():
        message = "is no time zone: write it as Europe/Berlin or UTC"
        raise ValueError(message)
    return name


Zone = Annotated[str, AfterValidator(_known)]
