"""What is wrong with a setting, in words for its author: what it is, what it must be, what may have been meant."""

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError

from streams.durations import reworded
from streams.policy_files import Document, Place, Problem

_REWORDED: Final = (
    (re.compile(r"^Value error, "), ""),
    (re.compile(r"^Input should be "), "must be "),
    (re.compile(r"^(String|List|Tuple|Dictionary|Value) should "), "must "),
    (re.compile(r"a valid (tuple|list)"), "a list"),
    (re.compile(r"a valid dictionary( or instance of \w+)?"), "a map"),
    (re.compile(r"a valid string"), "a text"),
    (re.compile(r"a valid (integer|number|boolean)"), r"a \1"),
    (re.compile(r"\ba integer"), "an integer"),
    (re.compile(r", unable to parse string as an? \w+"), ""),
    # A limit of durations.
    (re.compile(r"datetime\.timedelta\(([^)]*)\)"), reworded),
)
#: How much alike two names must be for one to be a slip of the other: from 0 to 1.
_ALIKE: Final = 0.6
_VERY_MUCH: Final = 0.8
#: Names that a message lists; more of them nobody would read.
_LISTED: Final = 40
#: Parts whose values may hold something that nobody should read.
_UNQUOTED: Final = frozenset({"channels", "url", "headers"})


def nearest(name: str, known: Iterable[str], alike: float = _ALIKE) -> str | None:
    """Return which of *known* a writer of *name* may have mistyped; None where nothing is at least so much *alike*."""
    choices = sorted(known)
    otherwise_cased = [each for each in choices if each.lower() == name.lower()]
    close = otherwise_cased or get_close_matches(name, choices, n=1, cutoff=alike)
    return close[0] if close else None


def meant(name: str, known: Iterable[str], otherwise: str | None = None) -> str:
    """Return what a writer of *name* may have meant: one of *known*, or all of them, or what is said *otherwise*."""
    choices = sorted(known)
    close = nearest(name, choices, _VERY_MUCH) or _worded(name, choices) or nearest(name, choices)
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


def faults(
    document: Document, place: Place, model: type[BaseModel], error: ValidationError
) -> list[Problem]:
    """Return what is wrong with the settings of a *model* that stand at *place*."""
    said: dict[Place, list[str]] = {}
    found = error.errors(include_url=False)
    for fault in found:
        # Pydantic counts only what is right: an entry that is wrong is not missing besides.
        if fault["type"] == "too_short" and any(
            len(each["loc"]) > len(fault["loc"])
            and each["loc"][: len(fault["loc"])] == fault["loc"]
            for each in found
        ):
            continue
        missing = fault["type"] == "missing"
        where = _where(document, place, fault["loc"], missing=missing)
        text = _text(document, where, model, fault)
        texts = said.setdefault(where, [])
        if text not in texts:
            texts.append(text)
    return [document.problem(where, "; or ".join(texts)) for where, texts in said.items()]


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


def _text(document: Document, where: Place, model: type[BaseModel], fault: Any) -> str:
    kind = fault["type"]
    if kind == "missing":
        description = _description(model, where)
        return "is missing" + (f"; it says: {description}" if description else "")
    if kind == "extra_forbidden":
        holder = _holder(model, fault["loc"][:-1])
        return f"is not known here; {meant(str(where[-1]), _names(holder))}"
    text = str(fault["msg"])
    for pattern, instead in _REWORDED:
        text = pattern.sub(instead, text)
    written = document.written_at(where)
    if not isinstance(written, str | int | float) or _UNQUOTED & set(where):
        return text
    if kind == "literal_error" and isinstance(written, str):
        choices = re.findall(r"'([^']*)'", fault["ctx"]["expected"])
        return f"{written!r} is none of its values; {meant(written, choices)}"
    if kind == "value_error":
        # Ours; they begin with what the value is or does.
        return (
            text
            if text.startswith(repr(written))
            or not text.startswith(("is ", "has ", "names ", "must "))
            else f"{written!r} {text}"
        )
    return f"{written!r} {text}"


def _holder(model: type[BaseModel], steps: tuple[str | int, ...]) -> type[BaseModel]:
    """Return the settings that *steps* lead to, from those of *model*; as far as they lead to one sort of settings."""
    for step in steps:
        field = model.model_fields.get(str(step))
        found = set(_models(field.annotation)) if field else set()
        if len(found) == 1:
            model = found.pop()
    return model


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
    return " ".join(text.split()).rstrip(".")
