"""Levels of log records, as a rule author writes them."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

#: The lowest OpenTelemetry severity number of each level.
LEVELS: Final[Mapping[str, int]] = {
    "trace": 1,
    "debug": 5,
    "info": 9,
    "warn": 13,
    "error": 17,
    "fatal": 21,
}


def _level(given: Any) -> Any:
    if isinstance(given, str) and given.lower() in LEVELS:
        return LEVELS[given.lower()]
    if isinstance(given, bool) or not isinstance(given, int):
        message = (
            f"must be one of {', '.join(LEVELS)}, or an OpenTelemetry severity number from 1 to 24"
        )
        raise ValueError(message)  # noqa: TRY004 - pydantic reports nothing else
    return given


Level = Annotated[int, Field(ge=1, le=24), BeforeValidator(_level)]
