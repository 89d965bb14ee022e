"""Which migrations are still to be applied, and when they are refused."""

import re
from pathlib import Path

import pytest

from streams.warehouse.migration import (
    Migration,
    MigrationRefused,
    migrations,
    pending,
    statements_of,
)

#: What may be done twice. Rows that are inserted again meet their own key: those tables are of the replacing sort.
REPEATABLE = re.compile(
    r"CREATE TABLE IF NOT EXISTS |CREATE OR REPLACE VIEW |INSERT INTO (incident_turns|severity_levels) "
    r"|ALTER TABLE \w+ (ADD (COLUMN|INDEX) IF NOT EXISTS |MATERIALIZE (COLUMN|INDEX) |MODIFY (SETTING|TTL) |COMMENT COLUMN )"
)
BOOT = Migration(0, "0000_boot.sql", ("SELECT 0",))
FIRST = Migration(1, "0001_first.sql", ("SELECT 1",))
SECOND = Migration(2, "0002_second.sql", ("SELECT 2",))


def applied(migration: Migration) -> dict[str, object]:
    return {
        "number": migration.number,
        "name": migration.name,
        "checksum": migration.checksum,
    }


def test_what_is_applied_is_not_applied_again() -> None:
    """Every start would run everything."""
    known = [BOOT, FIRST, SECOND]

    assert pending(known, []) == [FIRST, SECOND]
    assert pending(known, [applied(FIRST)]) == [SECOND]
    assert pending(known, [applied(SECOND)]) == [FIRST]
    assert pending(known, [applied(FIRST), applied(SECOND)]) == []


def test_an_edited_one_is_refused_by_name() -> None:
    """Two installations of one release would have different tables."""
    edited = Migration(1, "0001_first.sql", ("SELECT 1 + 1",))

    with pytest.raises(MigrationRefused) as refused:
        pending([BOOT, edited, SECOND], [applied(FIRST)])

    assert str(refused.value) == (
        "0001_first.sql: was edited after it was applied (as 0001_first.sql); "
        "put it back and write a new migration"
    )


def test_a_newer_release_is_named() -> None:
    """An older worker would write into tables that it does not know."""
    with pytest.raises(MigrationRefused) as refused:
        pending([BOOT, FIRST], [applied(FIRST), applied(SECOND)])

    assert str(refused.value) == (
        "0002_second.sql: was applied by a newer release; run that release's `tocsin migrate`"
    )


def test_a_comment_is_no_edit() -> None:
    """Nobody would dare to correct one."""
    before = statements_of("-- Why.\nSELECT 1; /* a */ SELECT 2;")
    after = statements_of("SELECT 1;\nSELECT 2; -- Because.\n")

    assert Migration(1, "x", tuple(before)).checksum == Migration(1, "x", tuple(after)).checksum


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("", []),
        (" ; ;\n", []),
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1;SELECT 2;", ["SELECT 1", "SELECT 2"]),
        ("SELECT ';'; SELECT '--' ", ["SELECT ';'", "SELECT '--'"]),
        ("SELECT 'it''s;', 'a\\';'", ["SELECT 'it''s;', 'a\\';'"]),
        ('SELECT `a;`, "b;"', ['SELECT `a;`, "b;"']),
        ("SELECT 1 -- it's; not\n, 2", ["SELECT 1 \n, 2"]),
    ],
)
def test_files_are_cut_at_their_semicolons(text: str, statements: list[str]) -> None:
    """A semicolon in a comment would cut a statement in two."""
    assert statements_of(text) == statements


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["0000_a.sql", "first.sql"], "first.sql: a migration is called NNNN_name.sql"),
        (["0000_a.sql", "0002_b.sql"], "0002_b.sql: the next migration has the number 0001"),
        (
            ["0000_a.sql", "0001_b.sql", "0001_c.sql"],
            "0001_c.sql: the next migration has the number 0002",
        ),
    ],
)
def test_misnamed_files_are_refused(tmp_path: Path, names: list[str], message: str) -> None:
    """Two branches that each add 0007 would apply one of them."""
    for name in names:
        (tmp_path / name).write_text("SELECT 1")

    with pytest.raises(MigrationRefused) as refused:
        migrations(tmp_path)

    assert str(refused.value) == message


def test_ours_are_in_order_and_can_be_repeated() -> None:
    """A second migrator at the same time would fail."""
    ours = migrations()

    assert [it.number for it in ours] == list(range(len(ours)))
    for migration in ours:
        for statement in migration.statements:
            assert REPEATABLE.match(statement), statement
