"""
Datadog's webhooks integration: its default payload, and any that names Datadog's variables in small letters.

Source: Datadog documentation, "Webhooks". README.md beside this file has a payload that tells everything there is to tell.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final, Literal

from pydantic import ConfigDict

from schemas.contract import Unreadable
from schemas.telemetry import Signal
from streams.telemetry.documents import Part, read_document
from streams.telemetry.external import AlertFormat, Told, digest, first_of, shown
from streams.telemetry.format import Names
from streams.telemetry.moments import from_any_unit
from streams.telemetry.payload import Payload

#: Datadog begins titles with what happened: ``[Triggered on {host:web-1}] CPU is high``.
_TITLE: Final = re.compile(r"^\s*(?:\[(?P<happened>[^\]]*)\]\s*)?(?P<rest>.*)$", re.DOTALL)
_OVER: Final = ("recovered", "success")

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
    date: int | None = None
    last_updated: int | None = None
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
        titled = _TITLE.match(told.title or told.alert_title or "")
        happened, title = (titled["happened"], titled["rest"]) if titled else (None, "")
        transition = _known(told.alert_transition) or happened or _known(told.alert_type)
        if not transition:
            message = "alert_transition: is missing, and the title does not begin with it"
            raise Unreadable(message)
        at = told.last_updated or told.date
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
                    or digest([("title", title)])
                ),
                firing=not transition.lower().startswith(_OVER),
                at=first_of(
                    from_any_unit(at, "last_updated" if told.last_updated else "date")
                    if at
                    else None,
                    payload.arrived,
                    place="last_updated",
                ),
                labels=labels,
                summary=title,
                description=_known(told.text_only_msg) or _known(told.body),
                url=told.link,
                severity=(told.alert_priority, told.priority, told.alert_type),
                signal_id=_known(told.id),
            ),
        )
        return (alert,)


def _known(value: _Text) -> str:
    """Return *value* unless Datadog had none: it leaves variables empty, as they are, or says null."""
    text = "" if value is None else str(value)
    return "" if text == "null" or text.startswith("$") else text


def _tags(told: _Event) -> Iterator[tuple[str, str]]:
    tags = told.tags if isinstance(told.tags, list) else (told.tags or "").split(",")
    for tag in tags:
        name, _, value = tag.strip().partition(":")
        if name and value:
            yield name, value
    if _known(told.hostname):
        yield "host", _known(told.hostname)
