"""The data dictionary: every table, view and column with what it means, made from the comments in the warehouse itself."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

Row = Mapping[str, Any]

TABLES: Final = """
SELECT name, engine = 'View' AS is_view, comment, partition_key, sorting_key, as_select
FROM system.tables WHERE database = {database:String} ORDER BY is_view DESC, name
"""
COLUMNS: Final = """
SELECT table, name, type, comment
FROM system.columns WHERE database = {database:String} ORDER BY table, position
"""
#: What a view reads, in the order in which it names it.
_SOURCE: Final = re.compile(r"\b(?:FROM|JOIN)\s+(?:\w+\.)?(\w+)")
_HEAD: Final = """\
# What is in the warehouse

Made from the comments in the warehouse by `tocsin warehouse dictionary`. Read the views; tables hold repeats until they are merged.
How reopened, merged and open incidents count stands in [README.md](README.md).
"""


def written(tables: Sequence[Row], columns: Sequence[Row]) -> str:
    """
    Return the dictionary as Markdown.

    Args:
        tables: The rows of ``TABLES``.
        columns: The rows of ``COLUMNS``.
    """
    known = meanings(tables, columns)
    parts = [_HEAD]
    for heading, are_views in (("Views", True), ("Tables", False)):
        parts.append(f"## {heading}\n")
        for table in tables:
            if bool(table["is_view"]) is are_views:
                its = [row for row in columns if row["table"] == table["name"]]
                parts.extend(_table(table, its, known))
    return "\n".join(parts)


def meanings(tables: Sequence[Row], columns: Sequence[Row]) -> dict[tuple[str, str], str]:
    """
    Return what each column means, by table and name; empty where nobody says it.

    A view that says nothing of a column means what the first of its sources means by that name.
    """
    said = {(row["table"], row["name"]): row["comment"] for row in columns}
    sources = {row["name"]: _SOURCE.findall(row["as_select"]) for row in tables}

    def meaning(table: str, name: str) -> str:
        own = said.get((table, name), "")
        others = (meaning(source, name) for source in sources.get(table, []))
        return own or next(filter(None, others), "")

    return {place: meaning(*place) for place in said}


def _table(
    table: Row, columns: Sequence[Row], known: Mapping[tuple[str, str], str]
) -> Iterator[str]:
    yield f"### `{table['name']}`\n\n{table['comment']}.\n"
    if table["sorting_key"]:
        keys = f"Key: `{table['sorting_key']}`"
        partition = table["partition_key"]
        yield f"{keys}; partitions: `{partition}`.\n" if partition else f"{keys}.\n"
    lines = ["| column | type | meaning |", "|---|---|---|"]
    lines += [
        f"| `{row['name']}` | `{row['type']}` | {known[table['name'], row['name']]} |"
        for row in columns
    ]
    yield "\n".join(lines) + "\n"
