"""
Results of cases in the XML that CI systems read.

Source: the JUnit format as Jenkins and GitLab document it: suites of cases, with ``failure`` and ``error``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from xml.sax.saxutils import escape, quoteattr


@dataclass(frozen=True)
class Result:
    """What became of one case."""

    file: str
    name: str
    line: int
    seconds: float
    failure: str = ""
    """What was not as expected; empty where all was."""
    error: str = ""
    """Why it could not be played."""

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return not self.failure and not self.error


def junit(results: Sequence[Result]) -> str:
    """Return *results* as a document: one suite for each file."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<testsuites {_counts(results)}>"]
    for file, together in groupby(results, key=lambda each: each.file):
        suite = list(together)
        lines.append(f"  <testsuite name={_attribute(file)} {_counts(suite)}>")
        for each in suite:
            lines += _case(each)
        lines.append("  </testsuite>")
    return "\n".join([*lines, "</testsuites>", ""])


def _case(result: Result) -> list[str]:
    head = (
        f"    <testcase classname={_attribute(result.file)} name={_attribute(result.name)} "
        f'file={_attribute(result.file)} line="{result.line}" time="{result.seconds:.3f}"'
    )
    if result.passed:
        return [f"{head}/>"]
    tag, text = ("error", result.error) if result.error else ("failure", result.failure)
    first = text.partition("\n")[0]
    told = f"      <{tag} message={_attribute(first)}>{escape(_printable(text))}</{tag}>"
    return [f"{head}>", told, "    </testcase>"]


def _counts(results: Sequence[Result]) -> str:
    failures = sum(bool(each.failure) for each in results)
    errors = sum(bool(each.error) for each in results)
    seconds = sum(each.seconds for each in results)
    return f'tests="{len(results)}" failures="{failures}" errors="{errors}" time="{seconds:.3f}"'


def _attribute(text: str) -> str:
    return quoteattr(_printable(text))


def _printable(text: str) -> str:
    # XML 1.0 has no way to write other control characters.
    return "".join(mark if mark >= " " or mark in "\n\t" else " " for mark in text)
