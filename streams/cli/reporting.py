"""The incident report's template: printed, read back when it is filled in, and asked for question by question."""

import re
import sys
from collections.abc import Mapping
from typing import Any, Final

import click

#: The parts of a report that flags, files and questions give.
PARTS: Final = (
    "severity",
    "service",
    "summary",
    "began",
    "symptoms",
    "impact",
    "actions_taken",
    "next_steps",
)
_NEEDED: Final = ("severity", "service", "summary")

TEMPLATE: Final = """\
# Incident Report

**Reporter**:
**Date/Time**:
**Service**:
**Severity**:

## Summary

<!-- Brief description of the incident and its impact -->

## Symptoms Observed

<!-- Specific error messages or behaviors, affected functionality, user reports or complaints -->

## Impact Assessment

<!-- Number of users affected, business functions impacted, revenue or operational impact -->

## Initial Actions Taken

<!-- Immediate steps taken to mitigate, workarounds implemented, communication sent to users -->

## Next Steps

<!-- Investigation plan, assigned personnel, expected timeline -->
"""

_SECTIONS: Final[Mapping[str, str]] = {
    "summary": "summary",
    "symptoms observed": "symptoms",
    "impact assessment": "impact",
    "initial actions taken": "actions_taken",
    "next steps": "next_steps",
}
_FACTS: Final = {
    "reporter": "reporter",
    "date/time": "began",
    "service": "service",
    "severity": "severity",
}
#: What a report that was written elsewhere can have: it is given here.
_OURS: Final = "incident id"
_FACT: Final = re.compile(
    r"^\*\*(?P<name>[^*:]+)\*\*\s*:\s*(?P<value>.*)$|^\*\*(?P<other>[^*:]+):\*\*\s*(?P<also>.*)$"
)
_COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)

QUESTIONS: Final[Mapping[str, str]] = {
    "severity": "Severity (1 critical, 2 high, 3 medium, 4 low)",
    "service": "Service it is about",
    "summary": "Summary: the incident and its impact, in one line",
    "began": "Since when (ISO 8601; empty: now)",
    "symptoms": "Symptoms observed: messages, behaviours, complaints",
    "impact": "Impact assessment: users, business functions, money",
    "actions_taken": "Initial actions taken: mitigation, workarounds, communication",
    "next_steps": "Next steps: plan, people, timeline",
}


def read_report(text: str) -> dict[str, Any]:
    """
    Return the parts of a filled-in template; what was left empty is left out.

    Raises:
        click.UsageError: It has a heading or a fact that the template does not have.
    """
    found: dict[str, Any] = {}
    section: str | None = None
    lines: dict[str, list[str]] = {}
    for number, line in enumerate(_COMMENT.sub("", text).splitlines(), start=1):
        if line.startswith("## "):
            heading = line.removeprefix("## ").strip().lower()
            if heading not in _SECTIONS:
                known = ", ".join(name.title() for name in _SECTIONS)
                message = (
                    f"line {number}: {heading.title()!r} is no part of a report; there are {known}"
                )
                raise click.UsageError(message)
            section = _SECTIONS[heading]
        elif section is not None:
            lines.setdefault(section, []).append(line)
        elif fact := _FACT.match(line.strip()):
            found |= _fact(
                number, fact["name"] or fact["other"], fact["value"] or fact["also"] or ""
            )
    for name, said in lines.items():
        text_said = "\n".join(said).strip()
        if text_said:
            found[name] = " ".join(text_said.split()) if name == "summary" else text_said
    return found


def asked(given: Mapping[str, Any], *, everything: bool) -> dict[str, Any]:
    """
    Return *given* with what a person answers to the questions for the rest: what is needed, or *everything*.

    Raises:
        click.UsageError: Something needed is missing, and nobody can be asked.
    """
    answers = dict(given)
    wanted = [name for name in (PARTS if everything else _NEEDED) if name not in answers]
    if not wanted:
        return answers
    if not _somebody_there():
        missing = ", ".join(f"--{name}" for name in _NEEDED if name not in answers)
        if missing:
            message = f"a report needs {missing}; on a terminal they are asked for"
            raise click.UsageError(message)
        return answers
    for name in wanted:
        if name == "severity":
            answers[name] = click.prompt(QUESTIONS[name], type=click.IntRange(1, 4))
        elif name in _NEEDED:
            answers[name] = click.prompt(QUESTIONS[name])
        else:
            answers[name] = click.prompt(QUESTIONS[name], default="", show_default=False)
    return answers


def _fact(number: int, name: str, value: str) -> dict[str, Any]:
    key, value = name.strip().lower(), value.strip()
    if key == _OURS or not value:
        return {}
    if key not in _FACTS:
        message = f"line {number}: {name.strip()!r} is no fact of a report; there are Reporter, Date/Time, Service, Severity"
        raise click.UsageError(message)
    if key == "severity":
        digit = value[:1]
        if digit not in {"1", "2", "3", "4"}:
            message = f"line {number}: the severity is 1, 2, 3 or 4, not {value!r}"
            raise click.UsageError(message)
        return {key: int(digit)}
    return {_FACTS[key]: value}


def _somebody_there() -> bool:
    return sys.stdin.isatty()
