"""How the broker is spoken to: what belongs together, what files must hold, and what nobody may read."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from streams.broker_access import IN_THE_CLEAR, as_texts, user_and_password
from streams.errors import SettingsError
from streams.settings import RUN_FILE, read_settings
from tests.certificates import Authority

HELD_BACK = "a-password-of-somebody"
BY_PASSWORD = {
    "broker_security": "SASL_SSL",
    "broker_mechanism": "SCRAM-SHA-512",
    "broker_user": "tocsin",
    "broker_password": HELD_BACK,
}

ARE = "PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512 are"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refused(**given: Any) -> list[str]:
    """Return what is said about settings, a line for each problem."""
    with pytest.raises(SettingsError) as refusal:
        read_settings(**given)
    first, *problems = str(refusal.value).splitlines()
    assert first == "the environment cannot be used:"
    assert HELD_BACK not in str(refusal.value)
    return [problem.strip() for problem in problems]


def test_nothing_set_is_kafka_in_the_clear():
    settings = read_settings()

    assert not settings.encrypts
    assert not settings.authenticates


@pytest.mark.parametrize(
    "address",
    [
        "",
        "kafka",
        "kafka:x",
        "kafka:0",
        "kafka:65536",
        "kafka://kafka:9092",
        "a:1,",
        "a b:1",
        "::1:1",
    ],
)
def test_an_address_that_nobody_can_have_is_refused(address):
    """A worker would wait for it for ever, and a command end with a traceback."""
    said = "must be HOST:PORT with a port from 1 to 65535, or several of them separated by commas"
    assert refused(broker=address) == [f"TOCSIN_BROKER: {said}"]


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("kafka:1", "kafka:1"),
        ("kafka-1.example.org:65535, [::1]:9092", "kafka-1.example.org:65535,[::1]:9092"),
    ],
)
def test_several_addresses_are_separated_by_commas(given, taken):
    """Faust and aiokafka both split them, and only one of them minds a space."""
    assert read_settings(broker=given).broker == taken


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"broker_security": "SASL-SSL"},
            "TOCSIN_BROKER_SECURITY: must be PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL; did you mean SASL_SSL?",
        ),
        (
            {"broker_security": HELD_BACK},
            "TOCSIN_BROKER_SECURITY: must be PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL",
        ),
        (
            {**BY_PASSWORD, "broker_mechanism": "SCRAM-SHA512"},
            "TOCSIN_BROKER_MECHANISM: must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; did you mean SCRAM-SHA-512?",
        ),
        (
            {**BY_PASSWORD, "broker_mechanism": "AWS_MSK_IAM"},
            f"TOCSIN_BROKER_MECHANISM: AWS_MSK_IAM is not supported, tokens are not signed; Amazon MSK offers SCRAM-SHA-512 as well: {ARE}",
        ),
        (
            {**BY_PASSWORD, "broker_mechanism": "OAUTHBEARER"},
            f"TOCSIN_BROKER_MECHANISM: OAUTHBEARER is not supported, tokens are not fetched: {ARE}",
        ),
        (
            {**BY_PASSWORD, "broker_user": ""},
            "TOCSIN_BROKER_USER: is missing: TOCSIN_BROKER_SECURITY=SASL_SSL needs it",
        ),
        (
            {**BY_PASSWORD, "broker_password": ""},
            "TOCSIN_BROKER_PASSWORD: is missing: TOCSIN_BROKER_SECURITY=SASL_SSL needs it, or TOCSIN_BROKER_PASSWORD_FILE",
        ),
        (
            {**BY_PASSWORD, "broker_mechanism": ""},
            "TOCSIN_BROKER_MECHANISM: is missing: TOCSIN_BROKER_SECURITY=SASL_SSL needs it, to be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
        ),
        (
            {"broker_password": HELD_BACK},
            "TOCSIN_BROKER_PASSWORD: is not used with TOCSIN_BROKER_SECURITY=PLAINTEXT: leave it out, or set that to SASL_SSL",
        ),
        (
            {"broker_ca": "ca.pem"},
            "TOCSIN_BROKER_CA: is not used with TOCSIN_BROKER_SECURITY=PLAINTEXT: leave it out, or set that to SSL or SASL_SSL",
        ),
        (
            {"broker_security": "SSL", "broker_user": "tocsin"},
            "TOCSIN_BROKER_USER: is not used with TOCSIN_BROKER_SECURITY=SSL: leave it out, or set that to SASL_SSL",
        ),
        (
            {"broker_security": "SSL", "broker_certificate": "certificate.pem"},
            "TOCSIN_BROKER_KEY: is missing: TOCSIN_BROKER_CERTIFICATE needs it",
        ),
        (
            {"broker_security": "SSL", "broker_key": "key.pem"},
            "TOCSIN_BROKER_CERTIFICATE: is missing: TOCSIN_BROKER_KEY needs it",
        ),
        (
            {**BY_PASSWORD, "broker_ca": HELD_BACK},
            "TOCSIN_BROKER_CA: names a file that is not there",
        ),
        (
            {**BY_PASSWORD, "broker_ca": "."},
            "TOCSIN_BROKER_CA: names a file that cannot be read: Is a directory",
        ),
        (
            {**BY_PASSWORD, "broker_password": "", "broker_password_file": HELD_BACK},
            "TOCSIN_BROKER_PASSWORD_FILE: names a file that is not there",
        ),
    ],
)
def test_what_does_not_fit_together_is_said_by_setting(given, said):
    """A client would say that it found no broker, or wait for it without an end."""
    assert refused(**given) == [said]


def test_all_that_is_missing_is_said_at_once():
    """An operator would mend one setting a restart."""
    assert [line.partition(":")[0] for line in refused(broker_security="SASL_SSL")] == [
        "TOCSIN_BROKER_MECHANISM",
        "TOCSIN_BROKER_USER",
        "TOCSIN_BROKER_PASSWORD",
    ]


def test_a_password_comes_from_one_place(tmp_path):
    """Which of two was meant, nobody could say; and the file would be the one that was changed."""
    (tmp_path / "password").write_text("another\n")

    assert refused(**BY_PASSWORD, broker_password_file="password") == [
        "TOCSIN_BROKER_PASSWORD: stands beside TOCSIN_BROKER_PASSWORD_FILE: leave one of them out"
    ]


@pytest.mark.parametrize("text", ["", "\n", "one\ntwo\n"])
def test_a_file_with_a_password_is_one_line(tmp_path, text):
    """A broker would refuse the password, and nobody would see why."""
    (tmp_path / "password").write_text(text)

    assert refused(
        **{**BY_PASSWORD, "broker_password": "", "broker_password_file": "password"}
    ) == [
        "TOCSIN_BROKER_PASSWORD_FILE: names a file that does not consist of one line, the password"
    ]


@pytest.mark.parametrize("text", [" se cret", " se cret\n", " se cret\r\n"])
def test_the_end_of_a_line_is_no_part_of_a_password(tmp_path, text):
    """Editors end a file with one, and the broker would refuse it; spaces may be meant."""
    (tmp_path / "password").write_bytes(text.encode())

    settings = read_settings(
        **{**BY_PASSWORD, "broker_password": "", "broker_password_file": "password"}
    )

    assert user_and_password(settings) == ("tocsin", " se cret")


NO_PEM = (
    "names a file without a {} in PEM form (-----BEGIN …): "
    "convert what a Java or PKCS#12 keystore holds by `openssl pkcs12`"
)


def test_files_hold_what_they_are_named_for(tmp_path):
    """OpenSSL's words for all of these are `PEM lib`."""
    authority = Authority(tmp_path)
    certificate, key = authority.signs("client")
    _, encrypted = authority.signs("encrypted", password="of the key")
    (tmp_path / "none").write_text("no certificate\n")
    begun = certificate.read_text().splitlines(keepends=True)
    (tmp_path / "damaged").write_text("".join([begun[0], *begun[2:]]))
    shown = {
        "broker_security": "SSL",
        "broker_ca": authority.file,
        "broker_certificate": certificate,
        "broker_key": key,
    }
    read_settings(**shown)

    assert refused(**{**shown, "broker_ca": "none"}) == [
        f"TOCSIN_BROKER_CA: {NO_PEM.format('certificate')}"
    ]
    assert refused(**{**shown, "broker_ca": "damaged"}) == [
        "TOCSIN_BROKER_CA: names a file with a damaged certificate: copy it anew"
    ]
    assert refused(**{**shown, "broker_certificate": key}) == [
        f"TOCSIN_BROKER_CERTIFICATE: {NO_PEM.format('certificate')}"
    ]
    assert refused(**{**shown, "broker_certificate": "damaged"}) == [
        "TOCSIN_BROKER_CERTIFICATE: names a file with a damaged certificate: copy it anew"
    ]
    assert refused(**{**shown, "broker_key": certificate}) == [
        f"TOCSIN_BROKER_KEY: {NO_PEM.format('private key')}"
    ]
    assert refused(**{**shown, "broker_certificate": authority.file}) == [
        "TOCSIN_BROKER_KEY: is not the key of the first certificate in TOCSIN_BROKER_CERTIFICATE"
    ]
    assert refused(**{**shown, "broker_key": encrypted}) == [
        "TOCSIN_BROKER_KEY_PASSWORD: is missing: the key is encrypted, TOCSIN_BROKER_KEY_PASSWORD_FILE would do as well"
    ]
    assert refused(**{**shown, "broker_key": encrypted, "broker_key_password": HELD_BACK}) == [
        "TOCSIN_BROKER_KEY_PASSWORD: does not open the key"
    ]


@pytest.mark.parametrize(
    ("broker", "mechanism", "doubted"),
    [
        (
            "kafka.internal:9092",
            "PLAIN",
            ["the password and what is sent can be read on the way to the broker"],
        ),
        (
            "127.0.0.1:9092,kafka.internal:9092",
            "SCRAM-SHA-512",
            ["what is sent can be read on the way to the broker"],
        ),
        ("127.0.0.1:9092,localhost:9093,[::1]:9094", "PLAIN", []),
    ],
)
def test_a_password_in_the_clear_is_warned_of_where_others_listen(
    caplog, broker, mechanism, doubted
):
    """It works, and nobody would notice that it is read along the way."""
    given = {**BY_PASSWORD, "broker_security": "SASL_PLAINTEXT", "broker_mechanism": mechanism}

    with caplog.at_level(logging.WARNING):
        read_settings(broker=broker, **given)

    assert caplog.messages == [
        f"TOCSIN_BROKER_SECURITY: SASL_PLAINTEXT encrypts nothing: {each}; take SASL_SSL"
        for each in doubted
    ]


def test_secrets_are_not_shown():
    """Settings are printed where somebody looks for an error."""
    settings = read_settings(**BY_PASSWORD)

    assert (
        HELD_BACK
        not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    )


def test_processes_of_ours_are_told_everything(tmp_path, monkeypatch):
    """A worker of `tocsin up` would speak otherwise than `tocsin up` itself, or look for a file elsewhere."""
    Authority(tmp_path)
    settings = read_settings(**BY_PASSWORD, broker_ca="authority.pem")

    texts = as_texts(settings)
    for name, text in texts.items():
        monkeypatch.setenv(f"TOCSIN_{name.upper()}", text)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    assert as_texts(read_settings()) == texts
    assert texts["broker_password"] == HELD_BACK
    assert texts.keys() == IN_THE_CLEAR.keys()


def test_a_broker_of_ours_is_reached_in_the_clear(monkeypatch):
    """`tocsin up` would speak TLS to its own broker, where the shell is set up for another one."""
    for name, value in BY_PASSWORD.items():
        monkeypatch.setenv(f"TOCSIN_{name.upper()}", value)

    settings = read_settings(**IN_THE_CLEAR)

    assert not settings.encrypts
    assert not settings.authenticates


def test_the_password_of_a_running_installation_is_for_its_broker_only(tmp_path, monkeypatch):
    """It would be sent to whichever broker somebody names."""
    (tmp_path / ".tocsin").mkdir()
    left = {"broker": "kafka.internal:9093", **BY_PASSWORD}
    (tmp_path / ".tocsin" / RUN_FILE).write_text(json.dumps({"settings": left}))

    assert read_settings().broker_user == "tocsin"
    assert read_settings(broker="127.0.0.1:9092").broker_password is None
    monkeypatch.setenv("TOCSIN_BROKER", "127.0.0.1:9092")
    assert read_settings().broker_password is None
