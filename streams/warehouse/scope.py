"""
Which incidents, alerts and notices a report is about.

An incident belongs to the time it was detected in, an alert to that of its transition, a notice to that of the step it tells
of. Values travel as parameters, never as text.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import AwareDatetime, ConfigDict

from schemas.contract import Name, Severity
from streams.warehouse.report import Question, Report
from streams.warehouse.subjects import INCIDENTS, Subject

#: Settings as an author would write them: examples of reports are made of these.
SPAN_EXAMPLE: Final = {
    "since": "2024-03-01T00:00:00Z",
    "until": "2024-04-01T00:00:00Z",
    "tenant": "default",
}
CHOICE_EXAMPLE: Final = {
    "severity": [1, 2],
    "service": "checkout",
    "team": "payments",
    "tenant": "default",
}


def exampled(*parts: Mapping[str, Any], **more: Any) -> ConfigDict:
    """Return the configuration of a report with an example of its settings, which must set every one."""
    example: dict[str, Any] = {}
    for part in parts:
        example |= part
    return ConfigDict(json_schema_extra={"examples": [example | more]})


class Scope(Report):
    """Settings of a report that one tenant can have for itself."""

    tenant: Name | None = None
    """Only this tenant."""

    def questions(self) -> Mapping[str, Question]:
        """Return what the warehouse is asked: the statement of each section, within the report's scope."""
        return {
            it.name: self.ask(it.statement, about=it.about)
            for it in self.sections()
            if it.statement is not None
        }

    def ask(
        self,
        statement: str,
        *,
        about: Subject = INCIDENTS,
        span: tuple[datetime, datetime] | None = None,
        **more: Any,
    ) -> Question:
        """
        Return *statement* with its ``{where}`` and ``{chosen}`` filled in.

        Args:
            statement: SQL; its other ``{name:Type}`` are parameters. ``{chosen}`` is ``{where}`` without the times, and begins
                with ``AND``.
            about: What it asks for.
            span: Another time than that of the report.
            more: Values of other parameters.
        """
        given = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in dict(self).items()
            if name in about.knows and value not in {None, ()}
        }
        since, until = span or self.window
        chosen = "".join(f" AND {about.knows[name]}" for name in given)
        time = f"{about.moment} >= {{since:DateTime64(6, 'UTC')}} AND {about.moment} < {{until:DateTime64(6, 'UTC')}}"
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

    model_config = exampled(SPAN_EXAMPLE, CHOICE_EXAMPLE)
