"""Which reader takes a change's payload, and what is wrong with one that cannot be read."""

import importlib
import json
import pkgutil
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from schemas.changes import ChangeV1
from schemas.contract import Unreadable, faults
from streams.telemetry import changes

Reader = Callable[[Mapping[str, Any], datetime], list[ChangeV1]]


def readers() -> dict[str, Reader]:
    """Return the reader of each system, by its file's name."""
    names = [each.name for each in pkgutil.iter_modules(changes.__path__)]
    return {
        name: importlib.import_module(f"{changes.__name__}.{name}").read
        for name in sorted(names)
        if not name.startswith("_")
    }


def read_changes(system: str, payload: bytes, at: datetime) -> list[ChangeV1]:
    """
    Return the changes that *payload* of *system*, heard at *at*, tells of; none where it tells of something else.

    Raises:
        Unreadable: It is no JSON object, or says something that a change cannot be.
        KeyError: There is no reader for the system.
    """
    read = readers()[system]
    try:
        given = json.loads(payload)
    except (ValueError, RecursionError):
        message = "value: is not JSON"
        raise Unreadable(message) from None
    if not isinstance(given, dict):
        message = "value: must be an object"
        raise Unreadable(message)
    try:
        return read(given, at)
    except ValidationError as error:
        raise Unreadable(faults(error, ChangeV1)) from None
    except (ValueError, OverflowError):
        message = "value: holds a time that cannot be"
        raise Unreadable(message) from None
