"""The environment as settings: what is wrong with it is said by name."""

import pytest

from streams.errors import SettingsError
from streams.settings import read_settings


def refusal_of(monkeypatch, **environment: str) -> str:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refusal:
        read_settings()
    return str(refusal.value)


def test_all_that_is_wrong_is_said_at_once_without_its_value(monkeypatch):
    """An operator would mend one setting a restart, and a password could stand in a log."""
    assert refusal_of(
        monkeypatch, TOCSIN_LINGER="soon", TOCSIN_PARTITIONS="0", TOCSIN_WEB_POTR="6067"
    ) == (
        "the environment cannot be used:\n"
        "  TOCSIN_WEB_POTR: there is no such setting; did you mean TOCSIN_WEB_PORT?\n"
        "  TOCSIN_PARTITIONS: Input should be greater than or equal to 1\n"
        "  TOCSIN_LINGER: is not a duration: write a number and a unit, such as 30s, 5m, 1h or 7d"
    )


def test_a_slip_in_a_name_is_no_default(monkeypatch):
    """A worker would run with four partitions, or another broker, and say nothing."""
    assert "TOCSIN_PARTITONS: there is no such setting; did you mean TOCSIN_PARTITIONS?" in (
        refusal_of(monkeypatch, TOCSIN_PARTITONS="12")
    )


@pytest.mark.parametrize(
    "name",
    [
        "TOCSIN_AUTHOR",
        "TOCSIN_PORT_BASE",
        "TOCSIN_WAREHOUSE_PASSWORD",
        "TOCSIN_TEST_BROKER",
        "TOCSIN_BOARD_PORT",
        "TOCSIN_BOARD_SERVICE_HOST",
    ],
)
def test_other_names_are_somebody_elses(monkeypatch, name):
    """Compose's passwords, a policy's own names, and what Kubernetes puts into every pod."""
    monkeypatch.setenv(name, "x")

    read_settings()


def test_who_vouches_for_the_warehouse_is_read_with_the_rest(monkeypatch, tmp_path):
    """History would wait for ever behind a file that is not there."""
    monkeypatch.setenv("TOCSIN_WAREHOUSE_CA", str(tmp_path / "gone.pem"))

    assert refusal_of(monkeypatch, TOCSIN_WAREHOUSE="https://u:p@history.internal/tocsin") == (
        "the environment cannot be used:\n  TOCSIN_WAREHOUSE_CA: names a file that is not there"
    )
    (tmp_path / "gone.pem").write_text("nobody\n")
    assert refusal_of(monkeypatch, TOCSIN_WAREHOUSE="http://u:p@history.internal/tocsin") == (
        "the environment cannot be used:\n"
        "  TOCSIN_WAREHOUSE_CA: is not used with http: leave it out, or write https:// in TOCSIN_WAREHOUSE\n"
        "  TOCSIN_WAREHOUSE_CA: names a file without a certificate in PEM form (-----BEGIN …): "
        "convert what a Java or PKCS#12 keystore holds by `openssl pkcs12`"
    )
