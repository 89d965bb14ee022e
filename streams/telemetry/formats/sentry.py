"""
Webhooks of Sentry's integration platform: issues, issue alerts and metric alerts.

Source: Sentry documentation, "Integration Platform: Webhooks". An issue alert only ever fires; the issue's own webhook resolves
it, so both have the issue as their identity.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from pydantic import ConfigDict

from schemas.contract import Unreadable
from schemas.telemetry import Signal
from streams.telemetry.documents import Part, read_document
from streams.telemetry.external import AlertFormat, Told, first_of, shown
from streams.telemetry.format import Names
from streams.telemetry.moments import from_any_unit, from_text
from streams.telemetry.payload import Payload

_PROJECT: Final = re.compile(r"/projects/[^/]+/([^/]+)/")
#: What happens to an issue; whatever else happens to it, such as an assignment, changes no alert.
_ISSUE: Final[Mapping[str, bool]] = {
    "created": True,
    "unresolved": True,
    "resolved": False,
    "archived": False,
    "ignored": False,
}
_METRIC: Final[Mapping[str, bool]] = {"critical": True, "warning": True, "resolved": False}


class _Project(Part):
    slug: str


class _Issue(Part):
    id: str
    title: str
    project: _Project
    last_seen: str | None = msgspec.field(name="lastSeen", default=None)
    level: str | None = None
    priority: str | None = None
    culprit: str | None = None
    permalink: str | None = None
    web_url: str | None = None
    short_id: str | None = msgspec.field(name="shortId", default=None)


class _Event(Part):
    issue_id: str
    title: str
    datetime: str | None = None
    url: str = ""
    web_url: str | None = None
    level: str | None = None
    culprit: str | None = None
    environment: str | None = None
    tags: tuple[tuple[str, str | None], ...] = ()


class _AlertRule(Part):
    name: str = ""
    environment: str | None = None


class _MetricAlert(Part):
    id: str
    alert_rule: _AlertRule
    projects: tuple[str, ...] = ()
    date_created: str | None = None
    date_started: str | None = None
    date_closed: str | None = None


class _Data(Part):
    issue: _Issue | None = None
    event: _Event | None = None
    metric_alert: _MetricAlert | None = None
    activity: Any = None
    triggered_rule: str = ""
    description_title: str = ""
    description_text: str = ""
    web_url: str | None = None


class _Webhook(Part):
    action: str
    data: _Data


class Sentry(AlertFormat):
    """Reads one webhook; its project is the service."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"service": ["service", "project"], "source": "sentry-eu"}]}
    )

    kind: Literal["sentry"] = "sentry"
    service: Names = ("service", "project")
    """Tags that name the service: the first that is there; ``project`` is Sentry's project."""

    def recognises(self, payload: Payload) -> bool:
        """Whether *payload* is a webhook of Sentry."""
        return "sentry-hook-resource" in payload.headers or shown(
            payload, "action", "data", "installation"
        )

    def read(self, payload: Payload) -> Sequence[Signal]:
        """
        Return the alert of *payload*; nothing where it tells of something else.

        Raises:
            Unreadable: It is no such webhook.
        """
        told = read_document(_Webhook, payload.body)
        data = told.data
        if data.metric_alert is not None:
            if told.action not in _METRIC:
                raise Unreadable(f"action: must be {' or '.join(_METRIC)}")
            return (self._metric_alert(payload, told, data.metric_alert),)
        if told.action == "triggered":
            if data.activity is not None:
                return ()  # What Sentry's own helper does about an issue.
            if data.event is None:
                raise Unreadable("data.event: is missing")
            return (self._event(payload, told, data.event),)
        if data.issue is not None and told.action in _ISSUE:
            return (self._issue(payload, told, data.issue),)
        return ()

    def kept_with(self, signal: Signal) -> str:
        """Return the project of *signal*: that an issue is over is said without the tags with which it fired."""
        return signal.labels.get("project", signal.service)

    def _issue(self, payload: Payload, told: _Webhook, issue: _Issue) -> Signal:
        place = "data.issue"
        seen = from_text(issue.last_seen, f"{place}.lastSeen") if issue.last_seen else None
        firing = _ISSUE[told.action]
        sent = _sent(payload)
        return self.alert(
            place,
            Told(
                alert_id=f"issue/{issue.id}",
                firing=firing,
                # When it was last seen says nothing of when somebody resolved it.
                at=first_of(*((seen, sent) if firing else (sent, seen)), place=f"{place}.lastSeen"),
                labels={
                    name: value
                    for name, value in (
                        ("project", issue.project.slug),
                        ("issue", issue.short_id),
                        ("level", issue.level),
                        ("priority", issue.priority),
                    )
                    if value
                },
                summary=issue.title,
                description=issue.culprit or "",
                url=issue.web_url or issue.permalink,
            ),
        )

    def _event(self, payload: Payload, told: _Webhook, event: _Event) -> Signal:
        place = "data.event"
        at = from_text(event.datetime, f"{place}.datetime") if event.datetime else None
        found = _PROJECT.search(event.url)
        labels = {name: value for name, value in event.tags if value}
        labels |= {
            name: value
            for name, value in (
                ("project", found and found[1]),
                ("environment", event.environment),
                ("level", event.level),
                ("rule", told.data.triggered_rule),
            )
            if value
        }
        return self.alert(
            place,
            Told(
                alert_id=f"issue/{event.issue_id}",
                firing=True,
                at=first_of(at, _sent(payload), place=f"{place}.datetime"),
                labels=labels,
                summary=event.title,
                description=event.culprit or "",
                url=event.web_url,
            ),
        )

    def _metric_alert(self, payload: Payload, told: _Webhook, alert: _MetricAlert) -> Signal:
        place = "data.metric_alert"
        firing = _METRIC[told.action]
        named = ("date_started", "date_created") if firing else ("date_closed",)
        dates = [(name, getattr(alert, name)) for name in named]
        moments = [from_text(date, f"{place}.{name}") for name, date in dates if date]
        began = (
            from_text(alert.date_created, f"{place}.date_created") if alert.date_created else None
        )
        return self.alert(
            place,
            Told(
                alert_id=f"metric_alert/{alert.id}",
                firing=firing,
                at=first_of(*moments, _sent(payload), began, place=f"{place}.date_created"),
                labels={
                    name: value
                    for name, value in (
                        ("project", ",".join(sorted(alert.projects))),
                        ("environment", alert.alert_rule.environment),
                        ("rule", alert.alert_rule.name),
                    )
                    if value
                },
                summary=told.data.description_title or alert.alert_rule.name,
                description=told.data.description_text,
                url=told.data.web_url,
                severity=(told.action,),
            ),
        )


def _sent(payload: Payload) -> datetime | None:
    """Return when Sentry sent *payload*, as its header or the record's time says."""
    text = payload.header("sentry-hook-timestamp")
    if text.isascii() and text.isdigit():
        return from_any_unit(int(text[:20]), "sentry-hook-timestamp")
    return payload.arrived
