"""
What a notice says, in every form that a channel may need.

Templates are sandboxed, and see texts only as values. One that fails gives a plain message: silence is worse than plain words.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

from jinja2 import PackageLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup, escape

from schemas.notices import NoticeV1, Purpose

log = logging.getLogger(__name__)

SEVERITIES: Final = {1: "critical", 2: "high", 3: "medium", 4: "low"}

#: Forms and their templates' endings.
_FORMS: Final = {"text": "txt", "slack": "mrkdwn", "html": "html", "short": "short"}


@dataclass(frozen=True, slots=True)
class Message:
    """A notice in words."""

    #: One line: a subject, a headline.
    subject: str
    #: Plain text.
    text: str
    #: Slack's mrkdwn, its control characters escaped.
    slack: str
    #: An HTML fragment, escaped.
    html: str
    #: A text message.
    short: str


def render(notice: NoticeV1) -> Message:
    """Return what *notice* says."""
    words = _words(notice)
    forms: dict[str, str] = {}
    for form, ending in _FORMS.items():
        name = f"{notice.purpose}.{ending}"
        try:
            forms[form] = _environment(form).get_template(name).render(words).strip()
        except Exception as error:  # noqa: BLE001 - whatever a template does, somebody must be told
            log.error("template failed template=%s fault=%s", name, type(error).__name__)  # noqa: TRY400 - the trace would quote texts
            forms[form] = _plain(notice, form)
    return Message(subject=_subject(notice), **forms)


def duration(span: timedelta) -> str:
    """Return *span* as people say it: ``3 h 5 min``, ``45 s``."""
    seconds = max(int(span.total_seconds()), 0)
    days, seconds = divmod(seconds, 86_400)
    hours, seconds = divmod(seconds, 3_600)
    minutes, seconds = divmod(seconds, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")]
    said = [f"{number} {unit}" for number, unit in parts if number]
    return " ".join(said[:2]) or "0 s"


def _words(notice: NoticeV1) -> dict[str, Any]:
    incident = notice.incident
    ended = incident.resolved_at or incident.occurred_at
    return {
        "id": incident.incident_id,
        "channel": f"#incident-{incident.incident_id.removeprefix('INC-')}",
        "severity": SEVERITIES[incident.severity].upper(),
        "summary": incident.summary,
        "impact": incident.impact or "not stated yet",
        "assigned": incident.assigned_to or "unassigned",
        "status": str(incident.status).capitalize(),
        "service": incident.service,
        "services": ", ".join(incident.services) or incident.service,
        "update": notice.update,
        "at": _clock(notice.occurred_at),
        "next_update": _clock(notice.next_update_at) if notice.next_update_at else "none planned",
        "duration": duration(ended - incident.started_at - incident.time_resolved),
        "root_cause": incident.root_cause or "under investigation",
        "resolution": incident.resolution or "not stated yet",
        "runbook": incident.runbook or "",
        "drill": incident.drill,
    }


def _subject(notice: NoticeV1) -> str:
    incident = notice.incident
    what = {
        Purpose.INITIAL: "INCIDENT DETECTED",
        Purpose.UPDATE: "STATUS UPDATE",
        Purpose.RESOLUTION: "INCIDENT RESOLVED",
    }[notice.purpose]
    severity = SEVERITIES[incident.severity].upper()
    drill = "[DRILL] " if incident.drill else ""
    # A header is one line, whatever a summary holds.
    summary = " ".join(incident.summary.split())
    return f"{drill}{what} - {severity}: {incident.incident_id} {summary}"


def _plain(notice: NoticeV1, form: str) -> str:
    text = f"{_subject(notice)}\n{notice.update}".strip()
    if form == "html":
        return str(Markup("<p>%s</p>") % text)
    return slack_escaped(text) if form == "slack" else text


def _clock(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def slack_escaped(text: str) -> str:
    """Return *text* without Slack's three control characters: with them it could mention everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _html_escaped(value: Any) -> str:
    return str(escape(str(value)))


def _slack(value: Any) -> str:
    return slack_escaped(str(value))


@cache
def _environment(form: str) -> ImmutableSandboxedEnvironment:
    escaping: dict[str, Callable[[Any], str]] = {"html": _html_escaped, "slack": _slack}
    return ImmutableSandboxedEnvironment(
        loader=PackageLoader("streams.notifications"),
        undefined=StrictUndefined,
        finalize=escaping.get(form, str),
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
