"""Matchers on signals: ``tenant``, ``service`` and ``environment`` name the signal's own fields."""

from collections.abc import Callable, Sequence
from typing import Final

from schemas.silences import Matcher
from schemas.telemetry import Signal
from streams import matchers as written
from streams.matchers import Matchers, expression, read_matchers

__all__ = ["Matchers", "Predicate", "expression", "predicate", "read_matchers"]

_FIELDS: Final = frozenset({"tenant", "service", "environment"})

Predicate = Callable[[Signal], bool]


def predicate(matchers: Sequence[Matcher]) -> Predicate | None:
    """Return whether all *matchers* hold for a signal, as a function; None where there are none."""
    return written.predicate(matchers, _FIELDS)
