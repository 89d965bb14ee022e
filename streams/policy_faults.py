"""What is wrong with a setting, in words for its author: what it is, what it must be, what may have been meant."""

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError

from schemas.contract import LABEL_NAME
from streams.durations import reworded
from streams.policy_files import Document, Place, Problem

_REWORDED: Final = (
    (re.compile(r"^Value error, "), ""),
    (
        re.compile(r"^Input should have timezone info"),
        "must have a zone: write 2024-03-01T09:00:00Z",
    ),
    (
        re.compile(r"^Input should be a valid datetime.*"),
        "must be a moment: write 2024-03-01T09:00:00Z",
    ),
    (re.compile(r"^Input should be "), "must be "),
    (re.compile(r"^(String|List|Tuple|Dictionary|Value) should "), "must "),
    (re.compile(r"a valid (tuple|list)"), "a list"),
    (re.compile(r"a valid dictionary( or instance of \w+)?"), "a map"),
    (re.compile(r"a valid string"), "a text"),
    (re.compile(r"a valid (integer|number|boolean)"), r"a \1"),
    (re.compile(r"\ba integer"), "an integer"),
    (re.compile(r", unable to parse string as an? \w+"), ""),
    (re.compile(r"a boolean, unable to interpret input"), "true or false"),
    (re.compile(r"at least 1 (item|entry) after validation, not 0"), "at least one entry"),
    (re.compile(r"(at \w+ \d+) items? after validation, not (\d+)"), r"\1 entries, not \2"),
    (
        # What routes group by has a pattern around it.
        re.compile(rf"match pattern '.*{re.escape(LABEL_NAME[1:-1])}.*'"),
        "be the name of a label: of letters, digits, _, ., / and -, and begin with a letter",
    ),
    # A limit of durations.
    (re.compile(r"datetime\.timedelta\(([^)]*)\)"), reworded),
)
#: How much alike two names must be for one to be a slip of the other: from 0 to 1.
_ALIKE: Final = 0.6
_VERY_MUCH: Final = 0.8
#: Names that a message lists; more of them nobody would read.
_LISTED: Final = 40
#: What other systems call a setting, and what it is called here.
_ELSEWHERE: Final = {
    "=": "==",
    "above": ">",
    "alert": "name",
    "alerts": "rules",
    "annotations": "summary",
    "average": "avg",
    "below": "<",
    "delay": "after",
    "eq": "==",
    "expr": "metric",
    "ge": ">=",
    "groups": "rules",
    "gt": ">",
    "id": "name",
    "interval": "every",
    "le": "<=",
    "lt": "<",
    "mean": "avg",
    "ne": "!=",
    "receiver": "channels channel",
    "receivers": "channels to",
    "team": "owner",
    "timeout": "within answers_within",
    "wait": "after",
}
_Steps = tuple[str | int, ...]
_SEVERITIES: Final = frozenset({"severity", "severities"})
#: What pydantic calls values that are none of 1 to 4.
_NO_NUMBER_OF_THEM: Final = frozenset(
    {"int_parsing", "int_type", "int_from_float", "greater_than_equal", "less_than_equal"}
)
_SEVERITY_WORDS: Final = {"critical": 1, "high": 2, "medium": 3, "low": 4} | {
    f"{word}{number}": number for word in ("sev", "p") for number in (1, 2, 3, 4)
}
_PER_CENT: Final = re.compile(r"(\d+(?:\.\d+)?) ?%")
#: Parts whose values may hold something that nobody should read.
_UNQUOTED: Final = frozenset({"channels", "url", "headers", "intake"})


def nearest(name: str, known: Iterable[str], alike: float = _ALIKE) -> str | None:
    """Return which of *known* a writer of *name* may have mistyped; None where nothing is at least so much *alike*."""
    choices = sorted(known)
    otherwise_cased = [each for each in choices if each.lower() == name.lower()]
    close = otherwise_cased or get_close_matches(name, choices, n=1, cutoff=alike)
    return close[0] if close else None


def likely(name: str, known: Iterable[str]) -> str | None:
    """Return which of *known* a writer of *name* most likely meant; None where none is alike."""
    choices = sorted(known)
    elsewhere = _ELSEWHERE.get(name.lower(), "")
    return (
        nearest(name, choices, _VERY_MUCH)
        or _worded(name, choices)
        or next((each for each in elsewhere.split() if each in choices), None)
        or nearest(name, choices)
    )


def meant(name: str, known: Iterable[str], otherwise: str | None = None) -> str:
    """Return what a writer of *name* may have meant: one of *known*, or all of them, or what is said *otherwise*."""
    choices = sorted(known)
    close = likely(name, choices)
    if close is not None:
        return f"did you mean {close!r}?"
    if otherwise is not None or not choices:
        return otherwise or "there are none"
    listed = ", ".join(choices[:_LISTED])
    return f"there are {listed}" + (
        f" and {len(choices) - _LISTED} more" if len(choices) > _LISTED else ""
    )


def _worded(name: str, known: Iterable[str]) -> str | None:
    """Return the only one of *known* that has some words more or less: mute_time_intervals for mute, url for webhook_url."""
    words = _words(name)
    found = [each for each in known if _words(each) < words or words < _words(each)]
    return found[0] if len(found) == 1 else None


def _words(name: str) -> frozenset[str]:
    return frozenset(re.split(r"[^a-z0-9]+", name.lower())) - {""}


def undefined(
    document: Document, place: Place, name: str, part: str, known: Iterable[str]
) -> Problem:
    """Return that *name*, which stands at *place*, is none of those *known* under a *part* of the policy."""
    text = f"{name!r} is not defined under {part}; {meant(name, known)}"
    return document.problem(place, text, names=part.partition(".")[0])


def faults(
    document: Document,
    place: Place,
    model: type[BaseModel],
    error: ValidationError,
    only: Container[str] | None = None,
) -> list[Problem]:
    """Return what is wrong with the settings of a *model* that stand at *place*, each slip once; *only* of some of them."""
    said: dict[Place, list[str]] = {}
    found = [
        each
        for each in error.errors(include_url=False)
        if only is None or (each["loc"] and each["loc"][0] in only)
    ]
    slips = dict(_slips(model, found))
    for fault in found:
        missing = fault["type"] == "missing"
        where = _where(document, place, fault["loc"], missing=missing)
        if document.is_told(where) or _follows(fault, found, slips):
            continue
        text = _text(document, where, model, fault, slips)
        texts = said.setdefault(where, [])
        if text not in texts:
            texts.append(text)
    return [
        _on_its_line(document, where, "; or ".join(texts), texts[0])
        for where, texts in said.items()
    ]


def _slips(model: type[BaseModel], found: Sequence[Any]) -> Iterator[tuple[_Steps, str]]:
    """Yield the settings that are not known, each with the one that was meant, where one is alike."""
    for fault in found:
        if fault["type"] == "extra_forbidden":
            *above, name = fault["loc"]
            close = likely(str(name), _names_at(model, above))
            if close is not None:
                yield fault["loc"], close


def _follows(fault: Any, found: Sequence[Any], slips: Mapping[_Steps, str]) -> bool:
    """Whether a fault is there because of another one."""
    where = fault["loc"]
    if fault["type"] == "missing":
        return any(slip[:-1] == where[:-1] and name == where[-1] for slip, name in slips.items())
    # Pydantic counts only what is right: an entry that is wrong is not missing besides.
    return fault["type"] == "too_short" and any(
        len(each["loc"]) > len(where) and each["loc"][: len(where)] == where for each in found
    )


def _on_its_line(document: Document, where: Place, text: str, first: str) -> Problem:
    """Return a problem of several settings on the line of the one that it begins with, where it does."""
    problem = document.problem(where, text)
    named = (*where, first.partition(" ")[0].rstrip(":"))
    if document.written_at(named) is None:
        return problem
    return replace(problem, line=document.problem(named, "").line)


def _where(
    document: Document, place: Place, steps: tuple[str | int, ...], *, missing: bool
) -> Place:
    """Return the part of pydantic's path that the author wrote: it also names the members of unions."""
    where = place
    for number, step in enumerate(steps):
        last = missing and number == len(steps) - 1
        if last or document.written_at((*where, step)) is not None:
            where = (*where, step)
    return where


def _text(
    document: Document,
    where: Place,
    model: type[BaseModel],
    fault: Any,
    slips: Mapping[_Steps, str],
) -> str:
    kind = fault["type"]
    if kind == "missing":
        description = _description(model, where)
        return "is missing" + (f"; it says: {description}" if description else "")
    if kind == "extra_forbidden":
        close = slips.get(fault["loc"])
        names = ", ".join(sorted(_names_at(model, fault["loc"][:-1])))
        return f"is not known here; {f'did you mean {close!r}?' if close else f'there are {names}'}"
    text = str(fault["msg"])
    for pattern, instead in _REWORDED:
        text = pattern.sub(instead, text)
    written = document.written_at(where)
    if not isinstance(written, str | int | float) or _UNQUOTED & set(where):
        listed = kind == "dict_type" and isinstance(written, list)
        return "must be a map of names, each with a colon, and no list" if listed else text
    quoted = document.quoted(where)
    if kind in {"literal_error", "enum"} and isinstance(written, str):
        choices = re.findall(r"'([^']*)'", fault["ctx"]["expected"])
        return f"{quoted} is none of its values; {meant(written, choices)}"
    if kind == "value_error":
        # Ours; they begin with what the value is or does.
        begins_so = text.startswith(("is ", "has ", "names ", "must "))
        return f"{quoted} {text}" if begins_so and not text.startswith(quoted) else text
    return f"{quoted} {_instead(document, where, written, kind) or text}"


def _instead(document: Document, where: Place, written: Any, kind: str) -> str | None:
    """Return what is wrong with one value, where the words of pydantic say too little."""
    of_severity = not _SEVERITIES.isdisjoint(where)
    number = _SEVERITY_WORDS.get(str(written).lower()) if of_severity else None
    if of_severity and kind in _NO_NUMBER_OF_THEM:
        hint = f"did you mean {number}?" if number else "there are 1, 2, 3, 4"
        return f"is no severity; {hint}"
    if kind in {"list_type", "tuple_type"}:
        return f"must be a list: write [{number or written}]"
    if kind == "string_type" and where in document.plain:
        return "must be a text: put it in quotes"
    if kind == "float_parsing" and (share := _PER_CENT.fullmatch(str(written))):
        return f"must be a number: write {float(share[1]) / 100:g}, or {share[1]} where it is counted in per cent"
    return None


def _names_at(model: type[BaseModel], steps: Iterable[str | int]) -> set[str]:
    """Return the names of the settings that *steps* lead to, from those of *model*; of all sorts that may stand there."""
    holders = [model]
    for step in steps:
        found = [
            inner
            for holder in holders
            for name, field in holder.model_fields.items()
            if step in {name, field.alias}
            for inner in _models(field.annotation)
        ]
        # Other steps are numbers of lists, names of maps and sorts of settings.
        holders = found or holders
    return {name for holder in holders for name in _names(holder)}


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _names(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _description(model: type[BaseModel], where: Place) -> str:
    fields: Mapping[str, Any] = {
        field.alias or name: field for name, field in model.model_fields.items()
    }
    field = fields.get(str(where[-1]))
    text = (field.description or "") if field else ""
    return " ".join(text.split()).rstrip(".").replace("``", "`")
