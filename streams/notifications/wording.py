"""
Templates that the policy brings: what they may use, and that they cannot run long.

Whoever may change the policy decides what messages say, not what the notifier does. So a template is text, values, conditions, a few
filters and loops over the incident's labels: no calls, no arithmetic, no loop in a loop, nothing that makes a text grow. It takes time
in proportion to its length, which is bounded; what it makes is bounded as well.
"""

from collections.abc import Iterator
from typing import Annotated, Final

from jinja2 import Environment, TemplateSyntaxError, nodes
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from streams.policy_faults import meant

#: Characters of a template.
TEMPLATE_LENGTH: Final = 4_000

#: What a template can say of a notice, with what it is.
WORDS: Final = {
    "id": "the incident's id",
    "severity": "CRITICAL, HIGH, MEDIUM or LOW",
    "summary": "what is wrong",
    "impact": "who notices what",
    "assigned": "who works on it",
    "status": "where it stands",
    "service": "the service it began with",
    "services": "all of them, ten at most",
    "environment": "the deployment environment",
    "owner": "the team that owns it",
    "tenant": "its tenant",
    "at": "when the step happened that the message tells of",
    "detected": "when it was detected",
    "next_update": "when the next message can be expected",
    "duration": "how long it has lasted",
    "update": "what is new",
    "root_cause": "why it happened",
    "resolution": "what ended it",
    "runbook": "link to what to do about it, or nothing",
    "mark": "REOPENED or RAISED, or nothing",
    "happened": "Detected, Reopened or Raised",
    "reason": "why the receiver is told",
    "drill": "whether it is an exercise",
    "page": "whose status page it is, in messages for people outside",
    "page_url": "its address, or nothing",
    "stage": "initial, update, resolution, afterword, or continued as another one, in messages for people outside",
    "expected": "when it is expected to be over, or nothing",
    "labels": "the labels that its alerts share, by name",
}

_FILTERS: Final = frozenset(
    {
        "capitalize",
        "d",
        "default",
        "first",
        "last",
        "length",
        "lower",
        "title",
        "trim",
        "truncate",
        "upper",
    }
)
_TESTS: Final = frozenset({"defined", "eq", "equalto", "in", "ne", "none", "undefined"})
_ALLOWED: Final = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.If),
    *(nodes.For, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not),
    *(nodes.Concat, nodes.Filter, nodes.Test, nodes.Getitem, nodes.Getattr, nodes.Tuple),
    *(nodes.List, nodes.Keyword),
)
#: What people call what is not allowed.
_NAMES: Final = {
    nodes.Call: "calls",
    nodes.Macro: "macros",
    nodes.CallBlock: "macros",
    nodes.Include: "other templates",
    nodes.Import: "other templates",
    nodes.FromImport: "other templates",
    nodes.Extends: "other templates",
    nodes.Assign: "variables of its own",
    nodes.AssignBlock: "variables of its own",
    nodes.BinExpr: "arithmetic: join texts by ~",
    nodes.UnaryExpr: "arithmetic",
}


def _checked(source: str) -> str:
    try:
        tree = Environment(autoescape=True).parse(source)
    except TemplateSyntaxError as error:
        message = f"line {error.lineno}: {error.message}"
        raise ValueError(message) from None
    except RecursionError:
        message = "is nested too deeply"
        raise ValueError(message) from None
    wrong = list(_faults(tree, frozenset(WORDS)))
    if wrong:
        raise ValueError("; ".join(dict.fromkeys(wrong)))
    return source


Template = Annotated[str, Field(max_length=TEMPLATE_LENGTH), AfterValidator(_checked)]


class Wording(BaseModel):
    """The words of one message, for each form that the policy brings; the others stay as they are."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    subject: Template | None = None
    """One line: the subject of a mail, the headline of a page."""
    text: Template | None = None
    """Plain text: mails, Teams, Discord, Telegram, ntfy, webhooks."""
    slack: Template | None = None
    """Slack's mrkdwn."""
    html: Template | None = None
    """HTML, for mails."""
    short: Template | None = None
    """A text message."""


def _faults(node: nodes.Node, known: frozenset[str], *, looping: bool = False) -> Iterator[str]:
    where = f"line {node.lineno}: "
    if not isinstance(node, _ALLOWED):
        what = next((name for kind, name in _NAMES.items() if isinstance(node, kind)), "")
        yield f"{where}a template has no {what or type(node).__name__.lower()}"
        return
    yield from (f"{where}{fault}" for fault in _own_faults(node, known, looping=looping))
    if isinstance(node, nodes.For):
        inside = known | {"loop"} | {name.name for name in node.target.find_all(nodes.Name)}
        if isinstance(node.target, nodes.Name):
            inside |= {node.target.name}
        for child in [*node.body, *node.else_]:
            yield from _faults(child, inside, looping=True)
        return
    for child in node.iter_child_nodes():
        yield from _faults(child, known, looping=looping)


def _own_faults(node: nodes.Node, known: frozenset[str], *, looping: bool) -> Iterator[str]:
    if isinstance(node, nodes.Name) and node.name not in known:
        yield f"{node.name!r} is no word; {meant(node.name, known)}"
    elif isinstance(node, nodes.Filter) and node.name not in _FILTERS:
        yield f"there is no filter {node.name!r}; {meant(node.name, _FILTERS)}"
    elif isinstance(node, nodes.Test) and node.name not in _TESTS:
        yield f"there is no test {node.name!r}; {meant(node.name, _TESTS)}"
    elif isinstance(node, nodes.Getattr) and not _of_a_loop(node):
        yield f"a template has no attributes: write labels[{node.attr!r}]"
    elif isinstance(node, nodes.For):
        plain = isinstance(node.iter, nodes.Name) and node.iter.name == "labels"
        if looping or not plain or node.recursive or node.test is not None:
            yield "a loop goes over labels, and is in no other loop: {% for name in labels %}"


def _of_a_loop(node: nodes.Getattr) -> bool:
    return isinstance(node.node, nodes.Name) and node.node.name == "loop"
