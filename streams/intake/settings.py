"""The policy part ``intake``: who may post telemetry."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from schemas.contract import Name

#: Fewer could be guessed.
_FEWEST_CHARACTERS: Final = 16


def _long_enough(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if text and (len(text) < _FEWEST_CHARACTERS or not text.isascii() or " " in text):
        message = f"must have at least {_FEWEST_CHARACTERS} characters of ASCII, and no spaces"
        raise ValueError(message)
    return secret


def _apart(tokens: "tuple[Token, ...]") -> "tuple[Token, ...]":
    secrets = [each.token.get_secret_value() for each in tokens if each.token.get_secret_value()]
    if len(set(secrets)) < len(secrets):
        message = "two of them have the same token: give each its own"
        raise ValueError(message)
    return tokens


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Token(_Part):
    """A text that whoever posts shows, as a bearer token or as the password of basic authentication."""

    name: Name
    """Who has it: logs and metrics name it so."""
    token: Annotated[SecretStr, AfterValidator(_long_enough)]
    """The text; an empty one is none."""
    tenant: Name | None = None
    """Whose telemetry it is for, whatever that says itself; as formats and messages say where none is named."""


class Signature(_Part):
    """A secret with which a publisher signs what it posts."""

    format: Literal["sentry", "pagerduty"]
    """Whose."""
    secret: SecretStr
    """Sentry's client secret, or that of PagerDuty's webhook subscription; an empty one is none."""
    tenant: Name | None = None
    """Whose telemetry it is."""


class IntakeSettings(_Part):
    """Who may post telemetry: anybody, where there is neither token nor signature."""

    tokens: Annotated[tuple[Token, ...], AfterValidator(_apart)] = ()
    """One of them must be shown."""
    signatures: Annotated[tuple[Signature, ...], Field(max_length=100)] = ()
    """A valid one of its publisher stands for a token."""

    @property
    def demanding(self) -> bool:
        """Whether a proof is asked for."""
        return any(_set(each.token for each in self.tokens)) or any(
            _set(each.secret for each in self.signatures)
        )


def _set(secrets: Iterable[SecretStr]) -> Iterator[bool]:
    return (bool(secret.get_secret_value()) for secret in secrets)
