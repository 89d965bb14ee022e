"""JSON of other systems, read as what they document, with faults that name fields and quote nothing."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, TypeVar, cast

import msgspec
from pydantic import ValidationError

from schemas.contract import CUT_OFF, Unreadable, faults
from schemas.telemetry import Signal

DocumentT = TypeVar("DocumentT")
SignalT = TypeVar("SignalT", bound=Signal)

_FAULT: Final = re.compile(
    r"^(?P<said>.*?)(?: - at (?:the key in )?`\$\.?(?P<place>[^`]*)`)?$", re.DOTALL
)
#: A step of such a place: a field, or an element of a list.
_STEP: Final = re.compile(r"\[[^]]*\]|[^.\[\]]+")
_TRUNCATED: Final = "Input data was truncated"
_MISSING: Final = re.compile(r"^Object missing required field `([A-Za-z_]+)`$")


class Part(msgspec.Struct, gc=False):
    """A piece of another system's document: what it says beyond that is passed over."""


def read_document(
    kind: type[DocumentT], value: bytes | msgspec.Raw, within: str = "", *, lax: bool = False
) -> DocumentT:
    """
    Return *value* as *kind*; *lax* also takes numbers that are written as texts.

    Raises:
        Unreadable: It is not JSON, or no such document; the text names the field, below *within*.
    """
    try:
        document: DocumentT = _decoder(cast("Any", kind), lax)(value)
    except msgspec.ValidationError as error:
        raise Unreadable(_said(str(error), within, cast("Any", kind))) from None
    except RecursionError:
        raise Unreadable(f"{within or 'value'}: is nested too deep") from None
    except ValueError as error:
        # The parser's own message can repeat characters of the input.
        said = CUT_OFF if str(error).startswith(_TRUNCATED) else "is not JSON"
        raise Unreadable(f"{within or 'value'}: {said}") from None
    return document


def made(contract: type[SignalT], place: str, /, **fields: Any) -> SignalT:
    """
    Return a signal with *fields*, read from *place* in a document.

    Raises:
        Unreadable: It cannot be one; the text names the place and the field.
    """
    try:
        return contract(**fields)
    except ValidationError as error:
        raise Unreadable(f"{place}: {faults(error, contract)}") from None


@lru_cache
def _decoder(kind: Any, lax: bool) -> Callable[[Any], Any]:  # noqa: FBT001 - A cache knows places only.
    return msgspec.json.Decoder(kind, strict=not lax).decode


def _said(text: str, within: str, kind: Any) -> str:
    found = _FAULT.match(text)
    said, place = (found["said"], found["place"]) if found else (text, "")
    steps = [step for step in (within, place) if step]
    missing = _MISSING.match(said)
    if missing:
        return ".".join([*steps, missing[1]]) + ": is missing"
    # The parser repeats what was sent where it had a choice of texts.
    said = f"Must be {_choices(kind, place)}" if "enum value" in said else said.replace("`", "")
    return f"{'.'.join(steps).replace('.[', '[') or 'value'}: {said[:1].lower()}{said[1:]}"


def _choices(kind: Any, place: str) -> str:
    """Return the texts that *kind* allows at *place*, where msgspec says that one is none of them."""
    here: Any = msgspec.inspect.type_info(kind)
    for step in (*_STEP.findall(place), ""):
        if isinstance(here, msgspec.inspect.UnionType):
            here = next(
                each for each in here.types if not isinstance(each, msgspec.inspect.NoneType)
            )
        if step.startswith("["):
            here = getattr(here, "item_type", None) or here.value_type
        elif step:
            here = next(each.type for each in here.fields if each.encode_name == step)
    return " or ".join(here.values)
