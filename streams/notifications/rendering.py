"""
What a notice says, in every form that a channel may need.

Texts of an incident are only ever values: templates are sandboxed, values are stripped of control characters, escaped for their form and
cut to what the form has room for. A template that fails gives a plain message: silence is worse than plain words.
The policy can bring templates of its own (`wording.py`).
"""

import hashlib
import logging
import unicodedata
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import accumulate
from typing import Any, Final

from jinja2 import PackageLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup, escape

from schemas.lifecycle import StepKind
from schemas.notices import NoticeV1, Purpose
from schemas.public import PublicStatus
from streams.notifications.wording import Wording

log = logging.getLogger(__name__)

SEVERITIES: Final = {1: "critical", 2: "high", 3: "medium", 4: "low"}

#: Characters of what a template of the policy makes, escaped.
MESSAGE_LENGTH: Final = 64_000
#: Where the policy brings no templates.
OUR_WORDS: Final[Mapping[Purpose, Wording]] = {}

#: Services that a message names; the rest is counted.
_SERVICES_NAMED: Final = 10
#: Characters of an incident in a digest.
_DIGEST_LINE: Final = 300
#: They reverse what a reader sees (Unicode TR 36): a text could look like another.
_REORDERING: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
#: What the initial message is told for, where that is not the beginning: a mark, and what happened at its time.
_AGAIN: Final = {
    StepKind.REOPENED: ("REOPENED", "Reopened"),
    StepKind.SEVERITY_CHANGED: ("RAISED", "Raised"),
    StepKind.ESCALATED: ("ESCALATED", "Escalated"),
    StepKind.HANDED_OVER: ("HANDED OVER", "Handed over"),
}
_HEADLINES: Final = {
    Purpose.INITIAL: "INCIDENT DETECTED",
    Purpose.UPDATE: "STATUS UPDATE",
    Purpose.RESOLUTION: "INCIDENT RESOLVED",
    Purpose.SEVERITY: "SEVERITY CHANGED",
    Purpose.ESCALATION: "ESCALATED",
    Purpose.AT_RISK: "DEADLINE AT RISK",
    Purpose.HANDOVER: "HANDOVER",
    Purpose.REMINDER: "STILL OPEN",
    Purpose.PUBLIC: "SERVICE UPDATE",
}


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
    #: How many incidents it tells of; none where a shift is handed over.
    about: int = 1


@dataclass(frozen=True, slots=True)
class _Form:
    """How values get into one form."""

    ending: str
    escaped: Callable[[str], str]
    #: Puts a text, which can have several lines, into the shape that the form has.
    shaped: Callable[[str], str]
    #: Characters of a line and of a text, escaped.
    line: int
    text: int


def slack_escaped(text: str) -> str:
    """Return *text* without Slack's three control characters: with them it could mention everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _html_escaped(text: str) -> str:
    return str(escape(text))


def render(notice: NoticeV1, wordings: Mapping[Purpose, Wording] = OUR_WORDS) -> Message:
    """Return what *notice* says; *wordings* are the policy's own templates."""
    if notice.shift is not None:
        return _of_a_shift(notice)
    wording = wordings.get(notice.purpose)
    forms = {
        name: _instead(
            notice, _form(notice, name, getattr(wording, name) if wording else None), form
        )
        for name, form in _FORMS.items()
    }
    if wording is None or wording.subject is None:
        return _message(_subject(notice), forms)
    subject = one_line(_form(notice, "text", wording.subject, plain=_subject(notice)))
    return _message(subject or _subject(notice), forms)


def _of_a_shift(notice: NoticeV1) -> Message:
    """Return what is said of a handover by itself. The policy's words are about an incident, and there is none."""
    forms = {}
    for name, form in _FORMS.items():
        text = form.shaped(f"{_subject(notice)}\n\n{notice.update}")
        escaped = form.escaped(_fitted(text, form.text, form))
        if name == "html":
            escaped = f'<p style="white-space: pre-line">{escaped}</p>'
        forms[name] = _instead(notice, escaped, form)
    return _message(_subject(notice), forms, about=0)


def _instead(notice: NoticeV1, said: str, form: _Form) -> str:
    """Return what was *said* with why it comes this way, where another channel was to say it."""
    # Names of channels are nothing for people outside.
    if not notice.instead_of or form.ending == "short" or notice.purpose is Purpose.PUBLIC:
        return said
    why = form.escaped(
        one_line(f"Sent here because {', '.join(notice.instead_of)} did not take it.")
    )
    return f"{said}\n<p>{why}</p>" if form.ending == "html" else f"{said}\n\n{why}"


def _form(notice: NoticeV1, name: str, source: str | None, plain: str | None = None) -> str:
    """Return *notice* in one form, by the policy's *source* or by our template; *plain* is said where that fails."""
    form = _FORMS[name]
    template = f"{notice.purpose}.{form.ending}"
    try:
        environment = _environment(name)
        words = _words(notice, form)
        if source is None:
            return environment.get_template(template).render(words).strip()
        return _bounded(environment.from_string(source).generate(words))
    except Exception as error:  # noqa: BLE001 - whatever a template does, somebody must be told
        whose = "" if source is None else " of the policy"
        log.error("template failed template=%s%s fault=%s", template, whose, type(error).__name__)  # noqa: TRY400 - the trace would quote texts
        return _plain(notice, form) if plain is None else plain


class TooLong(ValueError):
    """A template of the policy made more than any receiver takes."""


def _bounded(pieces: Iterable[str]) -> str:
    made, room = [], MESSAGE_LENGTH
    for piece in pieces:
        made.append(piece)
        room -= len(piece)
        if room < 0:
            raise TooLong
    said = "".join(made).strip()
    if not said:
        # Nothing would reach anybody.
        message = "the template made nothing"
        raise ValueError(message)
    return said


def digest(notices: Sequence[NoticeV1]) -> Message:
    """Return what is said of several incidents at once, the worst first."""
    ordered = sorted(notices, key=lambda each: each.incident.severity)
    counts = Counter(SEVERITIES[each.incident.severity].upper() for each in ordered)
    said = ", ".join(f"{count} {severity}" for severity, count in counts.items())
    head = f"{len(notices)} MESSAGES IN ONE - {said}"
    forms = {}
    for name, form in _FORMS.items():
        lines = [_digest_line(each, form) for each in ordered]
        if name == "html":
            rows = "".join(f"<li>{line}</li>\n" for line in lines)
            forms[name] = f"<h2>{form.escaped(head)}</h2>\n<ul>\n{rows}</ul>"
        else:
            forms[name] = ("; " if name == "short" else "\n").join([form.escaped(head), *lines])
    return _message(head, forms, about=len(notices))


def _message(subject: str, forms: Mapping[str, str], about: int = 1) -> Message:
    return Message(subject, forms["text"], forms["slack"], forms["html"], forms["short"], about)


def together(notices: Sequence[NoticeV1]) -> NoticeV1:
    """Return the notice that a digest of *notices*, all for one channel, is sent as: the worst, but part of no incident's thread."""
    ids = "\n".join(each.notice_id for each in notices)
    name = f"digest/{hashlib.sha256(ids.encode()).hexdigest()[:32]}"
    worst = min(notices, key=lambda each: each.incident.severity)
    return worst.model_copy(
        update={
            "notice_id": name,
            "incident_id": name,
            "step": StepKind.OPENED,
            "purpose": Purpose.UPDATE,
        }
    )


def _digest_line(notice: NoticeV1, form: _Form) -> str:
    incident = notice.incident
    what = f"{_HEADLINES[notice.purpose]}: {incident.incident_id}"
    severity = SEVERITIES[incident.severity].upper()
    drill = " DRILL" if incident.drill else ""
    text = f"{severity} {what}{drill} {one_line(incident.summary)}"
    return form.escaped(_fitted(text, _DIGEST_LINE, form))


def standing(notice: NoticeV1) -> NoticeV1:
    """Return what the first message about the incident would say now."""
    if notice.purpose is Purpose.PUBLIC:
        return notice
    incident = notice.incident
    over = incident.resolved_at is not None
    return notice.model_copy(
        update={
            "purpose": Purpose.INITIAL,
            "step": StepKind.OPENED,
            "occurred_at": incident.detected_at,
            "next_update_at": None if over else notice.next_update_at,
        }
    )


def duration(span: timedelta) -> str:
    """Return *span* as people say it: ``3 h 5 min``, ``45 s``."""
    seconds = max(int(span.total_seconds()), 0)
    days, seconds = divmod(seconds, 86_400)
    hours, seconds = divmod(seconds, 3_600)
    minutes, seconds = divmod(seconds, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")]
    said = [f"{number} {unit}" for number, unit in parts if number]
    return " ".join(said[:2]) or "0 s"


def one_line(text: str) -> str:
    """Return *text* as one line without control characters: a value can begin no line, and no header."""
    return " ".join(_harmless(text).split())


def paragraphs(text: str) -> str:
    """Return *text* without control characters except the ends of its lines."""
    return "\n".join(_harmless(line).rstrip() for line in text.strip().splitlines())


def _harmless(text: str) -> str:
    return "".join(
        # Cc: control characters, Cs: halves of characters, Zl and Zp: ends of lines.
        " " if unicodedata.category(each) in {"Cc", "Cs", "Zl", "Zp"} else each
        for each in text
        if each not in _REORDERING
    )


_FORMS: Final[Mapping[str, _Form]] = {
    "text": _Form("txt", str, paragraphs, 2_000, 16_000),
    # A section has 3000 characters, and the last line must still be in it.
    "slack": _Form("mrkdwn", slack_escaped, paragraphs, 400, 1_000),
    "html": _Form("html", _html_escaped, paragraphs, 10_000, 80_000),
    "short": _Form("short", str, one_line, 160, 160),
}


def _words(notice: NoticeV1, form: _Form) -> dict[str, Any]:
    incident = notice.incident
    ended = incident.resolved_at or incident.occurred_at
    runbook = one_line(incident.runbook or "")
    mark, happened = _AGAIN.get(notice.step, ("", "Detected"))
    lines = {
        "id": incident.incident_id,
        "severity": SEVERITIES[incident.severity].upper(),
        "summary": incident.summary,
        "impact": incident.impact or "not stated yet",
        "assigned": incident.assigned_to or "unassigned",
        "status": str(incident.status).capitalize(),
        "service": incident.service,
        "environment": incident.environment,
        "owner": incident.owner or "nobody",
        "tenant": notice.tenant,
        "reason": notice.reason,
        "services": _services(notice),
        "at": _clock(notice.occurred_at),
        "detected": _clock(incident.detected_at),
        "next_update": _clock(notice.next_update_at) if notice.next_update_at else "none planned",
        "duration": duration(ended - incident.started_at - incident.time_resolved),
        **_outside(notice),
    }
    texts = {
        "update": notice.update,
        "root_cause": incident.root_cause or "under investigation",
        "resolution": incident.resolution or "not stated yet",
    }
    return {
        **{name: _fitted(one_line(text), form.line, form) for name, text in lines.items()},
        **{name: _fitted(form.shaped(text), form.text, form) for name, text in texts.items()},
        # Half a link leads nowhere, and what is no link must not look like one.
        "runbook": runbook if _is_link(runbook) and len(form.escaped(runbook)) <= form.line else "",
        "mark": mark,
        "happened": happened,
        "drill": incident.drill,
        "labels": {
            name: _fitted(one_line(value), form.line, form)
            for name, value in incident.labels.items()
        },
    }


def _outside(notice: NoticeV1) -> dict[str, str]:
    """Return the words of messages for people outside; they are empty in all others."""
    public, page = notice.incident.public, notice.page
    if public is None or page is None:
        return dict.fromkeys(("page", "page_url", "stage", "expected"), "")
    before = public.updates[1].status if len(public.updates) > 1 else None
    words = {}
    if public.continued_as is not None:
        stage = "continued"
        # Its own end is none of the outage.
        words["status"] = f"goes on as “{public.continued_as}”"
    elif public.status is PublicStatus.RESOLVED:
        stage = "afterword" if before is PublicStatus.RESOLVED else "resolution"
    else:
        stage = "initial" if len(public.updates) == 1 else "update"
    return {
        "page": page.name,
        "page_url": page.url if _is_link(page.url) else "",
        "stage": stage,
        "expected": f"{public.expected_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        if public.expected_at
        else "",
        **words,
    }


def _services(notice: NoticeV1) -> str:
    services = notice.incident.services
    if not services and notice.purpose is not Purpose.PUBLIC:
        services = (notice.incident.service,)
    named = ", ".join(services[:_SERVICES_NAMED])
    more = len(services) - _SERVICES_NAMED
    return f"{named} and {more} more" if more > 0 else named


def _is_link(text: str) -> bool:
    return text.startswith(("http://", "https://")) and not set(text) & set(" <>|\"'")


def _fitted(text: str, length: int, form: _Form) -> str:
    """Return as much of *text* as has *length* characters when it is escaped."""
    if len(form.escaped(text)) <= length:
        return text
    grown = list(accumulate(len(form.escaped(each)) for each in text))
    # An SMS pays for characters outside the GSM alphabet, as an ellipsis is.
    return text[: bisect_right(grown, length - 3)] + "..."


def _subject(notice: NoticeV1) -> str:
    incident = notice.incident
    if notice.purpose is Purpose.PUBLIC:
        return f"Service Update: {one_line(incident.summary)}"
    if notice.shift is not None:
        return f"{_HEADLINES[notice.purpose]} - {one_line(incident.summary)}"
    severity = SEVERITIES[incident.severity].upper()
    drill = "[DRILL] " if incident.drill else ""
    again = " again" if notice.step is StepKind.REOPENED else ""
    what = f"{drill}{_HEADLINES[notice.purpose]}{again} - {severity}"
    return f"{what}: {incident.incident_id} {one_line(incident.summary)}".rstrip()


def _plain(notice: NoticeV1, form: _Form) -> str:
    text = f"{_subject(notice)}\n{_fitted(form.shaped(notice.update), form.text, form)}"
    escaped = form.escaped(text.strip())
    return f"<p>{escaped}</p>" if form.ending == "html" else escaped


def _clock(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


@cache
def _environment(name: str) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        loader=PackageLoader("streams.notifications"),
        undefined=StrictUndefined,
        autoescape=name == "html",
        trim_blocks=True,
        lstrip_blocks=True,
    )
    if name == "slack":
        environment.finalize = _slack_value
    return environment


def _slack_value(value: Any) -> str:
    # What is marked as safe came from the template itself.
    return str(value) if isinstance(value, Markup) else slack_escaped(str(value))
