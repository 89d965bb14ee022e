"""
Whether a user may ask this: the allow-list of statements.

It decides on what the engine's own parser understood, never on the text that was sent: ``canonical`` is the
statement as the parser writes it back (one statement, no comments, one way of quoting), ``tree`` its syntax tree as
``EXPLAIN AST`` prints it. What is run afterwards is the canonical text. All that is not listed is refused.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from streams.laptop.warehouse.authentication import User

#: The one database; another than ``default``, where unknown names of tables mean files.
DATABASE: Final = "tocsin"

ACCESS_DENIED: Final = 497
READONLY: Final = 164

READING: Final = frozenset(
    {
        "SelectWithUnionQuery",
        "SelectIntersectExceptQuery",
        "Explain",
        "DescribeQuery",
        "ExistsTableQuery",
        "ExistsViewQuery",
        "ExistsDatabaseQuery",
        "ShowTables",
        "ShowColumns",
        "ShowIndexes",
        "ShowCreateTableQuery",
        "ShowCreateViewQuery",
        "Set",
    }
)
SHOWING: Final = frozenset(it for it in READING if it.startswith(("Show", "Exists")))
WRITING: Final = frozenset(
    {"InsertQuery", "CreateQuery", "AlterQuery", "DropQuery", "OptimizeQuery"}
)
EXPLAINED: Final = frozenset({"SelectWithUnionQuery", "SelectIntersectExceptQuery"})
ALTERATIONS: Final = frozenset(
    {
        "ADD_COLUMN",
        "MODIFY_COLUMN",
        "COMMENT_COLUMN",
        "RENAME_COLUMN",
        "DROP_COLUMN",
        "MODIFY_COMMENT",
        "MODIFY_ORDER_BY",
        "MODIFY_TTL",
        "MODIFY_SETTING",
        "MODIFY_QUERY",
        "ADD_INDEX",
        "DROP_INDEX",
        "MATERIALIZE_INDEX",
        "MATERIALIZE_COLUMN",
        "DELETE",
        "UPDATE",
    }
)
TABLE_FUNCTIONS: Final = frozenset(
    {"numbers", "numbers_mt", "zeros", "zeros_mt", "values", "generateseries", "generate_series"}
)
TABLE_ENGINE: Final = re.compile(r"^(Replacing|Summing|Aggregating)?MergeTree$")
DATABASES: Final = frozenset({DATABASE, "information_schema", "INFORMATION_SCHEMA"})
SYSTEM_TABLES: Final = frozenset(
    {
        "asynchronous_metrics",
        "build_options",
        "columns",
        "data_skipping_indices",
        "data_type_families",
        "databases",
        "events",
        "formats",
        "functions",
        "merges",
        "metrics",
        "mutations",
        "numbers",
        "one",
        "parts",
        "parts_columns",
        "settings",
        "tables",
        "time_zones",
        "view_refreshes",
    }
)
#: Functions that read files, ask other machines or models, look into the process, or hold a thread.
#: Grants do not cover them.
FUNCTIONS_REFUSED: Final = re.compile(
    r"^(file|eval.*|catboost.*|naivebayes.*|dict.*|region.*|joinget.*|addressto.*|demangle|logtrace"
    r"|ai(classify|embed|extract|filter|generate|redact|similarity|translate)"
    r"|sleep.*|showcertificate|getclienthttpheader|getserversetting|getmacro|filesystem.*|mergetreepart.*"
    r"|ismergetreepart.*|tid|currentrequesturl|structureto.*|getoskernelversion|zookeeper.*)$"
)
#: What a request or a statement may set. Others can carry expressions, paths or dialects.
SETTINGS: Final = re.compile(
    r"^(max_(threads|memory_usage|execution_time|rows_to_read|bytes_to_read|block_size"
    r"|insert_block_size|final_threads|partitions_per_insert_block|rows_to_group_by|bytes_before_external_[a-z_]+)"
    r"|output_format_(?!schema|avro_confluent|image)[a-z0-9_]+|input_format_(?!values_|record_errors)[a-z0-9_]+"
    r"|date_time_(input|output)_format|session_timezone|cast_string_to_dynamic_use_inference"
    r"|async_insert|wait_for_async_insert|insert_deduplicate|insert_deduplication_token|insert_null_as_default"
    r"|deduplicate_blocks_in_dependent_materialized_views|throw_on_max_partitions_per_insert_block"
    r"|final|do_not_merge_across_partitions_select_final|optimize_[a-z0-9_]+|use_skip_indexes|use_query_cache"
    r"|join_use_nulls|join_algorithm|union_default_mode|extremes|prefer_column_name_to_alias|log_comment"
    r"|log_queries|mutations_sync|alter_sync|lightweight_deletes_sync|send_logs_level"
    r"|index_granularity(_bytes)?|ttl_only_drop_parts|merge_with_ttl_timeout|allow_nullable_key"
    r"|(non_)?replicated_deduplication_window(_seconds)?|min_(rows|bytes)_for_wide_part"
    r"|min_age_to_force_merge_(seconds|on_partition_only))$"
)
#: What only a request may set, as it is applied after the statement was examined: in a statement these would
#: also cut what ``EXPLAIN AST`` answers.
REQUEST_SETTINGS: Final = re.compile(
    r"^(max_result_(rows|bytes)|(result|read|timeout|group_by)_overflow_mode|limit|offset|readonly)$"
)

_QUOTED: Final = re.compile(r"'(?:[^'\\]|\\.|'')*'|`((?:[^`\\]|\\.|``)*)`", re.DOTALL)
_NAME: Final = re.compile(r"^\w+(\.\w+){0,2}$")
_BLANK: Final = "''"
_ASSIGNMENT: Final = re.compile(
    r"([\w.]+) = (''|[+-]?[\w.]+|\{[^{}]*\}|\[[^\[\]]*\])(?=$|\)|, [\w.]+ = | [A-Z(])"
)
_FORMAT: Final = re.compile(r" FORMAT (\w+|`\w+`)(?= SETTINGS |$)")
_NODE: Final = re.compile(r"^( *)(\S+)(.*)$")


class Refused(Exception):
    """A statement that is not on the list, with ClickHouse's code for it."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True)
class Statement:
    """What was examined: run this and nothing else."""

    canonical: str
    root: str
    #: The FORMAT it names, for input of an INSERT and for output of the others.
    format: str | None
    #: Whether the rows follow as data.
    takes_rows: bool


@dataclass(frozen=True)
class Node:
    """One line of the syntax tree."""

    depth: int
    kind: str
    rest: str

    @property
    def name(self) -> str:
        """What follows the kind, without the count of children and the alias."""
        return re.sub(r" \((children|alias) .*$", "", self.rest).strip()

    @property
    def children(self) -> int:
        """How many nodes it says are below it."""
        count = re.search(r" \(children (\d+)\)$", self.rest)
        return int(count[1]) if count else 0


def nodes_of(tree: str) -> list[Node]:
    """
    Read the lines that ``EXPLAIN AST`` prints.

    Raises:
        Refused: A node has other children than it says: something was cut off or slipped in.
    """
    found = (_NODE.match(line) for line in tree.splitlines() if line.strip())
    nodes = [Node(len(it[1]), it[2], it[3]) for it in found if it]
    seen = [0] * len(nodes)
    above: list[int] = []
    for place, node in enumerate(nodes):
        del above[node.depth :]
        if len(above) != node.depth or (place and not above):
            raise Refused(ACCESS_DENIED, "its syntax tree cannot be read")
        if above:
            seen[above[-1]] += 1
        above.append(place)
    if any(node.children != count for node, count in zip(nodes, seen, strict=True)):
        raise Refused(ACCESS_DENIED, "its syntax tree cannot be read")
    return nodes


def examine(user: User, canonical: str, tree: str, *, reading: bool = False) -> Statement:
    """
    Allow a statement.

    Args:
        user: Who asks.
        canonical: The statement as the engine's parser writes it.
        tree: Its syntax tree, with parameters put in.
        reading: Whether the request may only read, as a GET does.

    Raises:
        Refused: It is not on the list; the text says what of it.
    """
    text = _without_literals(canonical)
    nodes = nodes_of(tree)
    if not nodes:
        raise Refused(ACCESS_DENIED, "its syntax tree cannot be read")
    root = nodes[0].kind
    if root in WRITING:
        if user is not User.TOCSIN:
            raise Refused(ACCESS_DENIED, f"{user}: this user may only read")
        if reading:
            raise Refused(READONLY, "a GET may only read: use POST")
        _examine_writing(root, nodes, text)
    elif root not in READING:
        raise Refused(ACCESS_DENIED, f"statements of this sort are not offered: {root}")
    if root == "Explain" and not _explains_select(nodes):
        raise Refused(ACCESS_DENIED, "only a SELECT can be explained")
    for name in settings_in(text):
        allow_setting(name, of_request=root == "Set")
    if root in SHOWING:
        _examine_shown(nodes)
    _examine_sources(nodes)

    form = _FORMAT.search(text)
    takes_rows = root == "InsertQuery" and not any(
        node.depth == 1 and node.kind in EXPLAINED for node in nodes
    )
    return Statement(canonical, root, form[1].strip("`") if form else None, takes_rows)


def refuse_files(canonical: str) -> None:
    """
    Refuse what must not even be explained: ``EXPLAIN … INTO OUTFILE`` writes its file.

    Raises:
        Refused: The statement reads or writes a file, or names other machines.
    """
    text = _without_literals(canonical)
    for phrase in ("INTO OUTFILE", "FROM INFILE", "ON CLUSTER"):
        if re.search(rf"\b{phrase}\b", text):
            raise Refused(ACCESS_DENIED, f"{phrase} is not offered")


def allow_setting(name: str, *, of_request: bool) -> None:
    """
    Allow a setting of a request or a statement; its value is bounded by the engine.

    Raises:
        Refused: It is not on the list.
    """
    if not SETTINGS.match(name) and not (of_request and REQUEST_SETTINGS.match(name)):
        raise Refused(ACCESS_DENIED, f"the setting {name[:64]!r} cannot be changed here")


def settings_in(text: str) -> Iterator[str]:
    """
    Name the settings that a canonical text without literals changes.

    Raises:
        Refused: Something stands there that cannot be read.
    """
    for clause in re.finditer(r"\bSETTINGS? |^SET ", text):
        place = clause.end()
        while True:
            assignment = _ASSIGNMENT.match(text, place)
            if assignment is None:
                raise Refused(ACCESS_DENIED, "its SETTINGS cannot be read")
            yield assignment[1]
            place = assignment.end()
            if not text.startswith(", ", place):
                break
            place += 2


def _without_literals(canonical: str) -> str:
    """Blank out strings and unwrap quoted names, refusing names that could look like something else."""

    def blank(quoted: re.Match[str]) -> str:
        name = quoted[1]
        if name is None:
            return _BLANK
        if "\\" in name or not name.isprintable():
            raise Refused(ACCESS_DENIED, "a name with control characters is not offered")
        return f"`{name}`" if name.isidentifier() else "`_`"

    text = _QUOTED.sub(blank, canonical)
    if ";" in text or '"' in text or "--" in text or "/*" in text or "$" in text:
        raise Refused(ACCESS_DENIED, "one plain statement at a time")
    return text


def _explains_select(nodes: list[Node]) -> bool:
    inner = [node for node in nodes if node.depth == 1 and node.kind != "Set"]
    # A FORMAT after EXPLAIN stands beside what is explained.
    return (
        bool(inner)
        and inner[0].kind in EXPLAINED
        and all(node.kind == "Identifier" for node in inner[1:])
    )


def _examine_shown(nodes: list[Node]) -> None:
    """These name a database or ``database, table`` one level below; elsewhere they would find files."""
    named = [node.name for node in nodes if node.depth == 1 and node.kind == "Identifier"]
    database = DATABASE
    if named and (named[1:] or nodes[0].kind == "ShowTables"):
        database = named[0]
    if database not in {*DATABASES, "system"}:
        raise Refused(ACCESS_DENIED, f"the database {database} is not offered")
    if not all(_NAME.match(name) for name in named):
        raise Refused(ACCESS_DENIED, "a table is named by letters, digits and underscores")


def _examine_writing(root: str, nodes: list[Node], text: str) -> None:
    """What is written must be inside the database and stored by an engine that keeps it there."""
    named = [node.name for node in nodes if node.depth == 1 and node.kind == "Identifier"]
    outside = len(named) > 1 and named[0] != DATABASE
    if re.match(r"(CREATE|DROP)( OR REPLACE)? DATABASE", text):
        outside = named[:1] != [DATABASE]
    if outside:
        raise Refused(ACCESS_DENIED, f"only the database {DATABASE} can be written")
    unwanted = re.match(
        r"DROP DATABASE|DROP DICTIONARY|CREATE TEMPORARY|CREATE DICTIONARY|INSERT INTO FUNCTION",
        text,
    )
    if unwanted:
        raise Refused(ACCESS_DENIED, f"{unwanted[0]} is not offered")
    for node in nodes:
        if node.kind == "AlterCommand" and node.name not in ALTERATIONS:
            raise Refused(ACCESS_DENIED, f"ALTER … {node.name} is not offered")
    if root == "CreateQuery":
        _examine_storage(nodes)


def _examine_storage(nodes: list[Node]) -> None:
    for place, node in enumerate(nodes):
        if node.depth == 1 and node.kind in {"Dictionary", "Function"}:
            raise Refused(ACCESS_DENIED, "a table from another source is not offered")
        if node.depth == 1 and node.kind == "Storage":
            # The engine comes first; keys and partitions follow, and may be functions too.
            engine = nodes[place + 1 : place + 2]
            if not engine or engine[0].kind != "Function" or not TABLE_ENGINE.match(engine[0].name):
                raise Refused(ACCESS_DENIED, "only engines of the MergeTree family are offered")


def _examine_sources(nodes: list[Node]) -> None:
    """Tables, table functions and functions, wherever they stand in the statement."""
    for before, node in zip([nodes[0], *nodes], nodes, strict=False):
        if node.kind == "TableIdentifier":
            _allow_table(node.name)
        elif node.kind == "Function":
            function = node.name.lower()
            if before.kind == "TableExpression":
                if function not in TABLE_FUNCTIONS:
                    raise Refused(ACCESS_DENIED, f"the table function {node.name} is not offered")
            elif FUNCTIONS_REFUSED.match(function):
                raise Refused(ACCESS_DENIED, f"the function {node.name} is not offered")


def _allow_table(name: str) -> None:
    if not _NAME.match(name):
        raise Refused(ACCESS_DENIED, "a table is named by letters, digits and underscores")
    database, _, table = name.rpartition(".")
    if (
        database
        and database not in DATABASES
        and (database != "system" or table not in SYSTEM_TABLES)
    ):
        raise Refused(ACCESS_DENIED, f"the table {name} is not offered")
