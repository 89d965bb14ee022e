"""
Datadog's webhooks integration: its default payload, and any that names Datadog's variables in small letters.

Source: Datadog documentation, "Webhooks". README.md beside this file has a payload that tells everything there is to tell.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, Literal

from pydantic import ConfigDict

from schemas.contract import Unreadable
from schemas.telemetry import Signal
from streams.telemetry.documents import Part, read_document
from streams.telemetry.external import AlertFormat, Told, digest, first_of, shown
from streams.telemetry.format import Names
from streams.telemetry.moments import from_any_unit
from streams.telemetry.payload import Payload

_PRIORITIES: Final = ("P1", "P2", "P3", "P4", "P5")
#: Of a warning and of missing data too, Datadog says "recovered".
_OVER: Final = re.compile(r"\brecovered\b|^success$|^ok$", re.IGNORECASE)

_Text = str | int | None


class _Event(Part):
    id: _Text = None
    title: str | None = None
    alert_title: str | None = None
    body: str | None = None
    text_only_msg: str | None = None
    alert_id: _Text = None
    alert_scope: str | None = None
    alert_transition: str | None = None
    alert_type: str | None = None
    alert_priority: str | None = None
    alert_cycle_key: _Text = None
    aggreg_key: _Text = None
    priority: str | None = None
    # Datadog leaves what it does not know as it is: ``$LAST_UPDATED``.
    date: int | str | None = None
    last_updated: int | str | None = None
    link: str | None = None
    tags: str | list[str] | None = None
    hostname: str | None = None


class Datadog(AlertFormat):
    """Reads one notification of a monitor; the monitor and its scope are the alert's identity."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"service": ["service"], "environment": ["env"]}]}
    )

    kind: Literal["datadog"] = "datadog"
    service: Names = ("service", "kube_service", "app")
    """Tags that name the service: the first that is there."""

    def recognises(self, payload: Payload) -> bool:
        """Whether *payload* is a notification of Datadog."""
        return shown(payload, "alert_transition") or shown(
            payload, "event_type", "title", "last_updated", "date"
        )

    def read(self, payload: Payload) -> Sequence[Signal]:
        """
        Return the alert of *payload*.

        Raises:
            Unreadable: It is no such notification.
        """
        told = read_document(_Event, payload.body, lax=True)
        priority, happened, scope, title = _parts(told.title or told.alert_title or "")
        transition = _known(told.alert_transition) or happened or _known(told.alert_type)
        if not transition:
            message = "alert_transition: is missing, and the title does not begin with it"
            raise Unreadable(message)
        updated, date = _moment(told.last_updated, "last_updated"), _moment(told.date, "date")
        labels = dict(_tags(told))
        scoped = (_known(told.alert_id), _known(told.alert_scope))
        alert = self.alert(
            "event",
            Told(
                alert_id=(
                    "/".join(filter(None, scoped))
                    if scoped[0]
                    else _known(told.aggreg_key)
                    or _known(told.alert_cycle_key)
                    or digest([("title", title), ("scope", scope)])
                ),
                firing=not _OVER.search(transition),
                at=first_of(updated, date, payload.arrived, place="last_updated"),
                labels=labels,
                summary=title,
                description=_known(told.text_only_msg) or _known(told.body),
                url=told.link,
                severity=(told.alert_priority, priority, told.priority, told.alert_type),
                signal_id=_known(told.id),
            ),
        )
        return (alert,)


def _known(value: _Text) -> str:
    """Return *value* unless Datadog had none: it leaves variables empty, as they are, or says null."""
    text = "" if value is None else str(value)
    return "" if text == "null" or text.startswith("$") else text


def _parts(title: str) -> tuple[str, str, str, str]:
    """
    Return what *title* tells, as far as it does: priority, what happened, to what, and the monitor's own title.

    Datadog writes ``[P2] [Triggered on {host:web-1}] CPU is high``.
    """
    first, rest = _bracketed(title)
    priority = first if first in _PRIORITIES else ""
    said, rest = _bracketed(rest) if priority else (first, rest)
    happened, _, scope = said.partition(" on ")
    return priority, happened.strip(), scope, rest


def _bracketed(text: str) -> tuple[str, str]:
    """Return what stands in the brackets with which *text* begins, and what comes after them."""
    text = text.strip()
    end = text.find("]") if text.startswith("[") else -1
    if "{" in text[: max(end, 0)]:
        # A scope can have brackets of its own.
        end = max(end, text.find("}]") + 1)
    return (text[1:end], text[end + 1 :].strip()) if end > 0 else ("", text)


def _moment(value: _Text, field: str) -> datetime | None:
    text = _known(value)
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()):
        raise Unreadable(f"{field}: must be a number of milliseconds")
    return from_any_unit(int(text[:20]), field)


def _tags(told: _Event) -> Iterator[tuple[str, str]]:
    tags = told.tags if isinstance(told.tags, list) else (told.tags or "").split(",")
    for tag in tags:
        name, _, value = tag.strip().partition(":")
        if name and value:
            yield name, value
    if _known(told.hostname):
        yield "host", _known(told.hostname)
