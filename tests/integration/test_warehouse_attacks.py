"""What nobody gets out of the embedded warehouse, and what everybody may ask."""

import zlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from streams.laptop.warehouse.authentication import User
from streams.laptop.warehouse.statements import FUNCTIONS_REFUSED, REQUEST_SETTINGS, SETTINGS
from tests.integration.warehouse import RunningWarehouse, running_warehouse

MARK = "only-the-owner-may-read-this"

#: For both users. {secret} is a file outside the warehouse, {out} one that must not come to be.
REACHING_OUT = [
    "SELECT * FROM file('{secret}', 'LineAsString')",
    "SELECT * FROM FILE('{secret}', LineAsString)",
    "SELECT file('{secret}')",
    "SELECT FILE ( '{secret}' )",
    "SELECT `file`('{secret}')",
    "SELECT \"file\"('{secret}')",
    "SELECT/**/file/**/('{secret}')",
    "SELECT arrayMap(x -> file(x), ['{secret}'])",
    "SELECT 1 WHERE file('{secret}') != ''",
    "SELECT count() FROM numbers(1) ORDER BY file('{secret}')",
    "WITH file('{secret}') AS f SELECT f",
    "WITH q AS (SELECT * FROM file('{secret}', LineAsString)) SELECT * FROM q",
    "SELECT * FROM (SELECT * FROM file('{secret}', LineAsString))",
    "SELECT 1 UNION ALL SELECT length(file('{secret}'))",
    "SELECT 1 INTERSECT SELECT length(file('{secret}'))",
    "SELECT * FROM numbers(1) WHERE number IN (SELECT length(file('{secret}')))",
    "FROM file('{secret}', LineAsString) SELECT *",
    "FROM file('{secret}', LineAsString) |> WHERE 1",
    "SELECT * FROM '{secret}'",
    "SELECT * FROM `{secret}`",
    'SELECT * FROM "{secret}"',
    "SELECT * FROM default.`{secret}`",
    "SELECT * FROM tocsin.`{secret}`",
    "SELECT 'x' IN `{secret}`",
    "SELECT 'x' IN default.`{secret}`",
    "EXISTS TABLE default.`{secret}`",
    "EXISTS TABLE `{secret}`",
    "SHOW CREATE TABLE default.`{secret}`",
    "SHOW TABLES FROM default",
    "DESCRIBE TABLE default.`{secret}`",
    "SELECT * FROM values('a String', file('{secret}'))",
    "SELECT * FROM numbers(length(file('{secret}')))",
    "SELECT * FROM view(SELECT * FROM file('{secret}', LineAsString))",
    "SELECT * FROM format(LineAsString, file('{secret}'))",
    "SELECT * FROM loop(file('{secret}', LineAsString))",
    "SELECT * FROM eval('SELECT 1')",
    "SELECT * FROM url('http://127.0.0.1:{port}/ping', LineAsString)",
    "SELECT * FROM s3('http://127.0.0.1:{port}/ping', LineAsString)",
    "SELECT * FROM hdfs('hdfs://127.0.0.1:1/x', LineAsString)",
    "SELECT * FROM remote('127.0.0.1', system.one)",
    "SELECT * FROM cluster('default', system.one)",
    "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "SELECT * FROM postgresql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "SELECT * FROM fileCluster('c', '{secret}')",
    "SELECT * FROM/*x*/fIlE/**/('{secret}', LineAsString)",
    "SELECT * FROM fil\u0435('{secret}', LineAsString)",
    "SELECT * FROM urlCluster('c', 'http://127.0.0.1:{port}/ping')",
    "SELECT * FROM remoteSecure('127.0.0.1', system.one)",
    "SELECT * FROM azureBlobStorage('a', 'b', 'c')",
    "SELECT * FROM redis('127.0.0.1:1', 'b', 'c')",
    "SELECT * FROM arrowFlight('127.0.0.1:1', 'x')",
    "SELECT * FROM mergeTreeIndex('tocsin', 'kept')",
    "SELECT 1 FORMAT Template SETTINGS format_template_row = '{secret}'",
    "SELECT 1 FORMAT Protobuf SETTINGS format_schema = '{secret}:x'",
    "SELECT * FROM sqlite('{secret}', 't')",
    "SELECT * FROM executable('id', TSV, 'a String')",
    "SELECT * FROM Python(engine)",
    "SELECT * FROM filesystem('/')",
    "SELECT * FROM icebergLocal('/tmp', Parquet)",
    "SELECT * FROM deltaLakeLocal('/tmp')",
    "SELECT * FROM merge('system', 'users')",
    "SELECT * FROM dictionary('d')",
    "SELECT * FROM input('a String')",
    "SELECT * FROM system.disks",
    "SELECT * FROM system.users",
    "SELECT * FROM system.processes",
    "SELECT * FROM system.server_settings",
    "SELECT 1 INTO OUTFILE '{out}'",
    "SELECT 1 INTO OUTFILE '{out}' FORMAT CSV",
    "SELECT 1 INTO/**/OUTFILE '{out}' TRUNCATE",
    "EXPLAIN SELECT 1 INTO OUTFILE '{out}'",
    "EXPLAIN AST SELECT 1 INTO OUTFILE '{out}'",
    "EXPLAIN AST SELECT 1; SELECT * FROM file('{secret}', LineAsString)",
    "EXPLAIN SELECT * FROM file('{secret}', LineAsString)",
    "EXPLAIN AST CREATE USER other",
    "EXPLAIN CURRENT TRANSACTION",
    "DESCRIBE TABLE file('{secret}', LineAsString)",
    "DESCRIBE (SELECT * FROM file('{secret}', LineAsString))",
    "SELECT 1; SELECT file('{secret}')",
    "SELECT 1;; DROP TABLE kept",
    "SELECT 1 /* ; */ ; SELECT 2",
    "SELECT 1 PARALLEL WITH SELECT file('{secret}')",
    "SELECT 1 SETTINGS additional_result_filter = 'length(file(\\'{secret}\\')) = 1'",
    "SELECT 1 SETTINGS max_memory_usage = 0",
    "SELECT 1 SETTINGS max_execution_time = 0",
    "SELECT 1 SETTINGS max_threads = 1, max_memory_usage = 100000000000",
    "SELECT 1 SETTINGS max_threads = 1, dialect = 'prql'",
    "SELECT * FROM (SELECT 1 SETTINGS allow_introspection_functions = 1)",
    "SELECT file('{secret}') SETTINGS limit = 1",
    "SELECT file('{secret}') SETTINGS max_result_rows = 1, result_overflow_mode = 'break'",
    "SELECT file('{secret}') FORMAT Null",
    "SELECT file('{secret}') FORMAT Vertical",
    "SELECT '\nSelectWithUnionQuery', file('{secret}')",
    "SELECT file('{secret}') AS `a (children 0)`",
    "SELECT 1 AS `a\\n Function x`, file('{secret}')",
    "SET max_memory_usage = 0",
    "SET dialect = 'kusto'",
    "SET allow_introspection_functions = 1",
    "SET format_schema = '{secret}'",
    "SET profile = 'default'",
    "INSERT INTO tocsin.kept SETTINGS input_format_record_errors_file_path = '{out}' FORMAT CSV x",
    "SELECT dictGet('d', 'a', 1)",
    "SELECT sleep(3)",
    "SELECT sleepEachRow(1) FROM numbers(1000)",
    "SELECT aiGenerate('c', 'x')",
    "SELECT catboostEvaluate('{secret}', 1)",
    "SELECT getClientHTTPHeader('Authorization')",
    "SELECT addressToLine(1)",
    "CREATE FUNCTION f AS x -> x",
    "CREATE FUNCTION f ON CLUSTER c AS x -> x",
    "CREATE USER other IDENTIFIED BY 'x'",
    "GRANT ALL ON *.* TO default",
    "ALTER USER default SETTINGS max_memory_usage = 0",
    "CREATE DATABASE other",
    "CREATE DATABASE other ENGINE = MySQL('127.0.0.1:1', 'a', 'b', 'c')",
    "CREATE DATABASE tocsin ENGINE = Filesystem('/')",
    "DROP DATABASE tocsin",
    "DETACH TABLE kept",
    "TRUNCATE TABLE kept",
    "ATTACH TABLE tocsin.y FROM '/tmp' (a String) ENGINE = File(TSV)",
    "CREATE TABLE tocsin.y (a String) ENGINE = File(LineAsString, '{secret}')",
    "CREATE TABLE tocsin.y (a String) ENGINE = URL('http://127.0.0.1:1/', TSV)",
    "CREATE TABLE tocsin.y (a String) ENGINE = S3('http://127.0.0.1:1/a', TSV)",
    "CREATE TABLE tocsin.y (a String) ENGINE = Executable('id', TSV)",
    "CREATE TABLE tocsin.y (a String) ENGINE = Kafka('127.0.0.1:1', 't', 'g', 'TSV')",
    "CREATE TABLE tocsin.y (a String) ENGINE = Python(engine)",
    (
        "CREATE TABLE tocsin.y (a String) ENGINE = MergeTree ORDER BY a"
        " SETTINGS disk = disk(type = local, path = '/tmp/x/')"
    ),
    "CREATE TABLE tocsin.y (a String) ENGINE = MergeTree ORDER BY a SETTINGS storage_policy = 'x'",
    "CREATE TABLE tocsin.y (a String DEFAULT file('{secret}')) ENGINE = MergeTree ORDER BY a",
    "CREATE TABLE tocsin.y AS file('{secret}', LineAsString)",
    "CREATE TABLE tocsin.y ENGINE = MergeTree ORDER BY tuple() AS SELECT file('{secret}') AS a",
    "CREATE TABLE system.y (a String) ENGINE = MergeTree ORDER BY a",
    "CREATE TABLE default.y (a String) ENGINE = MergeTree ORDER BY a",
    "CREATE TABLE tocsin.y ON CLUSTER c (a String) ENGINE = MergeTree ORDER BY a",
    "CREATE TEMPORARY TABLE y (a String) ENGINE = File(LineAsString, '{secret}')",
    "CREATE VIEW tocsin.y AS SELECT * FROM file('{secret}', LineAsString)",
    "CREATE VIEW tocsin.y AS SELECT file('{secret}') AS a",
    "CREATE MATERIALIZED VIEW tocsin.y ENGINE = File(TSV) AS SELECT 1 AS a",
    (
        "CREATE DICTIONARY tocsin.y (a UInt64, b String) PRIMARY KEY a"
        " SOURCE(FILE(PATH '{secret}' FORMAT TSV)) LAYOUT(FLAT()) LIFETIME(1)"
    ),
    (
        "CREATE DICTIONARY tocsin.y (a UInt64, b String) PRIMARY KEY a"
        " SOURCE(EXECUTABLE(COMMAND 'id' FORMAT TSV)) LAYOUT(FLAT()) LIFETIME(1)"
    ),
    "CREATE NAMED COLLECTION c AS a = 1",
    "INSERT INTO FUNCTION file('{out}', TSV) SELECT 1",
    "INSERT INTO TABLE FUNCTION url('http://127.0.0.1:1/', TSV) SELECT 1",
    "INSERT INTO tocsin.kept FROM INFILE '{secret}' FORMAT LineAsString",
    "INSERT INTO tocsin.kept SELECT file('{secret}')",
    "INSERT INTO tocsin.kept SELECT * FROM file('{secret}', LineAsString)",
    "INSERT INTO tocsin.kept VALUES (file('{secret}'))",
    "INSERT INTO tocsin.kept VALUES ('a'), (file('{secret}'))",
    (
        "INSERT INTO tocsin.kept SETTINGS input_format_values_interpret_expressions = 1"
        " VALUES (file('{secret}'))"
    ),
    "INSERT INTO system.one VALUES (1)",
    "ALTER TABLE tocsin.kept ATTACH PARTITION ALL FROM system.parts",
    "ALTER TABLE tocsin.kept FETCH PARTITION tuple() FROM '/x'",
    "ALTER TABLE tocsin.kept FREEZE WITH NAME 'x'",
    "ALTER TABLE tocsin.kept MODIFY SETTING disk = 'x'",
    "ALTER TABLE tocsin.kept ADD COLUMN b String DEFAULT file('{secret}')",
    "ALTER TABLE tocsin.kept UPDATE a = file('{secret}') WHERE 1",
    "ALTER TABLE tocsin.kept MODIFY TTL now() + toIntervalSecond(length(file('{secret}')))",
    "ALTER TABLE tocsin.kept MODIFY TTL now() + INTERVAL 1 DAY TO DISK 'x'",
    "ALTER TABLE tocsin.kept ADD INDEX i length(file('{secret}')) TYPE minmax GRANULARITY 1",
    "ALTER TABLE tocsin.kept MODIFY SETTING storage_policy = 'x'",
    "ALTER TABLE tocsin.kept DELETE WHERE a = file('{secret}')",
    "CREATE TABLE tocsin.y (a String) ENGINE = MergeTree PARTITION BY file('{secret}') ORDER BY a",
    "CREATE TABLE tocsin.y (a String TTL now() + toIntervalSecond(length(file('{secret}')))) ENGINE = MergeTree ORDER BY tuple()",
    "CREATE TABLE tocsin.y (a String, CONSTRAINT c CHECK a != file('{secret}')) ENGINE = MergeTree ORDER BY a",
    (
        "CREATE MATERIALIZED VIEW tocsin.y REFRESH EVERY 1 SECOND TO tocsin.kept"
        " AS SELECT file('{secret}') AS a"
    ),
    "RENAME TABLE tocsin.kept TO default.kept",
    "EXCHANGE TABLES tocsin.kept AND tocsin.kept",
    "BACKUP TABLE tocsin.kept TO File('{out}')",
    "RESTORE TABLE tocsin.kept FROM File('{secret}')",
    "SYSTEM SHUTDOWN",
    "SYSTEM RELOAD CONFIG",
    "KILL QUERY WHERE 1",
    "USE default",
    "EXECUTE AS default SELECT 1",
    "SHOW PROCESSLIST",
    "exit",
    "quit",
    "\\q",
    "@{secret}",
    "",
    ";",
]

#: For the reader only.
WRITING = [
    "INSERT INTO tocsin.kept VALUES ('x')",
    "INSERT INTO tocsin.kept SELECT 'x'",
    "CREATE TABLE tocsin.mine (a String) ENGINE = MergeTree ORDER BY a",
    "CREATE VIEW tocsin.mine AS SELECT 1",
    "ALTER TABLE tocsin.kept ADD COLUMN b String",
    "ALTER TABLE tocsin.kept DELETE WHERE 1",
    "DROP TABLE tocsin.kept",
    "DROP VIEW tocsin.kept",
    "OPTIMIZE TABLE tocsin.kept FINAL",
    "EXPLAIN AST DROP TABLE tocsin.kept",
    "SELECT 1 SETTINGS readonly = 0",
    "SET readonly = 0",
]

ALLOWED = [
    "SELECT * FROM kept",
    "SELECT count() FROM tocsin.kept PREWHERE a != 'x'",
    "SELECT 'file(''/etc/x''); INTO OUTFILE ''y'' -- SETTINGS a = 1' AS `what; he said`",
    "SELECT 1 AS x -- a comment; with file('x')",
    "SELECT $$;$$ AS heredoc;",
    "WITH q AS (SELECT a FROM kept) SELECT q.a, count() FROM q GROUP BY q.a ORDER BY 1 LIMIT 5",
    "SELECT number FROM numbers(3) SETTINGS max_threads = 1, max_block_size = 10 FORMAT JSON",
    "SELECT quantilesExact(0.5, 0.9)(number) FROM numbers(100)",
    "SELECT * FROM values('a UInt8, b String', (1, 'x'))",
    "SELECT name FROM system.tables WHERE database = 'tocsin'",
    "SELECT table_name FROM information_schema.tables",
    "EXPLAIN SELECT * FROM kept",
    "EXPLAIN indexes = 1 SELECT * FROM kept WHERE a = 'x'",
    "EXPLAIN PIPELINE SELECT count() FROM kept",
    "SHOW TABLES",
    "SHOW CREATE TABLE kept",
    "DESCRIBE TABLE kept",
    "EXISTS TABLE kept",
    "EXISTS TABLE tocsin.kept",
    "SHOW TABLES FROM tocsin",
    "SHOW CREATE TABLE tocsin.kept",
    "SHOW COLUMNS FROM kept",
    "SET max_threads = 2",
]


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWarehouse]:
    with running_warehouse(tmp_path_factory.mktemp("warehouse")) as running:
        made = running.ask("CREATE TABLE tocsin.kept (a String) ENGINE = MergeTree ORDER BY a")
        assert made.status_code == 200, made.text
        yield running


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret.txt"
    path.write_text(MARK + "\n")
    return path


@pytest.mark.parametrize("user", User)
@pytest.mark.parametrize("attack", REACHING_OUT)
def test_no_statement_reaches_out_of_the_database(
    warehouse: RunningWarehouse, secret: Path, user: User, attack: str
) -> None:
    """A statement that gets through reads the laptop's files as whoever runs the pipeline."""
    out = secret.with_name("out")
    statement = (
        attack.replace("{secret}", str(secret))
        .replace("{out}", str(out))
        .replace("{port}", str(warehouse.port))
    )

    answer = warehouse.ask(statement, user)

    assert answer.status_code >= 400, answer.text
    assert MARK not in answer.text
    assert not out.exists()
    assert warehouse.ask("SELECT count() FROM kept").text == "0\n"


@pytest.mark.parametrize("attack", WRITING)
def test_the_reader_writes_nothing(warehouse: RunningWarehouse, attack: str) -> None:
    """An analyst's tool could change history."""
    answer = warehouse.ask(attack, User.READER)

    assert answer.status_code >= 400, answer.text
    assert warehouse.ask("SELECT count() FROM kept").text == "0\n"


@pytest.mark.parametrize("user", User)
@pytest.mark.parametrize("statement", ALLOWED)
def test_ordinary_questions_are_answered(
    warehouse: RunningWarehouse, user: User, statement: str
) -> None:
    """The allow-list would be in the analyst's way."""
    answer = warehouse.ask(statement, user)

    assert answer.status_code == 200, answer.text


def test_the_engine_has_no_dangerous_function_that_the_list_forgot(
    warehouse: RunningWarehouse,
) -> None:
    """A newer engine brings functions that nobody here has heard of."""
    categories = ["AI", "Dictionary", "Embedded Dictionary", "Introspection"]
    answer = warehouse.ask(
        "SELECT name FROM system.functions WHERE hasAny(splitByString(', ', categories), {of:Array(String)})",
        param_of=str(categories),
    )

    names = answer.text.splitlines()
    assert len(names) > 50
    assert [name for name in names if not FUNCTIONS_REFUSED.match(name.lower())] == []


def test_no_setting_on_the_list_names_a_file_or_an_address(warehouse: RunningWarehouse) -> None:
    """A newer engine brings settings that nobody here has heard of."""
    answer = warehouse.ask(
        "SELECT name FROM system.settings WHERE match(name, '(_path|_url|_host|_command|_schema|_filters|result_filter)$')"
    )

    names = answer.text.splitlines()
    assert len(names) > 10
    assert [name for name in names if SETTINGS.match(name) or REQUEST_SETTINGS.match(name)] == []


def test_a_get_writes_nothing(warehouse: RunningWarehouse) -> None:
    """A link in a page could write."""
    answer = httpx.get(
        f"http://127.0.0.1:{warehouse.port}/",
        params={"query": "INSERT INTO kept SELECT 'x'"},
        auth=("tocsin", warehouse.password()),
    )

    assert answer.status_code == 403
    assert "Code: 164" in answer.text


@pytest.mark.parametrize(
    "query",
    [
        {"max_memory_usage": "0"},
        {"max_execution_time": "100000"},
        {"allow_introspection_functions": "1"},
        {"additional_result_filter": "file('/etc/hostname') = 'x'"},
        {"dialect": "prql"},
        {"profile": "default"},
        {"no_such_setting": "1"},
        {"max_threads; DROP TABLE kept": "1"},
        {"database": "default"} | {"param_t": "/etc/hostname"},
        {"database": "other"},
        {"default_format": "TSV INTO OUTFILE '/tmp/x'"},
    ],
    ids=str,
)
def test_a_request_lifts_no_limit(warehouse: RunningWarehouse, query: dict[str, str]) -> None:
    """What the statement may not say, the query string could."""
    statement = "SELECT * FROM {t:Identifier}" if "param_t" in query else "SELECT 1"

    answer = warehouse.ask(statement, User.READER, **query)

    assert answer.status_code >= 400
    assert any(f"Code: {code}." in answer.text for code in (62, 81, 452, 497)), answer.text


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("tocsin", ""),
        ("tocsin", "wrong"),
        ("default", ""),
        ("", ""),
        ("reader", "tocsin"),
        ("é", "é"),
    ],
)
def test_nobody_is_answered_without_the_password(
    warehouse: RunningWarehouse, name: str, password: str
) -> None:
    """Any process of the machine could read the history."""
    answer = httpx.post(
        f"http://127.0.0.1:{warehouse.port}/",
        content="SELECT 1",
        headers={"X-ClickHouse-User": name.encode(), "X-ClickHouse-Key": password.encode()},
    )

    assert answer.status_code == 401
    assert "Code: 516" in answer.text


def test_a_large_result_is_refused_and_the_next_statement_answered(
    warehouse: RunningWarehouse,
) -> None:
    """One careless SELECT would take the engine's memory."""
    large = warehouse.ask("SELECT repeat('x', 1000) FROM numbers(1000000)", User.READER)
    hungry = warehouse.ask("SELECT groupArray(number) FROM numbers(1000000000)", User.READER)

    assert large.status_code >= 400
    assert hungry.status_code >= 400
    assert warehouse.ask("SELECT 1", User.READER).text == "1\n"


def test_a_long_statement_ends(warehouse: RunningWarehouse) -> None:
    """Four of them would hold every thread."""
    endless = "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1"

    answer = warehouse.ask(endless, User.READER, max_execution_time="1")

    assert answer.status_code == 408
    assert "Code: 159" in answer.text


def test_an_overlong_body_is_refused(warehouse: RunningWarehouse) -> None:
    """A few large bodies, or one small one that inflates, would fill the memory."""
    bomb = httpx.post(
        f"http://127.0.0.1:{warehouse.port}/",
        params={"query": "INSERT INTO kept FORMAT TSV"},
        content=_gzip_of_zeros(200 << 20),
        headers={"Content-Encoding": "gzip"},
        auth=("tocsin", warehouse.password()),
        timeout=30,
    )

    assert bomb.status_code == 413
    assert "Code: 307" in bomb.text


def _gzip_of_zeros(size: int) -> bytes:
    worker = zlib.compressobj(9, wbits=31)
    part = bytes(1 << 20)
    return b"".join(worker.compress(part) for _ in range(size >> 20)) + worker.flush()
