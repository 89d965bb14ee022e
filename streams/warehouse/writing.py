"""A report for programs: JSON with everything, CSV with one table."""

import csv
import io
import json
from datetime import date, datetime
from typing import Any

from streams.warehouse.report import Account, Report, Table


def as_json(asked: Report, account: Account) -> str:
    """Return a report as JSON: its name, settings, time, tables by name, and recommendations; ``rows`` is the first table."""
    since, until = asked.window
    return json.dumps(
        {
            "report": asked.name,
            "settings": asked.model_dump(mode="json", exclude_none=True),
            "since": since.isoformat(),
            "until": until.isoformat(),
            "rows": _rows(account.tables[0]),
            "tables": {table.name: _rows(table) for table in account.tables},
            "recommendations": [
                {"advice": it.advice, "because": it.because, "rule": it.rule}
                for it in account.recommendations
            ],
            "notes": list(account.notes),
        },
        indent=2,
        default=_text,
    )


def as_csv(table: Table) -> str:
    """Return a table as CSV (RFC 4180) with a line of names; nothing where there is no value."""
    paper = io.StringIO()
    writer = csv.writer(paper)
    names = names_of(table)
    writer.writerow(names)
    for row in table.rows:
        writer.writerow([_cell(row[name]) for name in names])
    return paper.getvalue()


def names_of(table: Table) -> list[str]:
    """
    Return what programs get of a table: all that its rows hold but lists, whether a person is shown it or not.

    A value that is written out for people is left out: programs get the value itself.
    """
    if not table.rows:
        return [column.name for column in table.columns if not _written(column.name)]
    return [
        name
        for name, value in table.rows[0].items()
        if not _written(name) and not isinstance(value, list | tuple)
    ]


def _written(name: str) -> bool:
    return name == "shown" or name.endswith("_shown")


def _rows(table: Table) -> list[dict[str, Any]]:
    names = names_of(table)
    return [{name: row[name] for name in names} for row in table.rows]


def _cell(value: Any) -> Any:
    if isinstance(value, date):
        return _text(value)
    # A spreadsheet would take a text that begins so for a formula.
    if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"}:
        return f"'{value}"
    return value


def _text(value: Any) -> str:
    if isinstance(value, date | datetime):
        return value.isoformat()
    return str(value)
