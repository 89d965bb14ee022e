"""What a report is: settings, questions to the warehouse, and what is told of the answers."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

Row = Mapping[str, Any]


class Shape(StrEnum):
    """How a value is shown to a person."""

    TEXT = "text"
    COUNT = "count"
    #: A number with a fraction.
    NUMBER = "number"
    SECONDS = "seconds"
    #: Between 0 and 1; a person sees percent.
    SHARE = "share"
    #: How much more or less than before, as a share of it.
    CHANGE = "change"
    MOMENT = "moment"


class Draw(StrEnum):
    """How a chart shows its series."""

    #: Side by side.
    BARS = "bars"
    #: On top of each other: they are parts of one whole.
    STACKED = "stacked"
    LINES = "lines"


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    name: str
    heading: str
    shape: Shape = Shape.TEXT


@dataclass(frozen=True)
class Table:
    """Rows with a name; programs find them by it."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: Sequence[Row]


@dataclass(frozen=True)
class Series:
    """One line or one colour of a chart; None where there is no value."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class Chart:
    """Series over the same labels."""

    title: str
    draw: Draw
    shape: Shape
    labels: tuple[str, ...]
    series: tuple[Series, ...]
    #: Whether the labels follow each other in time; otherwise they are names.
    over_time: bool = False
    #: Whether the series are severities, the worst first.
    severities: bool = False


@dataclass(frozen=True)
class Recommendation:
    """What to do, the numbers that say so, and the rule that looked at them."""

    advice: str
    because: str
    rule: str


@dataclass(frozen=True)
class Account:
    """What a report tells."""

    tables: tuple[Table, ...]
    charts: tuple[Chart, ...] = ()
    recommendations: tuple[Recommendation, ...] = ()
    #: What a reader must know to read the figures rightly.
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Question:
    """SQL with server-side parameters, and their values."""

    statement: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


class Report(BaseModel):
    """
    Settings of one report; each is an option of ``tocsin report NAME``.

    A report is one file in ``reports/`` that declares one of these, with an example in its configuration. It asks, and tells
    of the answers; what is told depends on them alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    #: What it is called on the command line.
    name: ClassVar[str]
    #: What stands above it.
    title: ClassVar[str]

    @property
    @abstractmethod
    def window(self) -> tuple[datetime, datetime]:
        """The time that it is about: from the first moment up to, and without, the second."""

    @abstractmethod
    def questions(self) -> Mapping[str, Question]:
        """Return what the warehouse is asked, by name."""

    @abstractmethod
    def tell(self, answers: Mapping[str, Sequence[Row]]) -> Account:
        """Return what the answers to ``questions``, by the same names, amount to."""
