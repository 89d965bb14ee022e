"""Entries: what changed is told once, by a name that can be read back."""

import pytest

from streams.entries import Entries, named, unnamed, written


def entries(table: dict[tuple[str, ...], int]) -> Entries:
    return Entries({"number": lambda place: written(table.get(place))})


def test_what_changed_is_told_once_however_often() -> None:
    table = {("a",): 1}
    told = entries(table)
    told.note("number", ("a",))
    table["a",] = 2
    told.note("number", ("a",))
    assert told.changes() == {named("number", ("a",)): b"2"}
    assert told.changes() == {}


def test_what_is_gone_is_told_as_none() -> None:
    told = entries({})
    told.note("number", ("a",))
    assert told.changes() == {named("number", ("a",)): None}


def test_what_came_and_went_unseen_is_not_told() -> None:
    told = entries({})
    told.come("number", ("a",))
    told.go("number", ("a",))
    assert told.changes() == {}


def test_what_came_is_told_and_then_that_it_went() -> None:
    """A journal would keep for ever what is gone."""
    table = {("a",): 1}
    told = entries(table)
    told.come("number", ("a",))
    assert told.changes() == {named("number", ("a",)): b"1"}
    table.clear()
    told.go("number", ("a",))
    assert told.changes() == {named("number", ("a",)): None}


@pytest.mark.parametrize(
    "place", [("default", "INC-1"), ("a/b", "[x]", ""), ("\x1f", "a\x1fb"), ('"', "\\", "é")]
)
def test_a_name_is_read_back(place: tuple[str, ...]) -> None:
    """Two tenants would share an entry."""
    assert unnamed(named("kind", place)) == ("kind", place)
