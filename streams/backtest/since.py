"""How cases write moments and incidents: as time since the beginning, and as a number."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final, get_args

from pydantic import AwareDatetime, BaseModel

from streams.durations import read_duration, written

#: Fields that hold an incident's id.
_IDS: Final = frozenset({"incident_id", "into", "merged_into"})

#: What is wrong with one that cannot.
NO_MOMENT: Final = (
    "is no moment: write 2024-03-01T12:00:00Z, or a time since the beginning, such as 5m or -1h"
)


def read_since(value: Any) -> timedelta | None:
    """Return how long after the beginning *value* is, ``-1h`` for an hour before; None where it is no duration."""
    if not isinstance(value, str):
        return None
    try:
        span = read_duration(value.removeprefix("-"))
    except ValueError:
        return None
    return -span if value.startswith("-") else span


def is_moment(value: Any) -> bool:
    """Whether *value* can be read as a time, or as one since the beginning."""
    if value is None or isinstance(value, datetime) or read_since(value) is not None:
        return True
    try:
        return bool(datetime.fromisoformat(value))
    except (ValueError, TypeError):
        return False


def moment(at: datetime, beginning: datetime) -> str:
    """Return *at* as the time since the beginning, as cases have it."""
    since = at - beginning
    return f"-{written(-since)}" if since < timedelta(0) else written(since)


def numbered(name: str, value: Any, beginning: datetime) -> Any:
    """Return the id of the incident with that number of the first day, where *name* is a field for one; or *value*."""
    if name in _IDS and isinstance(value, int):
        return f"INC-{beginning:%Y-%m-%d}-{value:03}"
    return value


@cache
def moments_of(kind: type[BaseModel]) -> frozenset[str]:
    """Return the fields of *kind* that hold a moment."""
    return frozenset(
        name
        for name, field in kind.model_fields.items()
        if {datetime, AwareDatetime} & {*_types(field.annotation)}
    )


@cache
def parts_of(kind: type[BaseModel]) -> Mapping[str, type[BaseModel]]:
    """Return the fields of *kind* that hold other models, with those."""
    found: dict[str, type[BaseModel]] = {}
    for name, field in kind.model_fields.items():
        for each in _types(field.annotation):
            if isinstance(each, type) and issubclass(each, BaseModel):
                found[name] = each
    return found


def _types(annotation: Any) -> list[Any]:
    inside = get_args(annotation)
    return [each for part in inside for each in _types(part)] if inside else [annotation]
