"""The page as HTML: documents without scripts, light or dark as the reader has it, for phones and desks."""

import base64
import hashlib
import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache, partial
from importlib.resources import files
from itertools import groupby
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from streams.status_page import wording
from streams.status_page.maintenance import Maintenance
from streams.status_page.showing import Page, ShownIncident
from streams.status_page.uptime import Day

#: Incidents of the past that the page shows; the history, feeds and the API have more.
_PAST: Final = 15
_CSS: Final = files("streams.status_page").joinpath("page.css").read_text(encoding="utf-8")
#: What a policy for contents calls the style of the documents (Content Security Policy Level 3, hash sources).
STYLE: Final = f"sha256-{base64.b64encode(hashlib.sha256(_CSS.encode()).digest()).decode()}"


def html(page: Page, links: str = "status/") -> str:
    """Return *page* as a document; *links* to what stands below it begin so."""
    past = [each for each in page.incidents if each.over_at is not None]
    return _written(
        "page.html", page, links=links, past=past[:_PAST], told_days=_told_days, percent=_percent
    )


def history(page: Page, above: str, links: str = "") -> str:
    """Return the history of *page*, which stands at the link *above*, as a document."""
    happenings: list[ShownIncident | Maintenance] = [*page.incidents, *page.completed]
    happenings.sort(key=_began, reverse=True)
    months = [
        (month, [*each])
        for month, each in groupby(
            happenings, lambda one: f"{_began(one).astimezone(page.zone):%B %Y}"
        )
    ]
    return _written("history.html", page, links=links, above=above, months=months)


def unread() -> str:
    """Return what is shown before anybody knows what there is to show; it comes again by itself."""
    written: str = _environment().get_template("unread.html").render(style=_CSS)
    return written


def _written(name: str, page: Page, **told: Any) -> str:
    written: str = (
        _environment()
        .get_template(name)
        .render(
            page=page,
            said=wording,
            told=_told,
            clock=partial(wording.clock, zone=page.zone),
            # A reader who has it already is sent nothing for a minute in which nothing happens.
            as_of=(page.stale_since or page.at).replace(second=0, microsecond=0),
            style=_CSS,
            **told,
        )
    )
    return written


def _began(of: ShownIncident | Maintenance) -> datetime:
    return of.public.published_at if isinstance(of, ShownIncident) else of.starts_at


def _percent(part: float) -> str:
    """Return a percentage cut to two digits: what was down for a minute is never shown as 100."""
    return f"{math.floor(part * 100) / 100:.2f}"


def _told_days(days: Sequence[Day]) -> list[str]:
    """Return what there is to tell of the days, the latest first: for whoever sees no colours, or has no pointer."""
    return [_told(day) for day in reversed(days) if day.level not in {None, "operational"}]


def _told(day: Day) -> str:
    """Say how a day was."""
    lost = [
        f"{_span(span)} {what}"
        for span, what in ((day.major, "major outage"), (day.partial, "partial outage"))
        if span
    ]
    if day.level is None:
        how = "no data"
    elif day.level == "operational":
        how = "no downtime"
    else:
        how = ", ".join(lost) or wording.COMPONENT[day.level].lower()
    return f"{day.day:%b %-d, %Y}: {how}"


def _span(span: timedelta) -> str:
    minutes = max(1, round(span.total_seconds() / 60))
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours} h" if hours else "", f"{minutes} min" if minutes else ""]
    return " ".join(each for each in parts if each)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("streams.status_page", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
