"""
The page as feeds: an entry for each incident and maintenance, which changes whenever something is said.

Sources: RSS 2.0 specification (channel: title, link, description; item: guid, pubDate); RFC 4287 (Atom), sections 4.1.1 and 4.1.2: id, title,
updated, and an author of the feed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from html import escape
from xml.etree import ElementTree as ET

from streams.status_page import wording
from streams.status_page.showing import Page

_ATOM = "http://www.w3.org/2005/Atom"


@dataclass(frozen=True)
class _Entry:
    anchor: str
    title: str
    published_at: datetime
    updated_at: datetime
    #: HTML.
    content: str


def rss(page: Page, address: str) -> bytes:
    """Return *page*, which people find at *address*, as RSS 2.0."""
    feed = ET.Element("rss", {"version": "2.0", "xmlns:atom": _ATOM})
    channel = ET.SubElement(feed, "channel")
    _text(channel, "title", f"{page.name} Status")
    _text(channel, "link", address)
    _text(channel, "description", f"Incidents and maintenance of {page.name}")
    _text(channel, "lastBuildDate", format_datetime(page.updated_at.astimezone(UTC)))
    itself = {"href": f"{address}/history.rss", "rel": "self", "type": "application/rss+xml"}
    ET.SubElement(channel, "atom:link", itself)
    for entry in _entries(page):
        item = ET.SubElement(channel, "item")
        _text(item, "title", entry.title)
        _text(item, "link", f"{address}#{entry.anchor}")
        _text(item, "guid", f"{address}#{entry.anchor}")
        _text(item, "pubDate", format_datetime(entry.published_at.astimezone(UTC)))
        _text(item, "description", entry.content)
    return _document(feed)


def atom(page: Page, address: str) -> bytes:
    """Return *page*, which people find at *address*, as Atom."""
    feed = ET.Element("feed", {"xmlns": _ATOM, "xml:lang": "en"})
    _text(feed, "id", address)
    _text(feed, "title", f"{page.name} Status")
    _text(feed, "updated", page.updated_at.isoformat())
    ET.SubElement(feed, "link", {"rel": "alternate", "type": "text/html", "href": address})
    itself = {"rel": "self", "type": "application/atom+xml", "href": f"{address}/history.atom"}
    ET.SubElement(feed, "link", itself)
    _text(ET.SubElement(feed, "author"), "name", page.name)
    for entry in _entries(page):
        item = ET.SubElement(feed, "entry")
        _text(item, "id", f"{address}#{entry.anchor}")
        _text(item, "title", entry.title)
        _text(item, "published", entry.published_at.isoformat())
        _text(item, "updated", entry.updated_at.isoformat())
        ET.SubElement(item, "link", {"rel": "alternate", "href": f"{address}#{entry.anchor}"})
        ET.SubElement(item, "content", {"type": "html"}).text = entry.content
    return _document(feed)


def _entries(page: Page) -> Iterator[_Entry]:
    entries = [*_of_incidents(page), *_of_maintenance(page)]
    yield from sorted(entries, key=lambda each: (each.updated_at, each.anchor), reverse=True)


def _of_incidents(page: Page) -> Iterator[_Entry]:
    for incident in page.incidents:
        said = "".join(
            f"<p><small>{wording.clock(update.published_at, page.zone)}</small><br>"
            f"<strong>{update.status.capitalize()}</strong> - {_lines(update.message)}</p>"
            for update in incident.updates
        )
        yield _Entry(
            wording.anchor(incident),
            incident.public.title,
            incident.public.published_at,
            incident.updated_at,
            said,
        )


def _of_maintenance(page: Page) -> Iterator[_Entry]:
    for each in (*page.maintenance, *page.completed):
        what = f" ({escape(', '.join(each.components))})" if each.components else ""
        said = (
            f"<p>{wording.period(each.starts_at, each.ends_at, page.zone)}{what}: "
            f"{wording.MAINTENANCE[each.status]}</p>"
        )
        title = f"Scheduled maintenance: {each.title}"
        published_at = each.turns[-1][1]
        yield _Entry(wording.anchor(each), title, published_at, each.updated_at, said)


def _lines(text: str) -> str:
    return "<br>".join(escape(line) for line in _legal(text).splitlines())


def _text(parent: ET.Element, tag: str, text: str) -> None:
    ET.SubElement(parent, tag).text = _legal(text)


def _legal(text: str) -> str:
    """Return *text* without what XML 1.0 has no place for (section 2.2)."""
    return "".join(
        each
        for each in text
        if each in "\t\n\r"
        or " " <= each <= "\ud7ff"
        or "\ue000" <= each <= "\ufffd"
        or each > "\uffff"
    )


def _document(root: ET.Element) -> bytes:
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written
