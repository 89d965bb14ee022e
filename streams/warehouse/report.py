"""What a report is: settings, a question to the warehouse, and the columns of its answer."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict


class Shape(StrEnum):
    """How a value is shown to a person."""

    TEXT = "text"
    COUNT = "count"
    SECONDS = "seconds"


@dataclass(frozen=True)
class Column:
    """One column of the answer."""

    name: str
    heading: str
    shape: Shape = Shape.TEXT


@dataclass(frozen=True)
class Question:
    """SQL with server-side parameters, and their values."""

    statement: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


class Report(BaseModel):
    """
    Settings of one report; each is an option of ``tocsin report NAME``.

    A report is one file in ``reports/`` that declares one of these, with an example in its configuration.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    #: What it is called on the command line.
    name: ClassVar[str]
    #: What stands above its table.
    title: ClassVar[str]
    #: The columns of its answer, in order.
    columns: ClassVar[tuple[Column, ...]]

    @abstractmethod
    def question(self) -> Question:
        """Return what the warehouse is asked."""
