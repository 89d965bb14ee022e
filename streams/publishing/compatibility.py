"""
Which changes of a contract break somebody.

Two promises are kept: what was written yesterday is read by this release, and what this release writes is read by the previous one
as long as it uses nothing new. So a contract may gain optional fields, values of an enumeration, forms of a union and room within
its limits (readers are upgraded before writers); everything else is a new class on a new topic.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

#: Keywords that bound from above, and from below.
_AT_MOST: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_AT_LEAST: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
#: Keywords whose value is what is accepted.
_EXACT: Final = ("type", "const", "pattern", "format")
_INSIDE: Final = ("items", "additionalProperties", "propertyNames")


def incompatibilities(before: Schema, after: Schema) -> list[str]:
    """Return what would break between two JSON Schemas of one contract: where it is, and what is wrong with it."""
    return list(_Comparison(before, after).differences("", before, after))


class _Comparison:
    """One walk through two schemas side by side."""

    def __init__(self, before: Schema, after: Schema) -> None:
        self._before = before.get("$defs", {})
        self._after = after.get("$defs", {})
        self._seen: set[tuple[str, str]] = set()

    def differences(self, place: str, before: Schema, after: Schema) -> Iterator[str]:
        pair = before.get("$ref", ""), after.get("$ref", "")
        if all(pair):
            if pair in self._seen:
                return
            self._seen.add(pair)
        before, after = _resolved(before, self._before), _resolved(after, self._after)
        forms, others = self._forms(before, self._before), self._forms(after, self._after)
        if len(forms) > 1 or len(others) > 1:
            yield from self._unions(place, forms, others)
            return
        for keyword in _EXACT:
            if before.get(keyword) != after.get(keyword):
                yield f"{_named(place)}: {keyword} was {before.get(keyword)!r} and is {after.get(keyword)!r}"
        yield from _lost_values(place, before, after)
        yield from _tightened(place, before, after)
        yield from self._fields(place, before, after)
        yield from self._inside(place, before, after)

    def _inside(self, place: str, before: Schema, after: Schema) -> Iterator[str]:
        for keyword in _INSIDE:
            inner, other = before.get(keyword), after.get(keyword)
            if isinstance(inner, Mapping) and isinstance(other, Mapping):
                yield from self.differences(f"{place}[]", inner, other)
        named, still = before.get("patternProperties", {}), after.get("patternProperties", {})
        for pattern, inner in named.items():
            if pattern in still:
                yield from self.differences(f"{place}[]", inner, still[pattern])
            else:
                yield f"{_named(place)}: its names no longer match {pattern}"

    def _fields(self, place: str, before: Schema, after: Schema) -> Iterator[str]:
        fields, others = before.get("properties", {}), after.get("properties", {})
        needed, still = set(before.get("required", ())), set(after.get("required", ()))
        for name, field in fields.items():
            where = f"{place}.{name}"
            if name not in others:
                yield f"{_named(where)}: is gone, and the previous release may need it"
                continue
            if name in still - needed:
                yield f"{_named(where)}: is required now, and yesterday's messages may lack it"
            if name in needed - still:
                yield f"{_named(where)}: may be missing now, and the previous release needs it"
            yield from self.differences(where, field, others[name])
        for name in others:
            if name not in fields and name in still:
                yield f"{_named(f'{place}.{name}')}: is new and required, and yesterday's messages lack it"

    def _unions(
        self, place: str, forms: dict[str, Schema], others: dict[str, Schema]
    ) -> Iterator[str]:
        for name, form in forms.items():
            if name in others:
                yield from self.differences(place, form, others[name])
            else:
                yield f"{_named(place)}: can no longer be {name}"
        for name, form in others.items():
            # A new class of message is told apart by its tag; anything else stands where the previous release expects another type.
            if name not in forms and form.get("type") != "object":
                yield f"{_named(place)}: can be {name} now, and the previous release cannot read that"

    @staticmethod
    def _forms(schema: Schema, known: Schema) -> dict[str, Schema]:
        """The alternatives of a union by what tells them apart; a schema that is none is its only one."""
        union = schema.get("anyOf") or schema.get("oneOf") or [schema]
        resolved = [_resolved(form, known) for form in union]
        return {str(form.get("title") or form.get("type")): form for form in resolved}


def _resolved(schema: Schema, known: Schema) -> Schema:
    """Follow references; what stands beside one holds as well."""
    while "$ref" in schema:
        beside = {name: value for name, value in schema.items() if name != "$ref"}
        schema = {**known[schema["$ref"].rpartition("/")[2]], **beside}
    return schema


def _lost_values(place: str, before: Schema, after: Schema) -> Iterator[str]:
    if "enum" not in before and "enum" in after:
        yield f"{_named(place)}: takes only {', '.join(map(str, after['enum']))} now"
    lost = [value for value in before.get("enum", ()) if value not in after.get("enum", [value])]
    if lost:
        yield f"{_named(place)}: no longer takes {', '.join(map(str, lost))}"


def _tightened(place: str, before: Schema, after: Schema) -> Iterator[str]:
    for keyword in _AT_MOST:
        bound, was = after.get(keyword), before.get(keyword)
        if bound is not None and (was is None or bound < was):
            yield f"{_named(place)}: {keyword} was {was} and is {bound}"
    for keyword in _AT_LEAST:
        bound, was = after.get(keyword), before.get(keyword)
        if bound is not None and (was is None or bound > was):
            yield f"{_named(place)}: {keyword} was {was} and is {bound}"


def _named(place: str) -> str:
    return place.removeprefix(".") or "message"
