"""Who is asking."""

import base64
import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from streams.errors import SettingsError
from streams.laptop.warehouse.authentication import (
    User,
    identify,
    read_passwords,
    write_passwords,
)

PASSWORDS = {User.TOCSIN: SecretStr("t" * 20), User.READER: SecretStr("r" * 20)}


def basic(text: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


@pytest.mark.parametrize(
    ("headers", "query", "user"),
    [
        (basic("tocsin:" + "t" * 20), {}, User.TOCSIN),
        (basic("reader:" + "r" * 20), {}, User.READER),
        ({"X-ClickHouse-User": "reader", "X-ClickHouse-Key": "r" * 20}, {}, User.READER),
        ({}, {"user": "tocsin", "password": "t" * 20}, User.TOCSIN),
        (basic("tocsin:" + "r" * 20), {}, None),
        (basic("nobody:" + "t" * 20), {}, None),
        (basic("tocsin"), {}, None),
        ({"Authorization": "Basic ***"}, {}, None),
        ({"Authorization": "Bearer " + "t" * 20}, {}, None),
        # What was said first counts, so that nothing is tried twice.
        (
            {"X-ClickHouse-User": "tocsin", "X-ClickHouse-Key": "wrong"}
            | basic("tocsin:" + "t" * 20),
            {},
            None,
        ),
        ({}, {}, None),
        ({}, {"user": "tocsin"}, None),
        ({}, {"user": "é", "password": "é"}, None),
    ],
)
def test_credentials(headers: dict[str, str], query: dict[str, str], user: User | None) -> None:
    """Somebody else would be let in, or the owner would not."""
    assert identify(headers, query, PASSWORDS) is user


def test_passwords_are_made_up_and_read_back(tmp_path: Path) -> None:
    """`tocsin up` writes what the warehouse reads."""
    path = tmp_path / "passwords"

    written = write_passwords(path)

    assert read_passwords(path) == written
    assert len({it.get_secret_value() for it in written.values()}) == len(User)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert write_passwords(path) != written


def test_a_file_that_others_read_is_refused(tmp_path: Path) -> None:
    """Every user of the machine could read the history."""
    path = tmp_path / "passwords"
    write_passwords(path)
    path.chmod(0o640)

    with pytest.raises(SettingsError) as refused:
        read_passwords(path)

    assert str(refused.value) == (
        f"{path}: others can read the warehouse's passwords; run: chmod 600 {path}"
    )


@pytest.mark.parametrize("text", ["", "tocsin:" + "t" * 20, "tocsin:t\nreader:r", "tocsin\nreader"])
def test_a_file_without_proper_passwords_is_refused(tmp_path: Path, text: str) -> None:
    """An empty password would let everybody in."""
    path = tmp_path / "passwords"
    path.touch(mode=0o600)
    path.write_text(text)

    with pytest.raises(SettingsError, match="PASSWORD' with at least 16 characters"):
        read_passwords(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A traceback would not say which file."""
    with pytest.raises(SettingsError) as refused:
        read_passwords(tmp_path / "none")

    assert str(refused.value) == (
        f"{tmp_path / 'none'}: the warehouse's passwords cannot be read: No such file or directory"
    )
