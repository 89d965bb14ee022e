"""What a report tells against what another computation found."""

from typing import Any

import pytest

from streams.warehouse.report import Account
from streams.warehouse.writing import names_of
from tests.integration.facts import Rows

#: What tables hold for themselves.
HIDDEN = {"answered", "ended"}


def differences(account: Account, expected: dict[str, Rows]) -> list[Any]:
    """Return every figure that is not the same, and every one that nobody worked out another way."""
    found: list[Any] = []
    if {table.name for table in account.tables} != set(expected):
        found.append([table.name for table in account.tables])
    for table in account.tables:
        rights = expected.get(table.name, [])
        if len(table.rows) != len(rights):
            found.append((table.name, len(table.rows), len(rights)))
        for row, right in zip(table.rows, rights, strict=False):
            found += [
                (table.name, column, row[column], value)
                for column, value in right.items()
                if not _same(row[column], value)
            ]
            found += [(table.name, name) for name in set(names_of(table)) - HIDDEN - set(right)]
    return found


def _same(one: Any, other: Any) -> bool:
    if isinstance(other, float):
        return bool(one == pytest.approx(other, rel=1e-9, abs=1e-9))
    return bool(one == other)
