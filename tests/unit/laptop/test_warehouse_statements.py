"""The allow-list on literal statements and the trees that the engine prints for them."""

import pytest

from streams.laptop.warehouse.authentication import User
from streams.laptop.warehouse.statements import (
    Refused,
    Statement,
    allow_setting,
    examine,
    refuse_files,
    settings_in,
)

SELECT = """\
SelectWithUnionQuery (children 1)
 ExpressionList (children 1)
  SelectQuery (children 2)
   ExpressionList (children 1)
    {expression}
   TablesInSelectQuery (children 1)
    TablesInSelectQueryElement (children 1)
     TableExpression (children 1)
      {table}
"""
INSERT = """\
InsertQuery   (children 2)
 Identifier tocsin
 Identifier x
"""
CREATE = """\
CreateQuery tocsin y (children 3)
 Identifier tocsin
 Identifier y
 Storage definition (children 2)
  Function {engine} (children 1)
   ExpressionList
  Function toYYYYMM (children 1)
   ExpressionList (children 1)
    Identifier a
"""


def select(expression: str = "Asterisk", table: str = "TableIdentifier tocsin.x") -> str:
    return SELECT.format(expression=expression, table=table)


def reason(user: User, canonical: str, tree: str) -> str:
    refuse_files(canonical)
    with pytest.raises(Refused) as refused:
        examine(user, canonical, tree)
    return str(refused.value)


def test_a_select_is_allowed_to_both() -> None:
    """The warehouse would answer nobody."""
    for user in User:
        assert examine(user, "SELECT * FROM tocsin.x FORMAT JSON", select()) == Statement(
            "SELECT * FROM tocsin.x FORMAT JSON", "SelectWithUnionQuery", "JSON", takes_rows=False
        )


def test_an_insert_takes_rows_and_is_the_owners() -> None:
    """A reader would write, or the owner could not."""
    statement = "INSERT INTO tocsin.x FORMAT Native"

    assert examine(User.TOCSIN, statement, INSERT).takes_rows
    assert examine(User.TOCSIN, statement, INSERT).format == "Native"
    assert reason(User.READER, statement, INSERT) == "reader: this user may only read"
    with pytest.raises(Refused, match="a GET may only read"):
        examine(User.TOCSIN, statement, INSERT, reading=True)


@pytest.mark.parametrize(
    "table",
    [
        "TableIdentifier /etc/passwd",
        "TableIdentifier default.x",
        "TableIdentifier system.users",
        "TableIdentifier other.x",
        "Function file (children 1)\n       ExpressionList",
        "Function URL (children 1)\n       ExpressionList",
        "Function Python (children 1)\n       ExpressionList",
    ],
)
def test_other_sources_are_refused(table: str) -> None:
    """A table can be a file, an address or a variable of the process."""
    assert "is not offered" in (it := reason(User.TOCSIN, "SELECT 1", select(table=table))) or (
        "named by letters" in it
    )


@pytest.mark.parametrize(
    "function", ["file", "FILE", "dictGet", "aiGenerate", "AIGenerate", "sleep", "addressToLine"]
)
def test_functions_that_look_outside_are_refused(function: str) -> None:
    """No grant covers them."""
    tree = select(expression=f"Function {function} (alias a) (children 1)\n     ExpressionList")

    assert reason(User.READER, "SELECT 1", tree) == f"the function {function} is not offered"


@pytest.mark.parametrize("function", ["count", "profile", "evenly", "tidy", "plus"])
def test_functions_with_similar_names_are_allowed(function: str) -> None:
    """The list would be in the analyst's way."""
    tree = select(expression=f"Function {function} (children 1)\n     ExpressionList")

    examine(User.READER, "SELECT 1", tree)


@pytest.mark.parametrize("engine", ["File", "URL", "Kafka", "Memory", "ExecutablePool", "Python"])
def test_other_engines_are_refused(engine: str) -> None:
    """A table could be a file that everybody reads."""
    assert (
        reason(User.TOCSIN, "CREATE TABLE tocsin.y", CREATE.format(engine=engine))
        == "only engines of the MergeTree family are offered"
    )


def test_tables_of_ours_are_created() -> None:
    """The migrations would be refused."""
    examine(User.TOCSIN, "CREATE TABLE tocsin.y", CREATE.format(engine="ReplacingMergeTree"))
    elsewhere = CREATE.format(engine="MergeTree").replace("Identifier tocsin", "Identifier system")
    assert "only the database tocsin" in reason(User.TOCSIN, "CREATE TABLE system.y", elsewhere)


@pytest.mark.parametrize(
    "tree",
    [
        "",
        "SelectWithUnionQuery (children 1)",
        "SelectWithUnionQuery (children 1)\n ExpressionList\n ExpressionList",
        "SelectWithUnionQuery\n   ExpressionList",
        "SelectWithUnionQuery\nSelectWithUnionQuery",
    ],
)
def test_a_tree_that_was_cut_or_grew_is_refused(tree: str) -> None:
    """A setting or a name that hides lines of the tree would hide what they say."""
    assert reason(User.TOCSIN, "SELECT 1", tree) == "its syntax tree cannot be read"


@pytest.mark.parametrize(
    "canonical",
    [
        "SELECT 1 INTO OUTFILE 'x'",
        "EXPLAIN SELECT 1 INTO OUTFILE 'x' TRUNCATE",
        "INSERT INTO tocsin.x FROM INFILE 'x' FORMAT CSV",
        "CREATE TABLE tocsin.x ON CLUSTER c (a UInt8)",
        "SELECT 1; SELECT 2",
        "SELECT 1 AS `a\\nb`",
    ],
)
def test_what_must_not_even_be_explained_is_refused(canonical: str) -> None:
    """EXPLAIN writes the file that INTO OUTFILE names."""
    with pytest.raises(Refused):
        refuse_files(canonical)


def test_words_in_literals_are_only_words() -> None:
    """A note that quotes SQL could not be looked for."""
    canonical = "SELECT 'INTO OUTFILE ''x''; -- SETTINGS a = 1' AS `said; INTO OUTFILE`, 'it\\'s' SETTINGS final = 1"

    refuse_files(canonical)
    examine(User.READER, canonical, select())


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("SELECT 1 SETTINGS a = 1, b = '', c = -1.5 FORMAT JSON", ["a", "b", "c"]),
        ("SELECT 1 FROM (SELECT 1 SETTINGS a = 1) SETTINGS b = {'': 1}", ["a", "b"]),
        ("INSERT INTO x SETTINGS a = 0 SELECT 1", ["a"]),
        ("ALTER TABLE x (MODIFY SETTING a = 1), (ADD COLUMN b String)", ["a"]),
        ("SET a = 1, b = DEFAULT", ["a", "b"]),
        ("SELECT a = 1, b = 2", []),
    ],
)
def test_settings_are_found_wherever_they_stand(text: str, names: list[str]) -> None:
    """One that is overlooked lifts a limit."""
    assert list(settings_in(text)) == names


@pytest.mark.parametrize(
    "text", ["SELECT 1 SETTINGS a = f(1), b = 2", "SELECT 1 SETTINGS a", "SET a = 1 + 1, b = 2"]
)
def test_settings_that_cannot_be_read_are_refused(text: str) -> None:
    """What follows them would go unexamined."""
    with pytest.raises(Refused):
        list(settings_in(text))


def test_settings_that_cut_the_tree_are_for_requests_only() -> None:
    """They would cut what EXPLAIN AST answers, and with it what is examined."""
    for name in ("limit", "max_result_rows", "result_overflow_mode"):
        allow_setting(name, of_request=True)
        with pytest.raises(Refused):
            allow_setting(name, of_request=False)


@pytest.mark.parametrize(
    "name",
    [
        "additional_result_filter",
        "dialect",
        "format_schema",
        "output_format_schema",
        "profile",
        "user",
    ],
)
def test_settings_that_carry_statements_or_paths_are_refused(name: str) -> None:
    """Their values are never examined."""
    with pytest.raises(Refused) as refused:
        allow_setting(name, of_request=True)
    assert str(refused.value) == f"the setting {name!r} cannot be changed here"
