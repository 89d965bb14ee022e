from typing import Any

import pytest

from streams.publishing.compatibility import incompatibilities


def message(required: tuple[str, ...] = ("name",), **fields: Any) -> dict[str, Any]:
    properties = {"name": {"type": "string", "maxLength": 10}, **fields}
    return {"type": "object", "properties": properties, "required": list(required)}


BEFORE = message(
    state={"$ref": "#/$defs/State"},
    at={"type": "string", "format": "date-time"},
    count={"type": "integer", "minimum": 0},
    until={"anyOf": [{"type": "string"}, {"type": "null"}]},
    tags={"type": "array", "maxItems": 5, "items": {"type": "string", "maxLength": 8}},
    labels={"type": "object", "patternProperties": {"^[a-z]+$": {"type": "string"}}},
) | {"$defs": {"State": {"type": "string", "enum": ["on", "off"]}}}


def changed(**fields: Any) -> dict[str, Any]:
    return BEFORE | {"properties": BEFORE["properties"] | fields}


@pytest.mark.parametrize(
    "after",
    [
        BEFORE,
        changed(another={"type": "string"}),
        changed(name={"type": "string", "maxLength": 20, "description": "new words"}),
        BEFORE | {"$defs": {"State": {"type": "string", "enum": ["on", "off", "broken"]}}},
    ],
    ids=["nothing", "optional field", "more room", "another value"],
)
def test_what_may_change(after: dict[str, Any]) -> None:
    """Contracts could never grow."""
    assert incompatibilities(BEFORE, after) == []


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (
            BEFORE | {"properties": {k: v for k, v in BEFORE["properties"].items() if k != "at"}},
            ["at: is gone, and the previous release may need it"],
        ),
        (
            changed(another={"type": "string"}) | {"required": ["name", "another"]},
            ["another: is new and required, and yesterday's messages lack it"],
        ),
        (
            BEFORE | {"required": ["name", "at"]},
            ["at: is required now, and yesterday's messages may lack it"],
        ),
        (
            BEFORE | {"required": []},
            ["name: may be missing now, and the previous release needs it"],
        ),
        (
            changed(name={"type": "string", "maxLength": 9}),
            ["name: maxLength was 10 and is 9"],
        ),
        (
            changed(count={"type": "number", "minimum": 1}),
            ["count: type was 'integer' and is 'number'", "count: minimum was 0 and is 1"],
        ),
        (
            changed(at={"type": "string"}),
            ["at: format was 'date-time' and is None"],
        ),
        (
            changed(until={"type": "string"}),
            ["until: can no longer be null"],
        ),
        (
            changed(name={"anyOf": [{"type": "string", "maxLength": 10}, {"type": "null"}]}),
            ["name: can be null now, and the previous release cannot read that"],
        ),
        (
            BEFORE | {"$defs": {"State": {"type": "string", "enum": ["on"]}}},
            ["state: no longer takes off"],
        ),
        (
            changed(at={"type": "string", "format": "date-time", "enum": ["now"]}),
            ["at: takes only now now"],
        ),
        (
            changed(
                tags={"type": "array", "maxItems": 5, "items": {"type": "string", "maxLength": 7}}
            ),
            ["tags[]: maxLength was 8 and is 7"],
        ),
        (
            changed(labels={"type": "object", "patternProperties": {"^[a-z]$": {}}}),
            ["labels: its names no longer match ^[a-z]+$"],
        ),
    ],
)
def test_what_breaks_somebody_is_named(after: dict[str, Any], said: list[str]) -> None:
    """A producer or a consumer would find out in production."""
    assert incompatibilities(BEFORE, after) == said


def test_a_class_of_message_may_be_added_to_a_union_and_not_taken_away() -> None:
    """Commands get new actions, and old ones stay."""

    def one(title: str) -> dict[str, Any]:
        return {"type": "object", "title": title, "properties": {"action": {"const": title}}}

    before, after = {"oneOf": [one("Close"), one("Merge")]}, {"oneOf": [one("Close"), one("Split")]}
    assert incompatibilities(before, {"oneOf": [*before["oneOf"], one("Split")]}) == []
    assert incompatibilities(before, after) == ["message: can no longer be Merge"]


def test_a_schema_that_holds_itself_is_compared_once() -> None:
    """The walk would not end."""
    tree = {
        "$ref": "#/$defs/Tree",
        "$defs": {"Tree": {"type": "object", "properties": {"inner": {"$ref": "#/$defs/Tree"}}}},
    }
    assert incompatibilities(tree, tree) == []
