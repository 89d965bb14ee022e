"""
The one owner of the embedded engine.

A folder has one engine and an engine one process. Every statement gets a connection of its own, so that no setting
outlives it; the examined text is what runs.
"""

import fcntl
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import chdb

from streams.errors import SettingsError
from streams.laptop.warehouse import statements
from streams.laptop.warehouse.authentication import User
from streams.laptop.warehouse.confinement import write_configuration
from streams.laptop.warehouse.reading import DEFAULT_FORMAT, Asked
from streams.laptop.warehouse.statements import DATABASE, Statement

UNKNOWN: Final = 1002
BAD_QUERY: Final = 62
UNKNOWN_DATABASE: Final = 81

_CODE: Final = re.compile(r"Code:\s*(\d+)")
_NAME: Final = re.compile(r"^\w+$")
#: Its own annotations stop at this function.
_connect: Final[Any] = chdb.connect
#: chDB appends its own name to the text of an error.
_TAIL: Final = re.compile(r"\s*\(version [^()]*\)\s*$")


class EngineError(Exception):
    """What the engine says about a statement, with its code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True)
class Answer:
    """What a statement gave."""

    body: bytes
    format: str
    summary: Mapping[str, str]


class Engine:
    """The embedded engine of one folder."""

    def __init__(self, folder: Path) -> None:
        """
        Open the engine.

        Raises:
            SettingsError: The folder cannot be used, or another process has it open.
        """
        if re.search(r"[?&#%]", str(folder)):
            message = f"{folder}: a warehouse's path has none of the characters ? & # %"
            raise SettingsError(message)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(folder)
            configuration = write_configuration(folder / "configuration")
            self._address = f"{folder / 'data'}?config-file={configuration}"
            # This connection is never used up: it keeps the engine open.
            self._root = _connect(self._address)
            self._root.query(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
            self.version = str(self._root.query("SELECT version()", "TSVRaw")).strip()
        except (OSError, RuntimeError, chdb.ChdbError) as error:
            raise SettingsError(_why_not(folder, error)) from None

    def interrupt(self) -> None:
        """End the statements at work; an insert is stored whole or not at all."""
        self._root.query("KILL QUERY WHERE query_id != queryID() ASYNC")

    def close(self) -> None:
        """Let the folder go."""
        self._root.close()
        self._lock.close()

    def answer(
        self, user: User, asked: Asked, *, database: str, remembered: tuple[str, ...], reading: bool
    ) -> tuple[Statement, Answer]:
        """
        Examine a statement and run it.

        Args:
            user: Who asks.
            asked: What is asked.
            database: Where names without a database are looked for.
            remembered: ``SET`` statements of the session.
            reading: Whether the request may only read.

        Raises:
            Refused: It is not on the list of statements.
            EngineError: The engine does not accept it or could not do it.
        """
        if not _NAME.match(database) or database not in {*statements.DATABASES, "system"}:
            raise EngineError(UNKNOWN_DATABASE, f"Database {database[:64]!r} does not exist")
        for name in asked.settings:
            statements.allow_setting(name, of_request=True)
        try:
            connection = _connect(self._address)
            try:
                connection.query(f"USE {database}")
                statement = self._examine(connection, user, asked, reading=reading)
                for assignment in remembered:
                    connection.query(assignment)
                for name, value in asked.settings.items():
                    if name != "readonly":
                        connection.query(f"SET {name} = {_quoted(value)}")
                if user is User.READER or reading or asked.settings.get("readonly", "0") != "0":
                    connection.query("SET readonly = 2")
                return statement, _run(connection, statement, asked)
            finally:
                connection.close()
        except (RuntimeError, chdb.ChdbError) as error:
            raise _said(error) from None

    @staticmethod
    def _examine(connection: Any, user: User, asked: Asked, *, reading: bool) -> Statement:
        # Parsing a parameter runs nothing, whereas EXPLAIN AST of a hostile text could.
        canonical = str(
            connection.query(
                "SELECT formatQuerySingleLine({statement:String})",
                "TSVRaw",
                params={"statement": _escaped(asked.statement)},
            )
        ).rstrip("\n")
        statements.refuse_files(canonical)
        tree = str(
            connection.query(f"EXPLAIN AST {canonical}", "TSVRaw", params=dict(asked.parameters))
        )
        return statements.examine(user, canonical, tree, reading=reading)


def _run(connection: Any, statement: Statement, asked: Asked) -> Answer:
    if statement.takes_rows:
        head = re.sub(r" FORMAT (\w+|`\w+`)$", "", statement.canonical)
        with connection.send_insert(head, statement.format or DEFAULT_FORMAT) as insert:
            if asked.rows:
                insert.append(asked.rows)
            done = insert.finish()
        return Answer(
            b"",
            DEFAULT_FORMAT,
            {"written_rows": str(done.rows_written), "written_bytes": str(done.bytes_written)},
        )
    form = statement.format or asked.default_format
    if not _NAME.match(form):
        raise EngineError(BAD_QUERY, "the format's name is not a name")
    found = connection.query(statement.canonical, form, params=dict(asked.parameters))
    return Answer(
        found.bytes() or b"",
        form,
        {
            "read_rows": str(found.rows_read()),
            "read_bytes": str(found.bytes_read()),
            "written_rows": "0",
            "elapsed_ns": str(int(found.elapsed() * 1e9)),
        },
    )


def _said(error: Exception) -> EngineError:
    text = str(error)
    place = text.find("Code:")
    text = _TAIL.sub("", text[place:] if place >= 0 else text)
    code = _CODE.match(text)
    return EngineError(int(code[1]) if code else UNKNOWN, text)


def _locked(folder: Path) -> IO[bytes]:
    """Take the folder for this process; the engine's own lock does not say what it met."""
    lock = (folder / "lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        message = (
            f"{folder}: another process has this warehouse open; stop it or take another folder"
        )
        raise SettingsError(message) from None
    return lock


def _why_not(folder: Path, error: Exception) -> str:
    reason = getattr(error, "strerror", None) or str(error).split("\n", 1)[0][:300]
    return f"{folder}: the warehouse cannot be opened: {reason}"


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _escaped(value: str) -> str:
    """Write a text as the value of a server-side parameter."""
    return (
        value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    )
