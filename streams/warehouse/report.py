"""What a report is: settings, questions to the warehouse, and what is told of the answers."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from streams.warehouse.subjects import INCIDENTS, Subject

Row = Mapping[str, Any]
#: What was asked or is shown, by name.
Rows = Mapping[str, Sequence[Row]]


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
    #: A value of any of these, as a person reads it.
    WRITTEN = "written"


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
class Section:
    """One table that a report has: what it shows, and the question whose answer it is."""

    name: str
    title: str
    columns: tuple[Column, ...]
    #: SQL; None where ``rows`` puts it together from other answers.
    statement: str | None = None
    about: Subject = INCIDENTS


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
    """Series over the same labels; ``charts`` makes them of rows."""

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

    A report is one file in ``reports/`` that declares one of these, with an example in its configuration. The file says what is
    asked, which tables, charts and recommendations come of the answers, and nothing else: periods and choices, the order of
    things, JSON, CSV, pages and mails are the same for all.
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
    def sections(self) -> tuple[Section, ...]:
        """Return its tables, the most important one first."""

    @abstractmethod
    def questions(self) -> Mapping[str, Question]:
        """Return what the warehouse is asked, by name."""

    def rows(self, answers: Rows) -> Rows:
        """Return the rows of each section, by its name, and what else charts and recommendations look at."""
        return answers

    def charts(self, rows: Rows) -> Iterable[Chart]:
        """Return what is drawn."""
        del rows
        return ()

    def recommendations(self, rows: Rows) -> Iterable[Recommendation]:
        """Return what is advised."""
        del rows
        return ()

    def notes(self) -> tuple[str, ...]:
        """Return what a reader must know to read the figures rightly."""
        return ()

    def tell(self, answers: Rows) -> Account:
        """Return what the answers to ``questions``, by the same names, amount to: it depends on them alone."""
        rows = self.rows(answers)
        return Account(
            tables=tuple(
                Table(it.name, it.title, it.columns, rows[it.name]) for it in self.sections()
            ),
            charts=tuple(self.charts(rows)),
            recommendations=tuple(self.recommendations(rows)),
            notes=self.notes(),
        )
