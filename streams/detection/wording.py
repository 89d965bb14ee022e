"""
What alerts say: templates in sandboxed Jinja2, compiled once.

A template never stops an alert: where it fails, the rule's name and reason are said instead. Texts from signals are values, never
templates.
"""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

from jinja2 import StrictUndefined, TemplateError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import AfterValidator, Field

from schemas import limits
from streams.policy_faults import meant

#: What a template can name.
WORDS: Final = (
    "rule",
    "tenant",
    "service",
    "environment",
    "subject",
    "labels",
    "severity",
    "value",
    "reason",
    "message",
    "started_at",
)

#: How Prometheus and Alertmanager name what there is to say.
_PROMETHEUS: Final = re.compile(r"\{\{-? *(\$|\.[A-Z])")
_SANDBOX: Final = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)

Template = Callable[[Mapping[str, Any]], str | None]


class Labels(dict[str, str]):
    """Labels inside a template: one that is missing is empty, as in matchers."""

    def __missing__(self, key: str) -> str:
        return ""


def _readable(source: str) -> str:
    try:
        named = meta.find_undeclared_variables(_SANDBOX.parse(source))
        _SANDBOX.from_string(source)
    except TemplateError as error:
        told = (error.message or "it cannot be read").rstrip(".")
        if _PROMETHEUS.search(source):
            told = "write {{ labels.region }} and {{ value }}, not $labels, $value or .Labels"
        message = f"is no Jinja2 template: {told}"
        raise ValueError(message) from None
    for name in sorted(named - set(WORDS)):
        message = f"names {name!r}, which templates do not have; {meant(name, WORDS)}"
        raise ValueError(message)
    return source


Wording = Annotated[str, Field(max_length=limits.TEXT_LENGTH), AfterValidator(_readable)]


def template(source: str) -> Template:
    """Return *source* as a function of its words, which returns None where it fails or says nothing."""
    compiled = _SANDBOX.from_string(source)

    def render(words: Mapping[str, Any]) -> str | None:
        try:
            return compiled.render(words).strip() or None
        except Exception:  # noqa: BLE001 - a template can raise whatever its filters do
            return None

    return render


def named_by(source: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the words that a template names, and the labels."""
    parsed = _SANDBOX.parse(source)
    labels = set()
    # labels.region and labels["region"] are the same.
    for dotted in parsed.find_all(nodes.Getattr):
        if _is_labels(dotted.node):
            labels.add(dotted.attr)
    for indexed in parsed.find_all(nodes.Getitem):
        if _is_labels(indexed.node) and isinstance(indexed.arg, nodes.Const):
            labels.add(str(indexed.arg.value))
    return frozenset(meta.find_undeclared_variables(parsed)), frozenset(labels)


def _is_labels(part: nodes.Node) -> bool:
    return isinstance(part, nodes.Name) and part.name == "labels"


def line(text: str) -> str:
    """Return *text* as one line that fits."""
    joined = " ".join(text.split())
    return joined if len(joined) <= limits.LINE_LENGTH else joined[: limits.LINE_LENGTH - 1] + "…"
