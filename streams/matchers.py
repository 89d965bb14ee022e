"""
Matchers on labels, as the author of a policy writes them, and whether they hold.

A list of comparisons, ``[region=~"eu-.*", tier!=test]``, or a map of values, ``{region: eu-1}``. All must hold.
``=~`` and ``!~`` take an RE2 expression for the whole value: RE2 cannot be made to run for long by a hostile text. A missing label counts as
empty. What stands in a field of its own, such as ``service``, is read from there.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Annotated, Any, Final

import re2
from pydantic import BeforeValidator

from schemas.silences import Matcher, MatchOperator

#: Characters of one expression.
EXPRESSION_LENGTH: Final = 1_000

_WRITTEN: Final = re.compile(
    r"""^\s*(?P<label>[A-Za-z_][A-Za-z0-9_./-]*)\s*(?P<operator>=~|!~|!=|=)\s*(?P<value>.*?)\s*$""",
    re.DOTALL,
)

#: No message holds such a character: it is a slip.
_UNSEEN: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

#: Whether matchers hold for something that has fields and ``labels``.
Predicate = Callable[[Any], bool]


def expression(pattern: str) -> Any:
    """
    Return *pattern* compiled by RE2.

    Raises:
        ValueError: It is no RE2 expression.
    """
    if len(pattern) > EXPRESSION_LENGTH:
        message = f"has {len(pattern)} characters: an expression may have {EXPRESSION_LENGTH}"
        raise ValueError(message)
    if unseen := _UNSEEN.search(pattern):
        message = (
            f"has the character U+{ord(unseen[0]):04X}: between double quotes YAML reads \\b so; "
            "put the expression in single ones"
        )
        raise ValueError(message)
    options = re2.Options()
    # What is wrong is said by us, once, with its place.
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        told = error.args[0] if error.args else "it cannot be read"
        told = told.decode() if isinstance(told, bytes) else str(told)
        # (?= and its like, or \\1.
        missing = "invalid perl operator" in told or "invalid escape sequence: \\" in told
        hint = "; look-around and back-references do not exist there" if missing else ""
        message = f"is no RE2 expression ({told}){hint}"
        raise ValueError(message) from None


def read_matchers(written: Any) -> tuple[Matcher, ...]:
    """
    Return the matchers that are *written*.

    Raises:
        ValueError: They are not written as this module says.
    """
    if isinstance(written, Mapping):
        return tuple(_equal(label, value) for label, value in written.items())
    if isinstance(written, str):
        written = [written]
    if not isinstance(written, Sequence):
        message = 'must be a list such as [region=~"eu-.*"] or a map such as {region: eu-1}'
        raise ValueError(message)  # noqa: TRY004 - pydantic reports nothing else
    return tuple(each if isinstance(each, Matcher) else _comparison(each) for each in written)


Matchers = Annotated[tuple[Matcher, ...], BeforeValidator(read_matchers)]


def predicate(matchers: Sequence[Matcher], fields: Collection[str]) -> Predicate | None:
    """Return whether all *matchers* hold for something, as a function; None where there are none. *fields* are no labels."""
    each = [_predicate(matcher, fields) for matcher in matchers]
    if not each:
        return None
    if len(each) == 1:
        return each[0]
    return lambda subject: all(holds(subject) for holds in each)


def exclusion(matchers: Sequence[Matcher]) -> tuple[Matcher, Matcher] | None:
    """Return two of *matchers* that cannot hold at once, as far as single values tell; None where there are none."""
    for each in matchers:
        if each.operator is MatchOperator.EQUAL:
            for other in matchers:
                if other.label == each.label and not accepts(other, each.value):
                    return each, other
    return None


def accepts(matcher: Matcher, value: str) -> bool:
    """Whether *matcher* holds where its label has that value."""
    if matcher.operator is MatchOperator.EQUAL:
        return value == matcher.value
    if matcher.operator is MatchOperator.NOT_EQUAL:
        return value != matcher.value
    matches = expression(matcher.value).fullmatch(value) is not None
    return matches is (matcher.operator is MatchOperator.MATCHES)


def shown(matcher: Matcher) -> str:
    """Return *matcher* as it is written in a policy."""
    return f"{matcher.label}{matcher.operator.value}{matcher.value}"


def _equal(label: Any, value: Any) -> Matcher:
    if isinstance(value, bool):
        value = str(value).lower()
    if not isinstance(value, str | int | float):
        message = f"the value of {label!r} must be a text; for other comparisons write a list such as [{label}!=test]"
        raise ValueError(message)  # noqa: TRY004 - pydantic reports nothing else
    return _matcher(str(label), MatchOperator.EQUAL, str(value))


def _comparison(written: Any) -> Matcher:
    found = _WRITTEN.match(written) if isinstance(written, str) else None
    if found is None:
        message = f'{written!r} is no comparison: write label=value, label!=value, label=~"expression" or label!~"expression"'
        raise ValueError(message)
    value = found["value"]
    if value.startswith("="):
        message = f"{written!r} is no comparison: one = compares"
        raise ValueError(message)
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return _matcher(found["label"], MatchOperator(found["operator"]), value)


def _matcher(label: str, operator: MatchOperator, value: str) -> Matcher:
    if operator in {MatchOperator.MATCHES, MatchOperator.MATCHES_NOT}:
        try:
            expression(value)
        except ValueError as error:
            message = f"{value!r} {error}"
            raise ValueError(message) from None
    return Matcher(label=label, operator=operator, value=value)


def _predicate(matcher: Matcher, fields: Collection[str]) -> Predicate:
    label, value = matcher.label, matcher.value
    read = _field(label) if label in fields else _label(label)
    if matcher.operator is MatchOperator.EQUAL:
        return lambda subject: read(subject) == value
    if matcher.operator is MatchOperator.NOT_EQUAL:
        return lambda subject: read(subject) != value
    matches = expression(value).fullmatch
    if matcher.operator is MatchOperator.MATCHES:
        return lambda subject: matches(read(subject)) is not None
    return lambda subject: matches(read(subject)) is None


def _field(name: str) -> Callable[[Any], str]:
    return lambda subject: str(getattr(subject, name))


def _label(name: str) -> Callable[[Any], str]:
    return lambda subject: subject.labels.get(name, "")
