"""
The warehouse's tables as numbered files, and which of them are still to be applied.

The rule this module alone enforces: what was applied is never edited. Whoever wants another table writes another file.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from streams.errors import TocsinError

#: Runs before every migration; its table remembers the others.
BOOTSTRAP: Final = 0
APPLIED: Final = "SELECT number, name, checksum FROM schema_migrations FINAL ORDER BY number"
REMEMBER: Final = (
    "INSERT INTO schema_migrations (number, name, checksum)"
    " SELECT {number:UInt16}, {name:String}, {checksum:String}"
)

_FILE: Final = re.compile(r"^(\d{4})_([a-z0-9_]+)\.sql$")
_PIECE: Final = re.compile(
    r"('(?:[^'\\]|\\.|'')*'|`(?:[^`\\]|\\.)*`|\"(?:[^\"\\]|\\.)*\")|(--[^\n]*|/\*.*?\*/)|(;)",
    re.DOTALL,
)


class MigrationRefused(TocsinError):
    """The migrations and the warehouse do not fit together; the text names the file."""


@dataclass(frozen=True)
class Migration:
    """One file: a number, a name, and statements that each may be repeated."""

    number: int
    name: str
    statements: tuple[str, ...]

    @property
    def checksum(self) -> str:
        """What tells it from an edited one; comments and blanks around statements do not count."""
        return hashlib.sha256("\n;\n".join(self.statements).encode()).hexdigest()


def migrations(folder: Traversable | None = None) -> list[Migration]:
    """
    Return the migrations of *folder*, in order.

    Raises:
        MigrationRefused: A file's name is not ``NNNN_name.sql``, or a number is missing or taken twice.
    """
    place = folder or files("streams.warehouse") / "migrations"
    found: list[Migration] = []
    for entry in sorted(place.iterdir(), key=lambda it: it.name):
        if not entry.name.endswith(".sql"):
            continue
        named = _FILE.match(entry.name)
        if named is None:
            message = f"{entry.name}: a migration is called NNNN_name.sql"
            raise MigrationRefused(message)
        if int(named[1]) != len(found):
            message = f"{entry.name}: the next migration has the number {len(found):04}"
            raise MigrationRefused(message)
        text = entry.read_text(encoding="utf-8")
        found.append(Migration(int(named[1]), entry.name, tuple(statements_of(text))))
    return found


def statements_of(text: str) -> list[str]:
    """Cut a file at its semicolons and leave out its comments."""
    pieces = [""]
    place = 0
    for piece in _PIECE.finditer(text):
        pieces[-1] += text[place : piece.start()] + (piece[1] or "")
        place = piece.end()
        if piece[3]:
            pieces.append("")
    pieces[-1] += text[place:]
    return [piece.strip() for piece in pieces if piece.strip()]


def pending(known: Sequence[Migration], applied: Sequence[Mapping[str, object]]) -> list[Migration]:
    """
    Return what is still to be applied, in order.

    Args:
        known: All migrations of this release.
        applied: The rows of ``APPLIED``.

    Raises:
        MigrationRefused: One was edited after it was applied, or the warehouse knows one that this release does not.
    """
    by_number = {migration.number: migration for migration in known}
    done: set[int] = set()
    for row in applied:
        number, name = int(str(row["number"])), str(row["name"])
        migration = by_number.get(number)
        if migration is None:
            message = f"{name}: was applied by a newer release; run that release's `tocsin migrate`"
            raise MigrationRefused(message)
        if migration.checksum != row["checksum"]:
            message = (
                f"{migration.name}: was edited after it was applied (as {name}); "
                "put it back and write a new migration"
            )
            raise MigrationRefused(message)
        done.add(number)
    return [it for it in known if it.number != BOOTSTRAP and it.number not in done]
