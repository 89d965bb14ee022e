"""The page as HTML: one file without scripts, light or dark as the reader has it, for phones and desks."""

import math
from datetime import timedelta
from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from streams.status_page import wording
from streams.status_page.showing import Page
from streams.status_page.uptime import Day

#: Incidents of the past that the page shows; feeds and the API have more.
_HISTORY: Final = 15


def html(page: Page) -> str:
    """Return *page* as a document."""
    past = [each for each in page.incidents if each.over_at is not None]
    written: str = _template().render(
        page=page, past=past[:_HISTORY], said=wording, told=_told, percent=_percent
    )
    return written


def _percent(part: float) -> str:
    """Return a percentage cut to two digits: what was down for a minute is never shown as 100."""
    return f"{math.floor(part * 100) / 100:.2f}"


def _told(day: Day) -> str:
    """Say how a day was."""
    if day.level is None:
        return f"{day.day:%b %-d, %Y}: no data"
    lost = [
        f"{_span(span)} {what}"
        for span, what in ((day.major, "major outage"), (day.partial, "partial outage"))
        if span
    ]
    how = ", ".join(lost) or (
        "no downtime" if day.level == "operational" else wording.COMPONENT[day.level].lower()
    )
    return f"{day.day:%b %-d, %Y}: {how}"


def _span(span: timedelta) -> str:
    minutes = max(1, round(span.total_seconds() / 60))
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours} h" if hours else "", f"{minutes} min" if minutes else ""]
    return " ".join(each for each in parts if each)


@cache
def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("streams.status_page", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html")
