"""
Whether matchers hold for a signal.

A missing label counts as empty. ``tenant``, ``service`` and ``environment`` name the signal's own fields. How matchers are written
stands in ``streams/matchers.py``.
"""

from collections.abc import Callable, Sequence
from typing import Final

from schemas.silences import Matcher, MatchOperator
from schemas.telemetry import Signal
from streams.matchers import Matchers, expression, read_matchers

__all__ = ["Matchers", "Predicate", "expression", "predicate", "read_matchers"]

_FIELDS: Final = frozenset({"tenant", "service", "environment"})

Predicate = Callable[[Signal], bool]


def predicate(matchers: Sequence[Matcher]) -> Predicate | None:
    """Return whether all *matchers* hold for a signal, as a function; None where there are none."""
    each = [_predicate(matcher) for matcher in matchers]
    if not each:
        return None
    if len(each) == 1:
        return each[0]
    return lambda signal: all(holds(signal) for holds in each)


def _predicate(matcher: Matcher) -> Predicate:
    label, value = matcher.label, matcher.value
    read = _field(label) if label in _FIELDS else _label(label)
    if matcher.operator is MatchOperator.EQUAL:
        return lambda signal: read(signal) == value
    if matcher.operator is MatchOperator.NOT_EQUAL:
        return lambda signal: read(signal) != value
    matches = expression(value).fullmatch
    if matcher.operator is MatchOperator.MATCHES:
        return lambda signal: matches(read(signal)) is not None
    return lambda signal: matches(read(signal)) is None


def _field(name: str) -> Callable[[Signal], str]:
    return lambda signal: str(getattr(signal, name))


def _label(name: str) -> Callable[[Signal], str]:
    return lambda signal: signal.labels.get(name, "")
