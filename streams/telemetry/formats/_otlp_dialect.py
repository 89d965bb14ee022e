"""What differs between OTLP's two encodings: the fields are called alike."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson

#: The kinds of data that a metric can have.
KINDS: Final = ("gauge", "sum", "histogram", "exponential_histogram", "summary")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one encoding says what the other says otherwise."""

    kind: Callable[[Any], str | None]
    """Which of ``KINDS`` a metric has."""
    number: Callable[[Any], float | None]
    """The value of a number data point."""
    given: Callable[[Any, str], float | None]
    """An optional number of a histogram data point."""
    text: Callable[[Any], str]
    """What an ``AnyValue`` holds, as labels and messages show it."""
    trace: Callable[[Any], str]
    """A trace id in hexadecimal digits."""
    severity: Callable[[Any], int]
    """The severity number of a log record."""
    temporality: Callable[[Any], int]
    """Since when histograms count."""
    resource: Callable[[Any, str], Any]
    """A resource at some place with all that is of it, which may not have been read yet; raises ``Unreadable``."""
    scope: Callable[[Any, str], Any]
    """The same of a scope."""
    metric: Callable[[Any, str], Any]
    """The same of a metric."""
    record: Callable[[Any, str], Any]
    """The same of a log record."""


def text_of(value: Any) -> str:
    """Return a value as labels and messages show it."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, int | float):
        return str(value)
    return orjson.dumps(value, default=text_of).decode()
