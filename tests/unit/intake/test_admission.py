"""Who may post: tokens, signatures, and what is said to everybody else."""

import base64
import hashlib
import hmac

import pytest
from pydantic import ValidationError

from streams.intake.admission import ANYBODY, Refused, Sender, sender_of, signer_of
from streams.intake.settings import IntakeSettings

ONE, TWO = "token-of-the-collectors", "token-of-acme-and-its-own"
SETTINGS = IntakeSettings(
    tokens=[{"name": "collectors", "token": ONE}, {"name": "acme", "token": TWO, "tenant": "acme"}],
    signatures=[
        {"format": "sentry", "secret": "sentry-secret", "tenant": "acme"},
        {"format": "pagerduty", "secret": "old-secret"},
        {"format": "pagerduty", "secret": "new-secret"},
    ],
)
BODY = b'{"action": "created"}'


def signed(secret: str, body: bytes = BODY) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("shown", "sender"),
    [
        (f"Bearer {ONE}", Sender("collectors", None)),
        (f"bearer  {TWO} ", Sender("acme", "acme")),
        # Amazon SNS takes it from the address: https://tocsin:TOKEN@tocsin.example.org/...
        (basic(f"tocsin:{TWO}"), Sender("acme", "acme")),
        (basic(f":{ONE}"), Sender("collectors", None)),
    ],
)
def test_a_token_tells_who_posts_and_for_whom(shown, sender):
    """Otherwise a publisher could not be let in, or would write for everybody."""
    assert sender_of(SETTINGS, {"authorization": shown}, open_to_all=False) == sender


@pytest.mark.parametrize(
    "shown",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {ONE}x",
        ONE,
        f"Digest {ONE}",
        "Basic ###",
        basic(ONE),
        "Basic /w==",
    ],
)
def test_without_a_valid_token_nobody_posts(shown):
    """Otherwise anybody could raise alarms, or end them."""
    with pytest.raises(Refused) as refusal:
        sender_of(SETTINGS, {"authorization": shown}, open_to_all=True)
    assert str(refusal.value) == (
        "a token of the policy's intake.tokens is needed, as 'Authorization: Bearer TOKEN' or as the "
        "password of 'Authorization: Basic'"
    )


def test_an_empty_token_lets_nobody_in():
    """A variable that is not set would open the door to whoever shows nothing."""
    settings = IntakeSettings(
        tokens=[{"name": "unset", "token": ""}, {"name": "set", "token": ONE}],
        signatures=[{"format": "sentry", "secret": ""}],
    )
    assert settings.demanding
    for shown in ("Bearer ", "Bearer", basic("x:")):
        with pytest.raises(Refused):
            sender_of(settings, {"authorization": shown}, open_to_all=True)
    with pytest.raises(Refused, match="the signature is not valid"):
        signer_of(settings, "sentry", {"sentry-hook-signature": signed("")}, BODY)


def test_where_no_token_is_set_only_those_come_in_whom_the_operator_lets_in():
    """A token that a deployment forgot would let everybody in who reaches the port."""
    settings = IntakeSettings(tokens=[{"name": "unset", "token": ""}])
    assert sender_of(settings, {}, open_to_all=True) is ANYBODY
    with pytest.raises(Refused, match="the policy names no token"):
        sender_of(settings, {}, open_to_all=False)


def test_a_signature_stands_for_a_token():
    """Sentry and PagerDuty show none."""
    for named, name, value, sender in (
        ("sentry", "sentry-hook-signature", signed("sentry-secret"), Sender("sentry", "acme")),
        (
            "pagerduty",
            "x-pagerduty-signature",
            f"v1={signed('unknown')},v1={signed('new-secret')}",
            Sender("pagerduty", None),
        ),
    ):
        headers = {name: value}
        assert sender_of(SETTINGS, headers, open_to_all=False) is None
        assert signer_of(SETTINGS, named, headers, BODY) == sender
        for wrong in ("grafana", "", "sentry" if named == "pagerduty" else "pagerduty"):
            with pytest.raises(Refused, match="the signature is not valid"):
                signer_of(SETTINGS, wrong, headers, BODY)
        with pytest.raises(Refused):
            signer_of(SETTINGS, named, headers, BODY + b" ")
        # One publisher's secret says nothing of another's posts.
        other = "old-secret" if named == "sentry" else "sentry-secret"
        with pytest.raises(Refused):
            signer_of(SETTINGS, named, {name: signed(other)}, BODY)
        # A wrong token is not made right by a signature.
        with pytest.raises(Refused):
            sender_of(SETTINGS, {**headers, "authorization": "Bearer x"}, open_to_all=False)


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        (
            [{"name": "a", "token": "short"}],
            "must have at least 16 characters of ASCII, and no spaces",
        ),
        ([{"name": "a", "token": "with spaces in it, so"}], "and no spaces"),
        (
            [{"name": "a", "token": ONE}, {"name": "b", "token": ONE}],
            "two of them have the same token: give each its own",
        ),
    ],
)
def test_a_token_that_protects_nothing_is_refused(tokens, said):
    """Somebody would guess it, or one token would be of two tenants."""
    with pytest.raises(ValidationError, match=said):
        IntakeSettings(tokens=tokens)


def test_secrets_are_not_shown():
    """They would end in logs."""
    assert ONE not in repr(SETTINGS)
    assert "sentry-secret" not in repr(SETTINGS)
