"""What a failure of ClickHouse means, and how its address is read."""

from datetime import timedelta

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, DataError, OperationalError
from pydantic import SecretStr

from streams.errors import SettingsError
from streams.gateways.clickhouse import (
    ABOUT_THE_ROWS,
    ClickHouse,
    RowsRefused,
    WarehouseUnavailable,
    judged,
)

SECRET = "a-secret-of-a-row"


@pytest.mark.parametrize("code", sorted(ABOUT_THE_ROWS))
def test_what_is_said_about_rows_refuses_them(code: int) -> None:
    """A row that never fits would be sent for ever."""
    assert isinstance(judged(DatabaseError(SECRET, code=code), "here"), RowsRefused)
    assert isinstance(judged(DataError(SECRET), "here"), RowsRefused)


@pytest.mark.parametrize(
    "error",
    [
        *(
            DatabaseError(SECRET, code=code)
            # Overload, read-only, time-outs, missing tables, passwords, and what nobody has thought of.
            for code in (
                60,
                81,
                159,
                164,
                202,
                209,
                210,
                241,
                242,
                243,
                252,
                319,
                425,
                516,
                999,
                4711,
            )
        ),
        OperationalError(SECRET),
        ConnectionRefusedError(SECRET),
        TimeoutError(SECRET),
    ],
    ids=lambda error: str(getattr(error, "code", None) or type(error).__name__),
)
def test_everything_else_is_tried_again(error: Exception) -> None:
    """A full disk would cost history."""
    assert isinstance(judged(error, "here"), WarehouseUnavailable)


def test_no_message_quotes_a_row() -> None:
    """Reasons end in headers and logs."""
    for error in (
        DatabaseError(SECRET, code=27),
        DatabaseError(SECRET, code=4711),
        DataError(SECRET),
    ):
        assert SECRET not in str(judged(error, "here"))


@pytest.mark.parametrize(
    ("url", "place", "database"),
    [
        ("http://u:p@127.0.0.1:8124/tocsin", "127.0.0.1:8124", "tocsin"),
        ("http://u:p@db/history", "db:8123", "history"),
        ("https://u:p%40%2F@db.internal/history", "db.internal:8443", "history"),
        ("http://[::1]:8123/tocsin", "::1:8123", "tocsin"),
    ],
)
def test_addresses(url: str, place: str, database: str) -> None:
    """Rows would go elsewhere."""
    clickhouse = ClickHouse(SecretStr(url), connect_timeout=timedelta(seconds=1))

    assert (clickhouse.place, clickhouse.database) == (place, database)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "tocsin",
        "ftp://u:p@db/history",
        "http://u:hunter2@db",
        "http://u:hunter2@/history",
        "http://u:hunter2@db:port/history",
        "http://u:hunter2@db/his;tory",
    ],
)
def test_a_wrong_address_is_said_without_its_password(url: str) -> None:
    """Passwords end in logs."""
    with pytest.raises(SettingsError) as refused:
        ClickHouse(SecretStr(url))

    assert (
        str(refused.value)
        == "TOCSIN_WAREHOUSE: is not http[s]://USER:PASSWORD@HOST[:PORT]/DATABASE"
    )
