"""Names and labels of other systems, made to fit ours."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from schemas import limits

_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_./-]")


@lru_cache(maxsize=16_384)
def label_name(text: str) -> str:
    """Return *text* as labels may be called: what is not allowed becomes ``_``."""
    name = _NOT_IN_NAMES.sub("_", text[: limits.LABEL_NAME_LENGTH])
    if not name or not (name[0].isalpha() or name[0] == "_"):
        name = f"_{name}"[: limits.LABEL_NAME_LENGTH]
    return name


@lru_cache(maxsize=16_384)
def clean_name(text: str) -> str:
    """Return *text* as services and tenants may be called; nothing where nothing is left."""
    kept = "".join(each if each.isprintable() else " " for each in text.strip())
    return kept[: limits.NAME_LENGTH].strip()


def fitting(*groups: Iterable[tuple[str, str]]) -> dict[str, str]:
    """
    Return the labels of *groups* that fit, the first groups before the last.

    Of names that become the same, the first stays. In a group that does not fit whole, the order of the names decides, so
    that the same labels always give the same series.
    """
    labels: dict[str, str] = {}
    for group in groups:
        fresh: dict[str, str] = {}
        for name, value in group:
            called = label_name(name)
            if called not in labels and called not in fresh:
                fresh[called] = value[: limits.LABEL_VALUE_LENGTH]
        room = limits.LABEL_COUNT - len(labels)
        if len(fresh) > room:
            fresh = {name: fresh[name] for name in sorted(fresh)[:room]}
        labels |= fresh
    return labels
