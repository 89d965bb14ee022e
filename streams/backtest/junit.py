"""
Results of cases in the XML that CI systems read.

Source: the schema by which Jenkins checks it (junit-10.xsd of its xUnit plugin), which knows the file of a suite, and neither file nor line of a
case; GitHub's and GitLab's readers take the same. So what went wrong begins with its file and line, where readers look for them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
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
    for file in dict.fromkeys(each.file for each in results):
        suite = [each for each in results if each.file == file]
        named = f"name={_attribute(file)} file={_attribute(file)}"
        lines.append(f"  <testsuite {named} {_counts(suite)}>")
        for each in suite:
            lines += _case(each)
        lines.append("  </testsuite>")
    return "\n".join([*lines, "</testsuites>", ""])


def _case(result: Result) -> list[str]:
    head = (
        f"    <testcase classname={_attribute(result.file)} name={_attribute(result.name)} "
        f'time="{result.seconds:.3f}"'
    )
    if result.passed:
        return [f"{head}/>"]
    tag, text = ("error", result.error) if result.error else ("failure", result.failure)
    first = text.partition("\n")[0]
    told = escape(_printable(f"{result.file}:{result.line}\n{text}"))
    told = f'      <{tag} type="{tag}" message={_attribute(first)}>{told}</{tag}>'
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
    return "".join(
        mark if mark in "\n\t" or " " <= mark < "\ufffe" or mark > "\uffff" else " "
        for mark in text
    )
