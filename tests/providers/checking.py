"""What all providers check alike."""

from typing import Any

import orjson
from jsonschema import Draft202012Validator

from streams.laptop.receivers import Answer, Posted


def text(length: int, least: int = 1) -> dict[str, Any]:
    return {"type": "string", "minLength": least, "maxLength": length}


def closed(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    """An object with exactly these fields."""
    return {
        "type": "object",
        "required": list(required),
        "properties": required | (optional or {}),
        "additionalProperties": False,
    }


def fault(schema: dict[str, Any], posted: Posted) -> str | None:
    """What is wrong with a body; None where nothing is."""
    if not posted.headers.get("Content-Type", "").startswith("application/json"):
        return "Content-Type is not application/json"
    try:
        body = orjson.loads(posted.body)
    except orjson.JSONDecodeError:
        return "not JSON"
    return next(
        (error.message[:300] for error in Draft202012Validator(schema).iter_errors(body)), None
    )


def said(code: int, /, **fields: Any) -> Answer:
    return Answer(code, orjson.dumps(fields), {"Content-Type": "application/json"})


LINK = {"type": "string", "pattern": "^https?://", "maxLength": 3_000}
MOMENT = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"}
