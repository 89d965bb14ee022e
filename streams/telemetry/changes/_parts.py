"""Pieces of payloads that can be missing, empty or of another type."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def part(payload: Any, *path: str) -> Mapping[str, Any]:
    """Return the object at *path*; an empty one where there is none."""
    for step in path:
        payload = payload.get(step) if isinstance(payload, Mapping) else None
    return payload if isinstance(payload, Mapping) else {}


def text(value: Any) -> str | None:
    """Return *value* as text; None where it says nothing."""
    return str(value).strip() or None if isinstance(value, str | int) else None


def moment(value: Any) -> datetime | None:
    """Return *value*, a time as ISO 8601 or GitLab writes it, or seconds since 1970; None where it is none."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value, UTC)
    if not isinstance(value, str):
        return None
    # GitLab: "2021-04-28 21:50:00 +0200", or with UTC in words.
    written = value.strip().replace(" UTC", "+00:00").replace(" +", "+").replace(" -", "-")
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
