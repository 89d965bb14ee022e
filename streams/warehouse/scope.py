"""
Which incidents, alerts and notices a report is about.

An incident belongs to the time it was detected in, an alert to that of its transition, a notice to that of the step it tells
of. Values travel as parameters, never as text.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import AwareDatetime

from schemas.contract import Name, Severity
from streams.warehouse.report import Question, Report

_CONDITIONS: Final[Mapping[str, str]] = {
    "severity": "severity IN {severity:Array(UInt8)}",
    "service": "(service = {service:String} OR has(services, {service:String}))",
    "team": "owner = {team:String}",
    "tenant": "tenant = {tenant:String}",
}


class Scope(Report):
    """Settings of a report that one tenant can have for itself."""

    tenant: Name | None = None
    """Only this tenant."""

    def ask(
        self,
        statement: str,
        *,
        moment: str = "detected_at",
        span: tuple[datetime, datetime] | None = None,
        knows: Mapping[str, str] = _CONDITIONS,
        **more: Any,
    ) -> Question:
        """
        Return *statement* with its ``{where}`` and ``{chosen}`` filled in.

        Args:
            statement: SQL; its other ``{name:Type}`` are parameters. ``{chosen}`` is ``{where}`` without the times, and begins
                with ``AND``.
            moment: The column that says when it was.
            span: Another time than that of the report.
            knows: The settings that its table can answer for, and how.
            more: Values of other parameters.
        """
        given = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in dict(self).items()
            if name in knows and value not in {None, ()}
        }
        since, until = span or self.window
        chosen = "".join(f" AND {knows[name]}" for name in given)
        time = f"{moment} >= {{since:DateTime64(6, 'UTC')}} AND {moment} < {{until:DateTime64(6, 'UTC')}}"
        return Question(
            statement.replace("{where}", f"WHERE {time}{chosen}")
            .replace("{chosen}", chosen)
            .strip(),
            {"since": since, "until": until, **given, **more},
        )


class InSpan(Scope):
    """Settings of a report about a time."""

    since: AwareDatetime
    """From then on: 7d, 12h, or an ISO 8601 time; 30d where nothing is said."""
    until: AwareDatetime
    """Before then: 7d, 12h, or an ISO 8601 time; now where nothing is said."""

    @property
    def window(self) -> tuple[datetime, datetime]:
        """The time that it is about."""
        return self.since, self.until


class Chosen(Scope):
    """Settings of a report about some of the incidents."""

    severity: tuple[Severity, ...] = ()
    """Only incidents of this severity, 1 to 4; can be repeated."""
    service: Name | None = None
    """Only this service."""
    team: Name | None = None
    """Only what this team owns."""


class ChosenInSpan(InSpan, Chosen):
    """Settings of a report about some of the incidents of a time."""


#: What tables know that have one service, and no list of them.
OF_ALERTS: Final[Mapping[str, str]] = {**_CONDITIONS, "service": "service = {service:String}"}
#: What tables know that have a service and no severity.
OF_SERVICES: Final[Mapping[str, str]] = {name: OF_ALERTS[name] for name in ("service", "tenant")}
#: What tables know that have a severity and no service.
OF_NOTICES: Final[Mapping[str, str]] = {name: OF_ALERTS[name] for name in ("severity", "tenant")}
