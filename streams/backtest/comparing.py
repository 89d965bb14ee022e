"""
Whether what was told is what a case expects.

A field that is not named may be anything, also inside of another; the order of what was told does not matter.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter

from schemas.contract import Contract
from streams.backtest.since import moment, read_since

_JSON: TypeAdapter[Any] = TypeAdapter(Any)


def paired(
    wanted: Sequence[Mapping[str, Any]], seen: Sequence[Contract], beginning: datetime
) -> tuple[list[tuple[Mapping[str, Any], Contract]], list[Mapping[str, Any]], list[Contract]]:
    """
    Return pairs of what is expected and seen and differs, what was not seen, and what was not expected.

    What says most is looked for first; what is not found is compared with what is most like it.
    """

    def score(want: Mapping[str, Any], found: Contract) -> int:
        return sum(alike(want[name], value(found, name), beginning) for name in want)

    left = list(seen)
    unmet = []
    for want in sorted(wanted, key=len, reverse=True):
        met = next((each for each in left if score(want, each) == len(want)), None)
        if met is None:
            unmet.append(want)
        else:
            left.remove(met)
    pairs, missing = [], []
    for want in unmet:
        nearest = max(left, key=lambda each, want=want: score(want, each), default=None)  # type: ignore[misc]
        if nearest is None:
            missing.append(want)
        else:
            left.remove(nearest)
            pairs.append((want, nearest))
    return pairs, missing, left


def value(found: Contract, name: str) -> Any:
    """Return the field of *found* called *name*, as JSON has it."""
    return found.model_dump(mode="json", include={name}).get(name)


def alike(wanted: Any, has: Any, beginning: datetime) -> bool:
    """Whether *has* is what is *wanted*: of maps what is named, of lists each entry, of moments the time since the beginning."""
    if isinstance(wanted, Mapping) and isinstance(has, Mapping):
        return all(name in has and alike(wanted[name], has[name], beginning) for name in wanted)
    if isinstance(wanted, list) and isinstance(has, list):
        return len(wanted) == len(has) and all(
            alike(want, each, beginning) for want, each in zip(wanted, has, strict=True)
        )
    plain = _JSON.dump_python(wanted, mode="json")
    if plain == has:
        return True
    since = _since(plain, has, beginning)
    return since is not None and since == read_since(plain)


def shown(wanted: Any, has: Any, beginning: datetime) -> str:
    """Return *has* as who wrote *wanted* would write it."""
    if _since(wanted, has, beginning) is not None:
        return moment(datetime.fromisoformat(has), beginning)
    if isinstance(wanted, Mapping) and isinstance(has, Mapping):
        return told({name: has.get(name) for name in wanted})
    if isinstance(wanted, list) and isinstance(has, list) and len(wanted) == len(has):
        pairs = zip(wanted, has, strict=True)
        return f"[{', '.join(shown(want, each, beginning) for want, each in pairs)}]"
    return told(has)


def told(value: Any) -> str:
    """Return *value* in words."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {told(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(told, value)) + "]"
    return "nothing" if value is None else str(value)


def _since(wanted: Any, has: Any, beginning: datetime) -> timedelta | None:
    """Return the moment *has* as a duration where one is *wanted*; None where none is."""
    if not isinstance(has, str) or read_since(wanted) is None:
        return None
    try:
        return datetime.fromisoformat(has) - beginning
    except (ValueError, TypeError):
        return None
