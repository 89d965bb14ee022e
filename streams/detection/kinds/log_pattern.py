"""So many log records in so much time say something that matches an expression."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field

from schemas.contract import LabelName
from schemas.origin import Origin
from schemas.telemetry import LogV1, Signal
from streams.detection.bands import Bands
from streams.detection.fingerprint import likeness
from streams.detection.holding import Says
from streams.detection.levels import LEVELS, Level
from streams.detection.matching import expression
from streams.detection.rule import Calm, Evidence, Rule
from streams.detection.window import Sample, Window
from streams.durations import Duration, written

#: Matches that a rule can ask for.
MOST: Final = 1_000
#: Characters of a log record that an alert quotes.
_QUOTED: Final = 300
#: Messages that have nothing in common.
_UNLIKE: Final = ("a", "Z", "0", " ", "-", "\u00e9")


def _compiles(pattern: str) -> str:
    expression(pattern)
    return pattern


@dataclass(slots=True)
class Memory:
    """The latest matches, and what the newest one said."""

    window: Window = field(default_factory=Window)
    message: str = ""
    band: int = 0


class LogPattern(Rule):
    """
    Fires when *count* records within *within* match; resolves when none has matched for that time.

    A record that arrives late counts as long as it lies in the window. Two records with the same content and the same time
    are one.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "log_pattern",
                    "name": "database-errors",
                    "pattern": r"(?i)connection (refused|reset)",
                    "level": "error",
                    "count": 5,
                    "within": "1m",
                    "severity": 2,
                }
            ]
        }
    )

    kind: Literal["log_pattern"] = "log_pattern"
    group_by: tuple[LabelName, ...] | None = ()
    """
    The labels whose values are counted apart; all records of a service and environment are counted together where it is left
    out, and null counts every set of labels apart.
    """
    pattern: Annotated[str, Field(min_length=1), AfterValidator(_compiles)] = "."
    """RE2 expression that is looked for anywhere in the message; any message where it is left out."""
    level: Level = LEVELS["error"]
    """The lowest level that counts: ``trace``, ``debug``, ``info``, ``warn``, ``error``, ``fatal``, or a severity number."""
    count: Annotated[int, Field(ge=1, le=MOST)] = 1
    """How many records must match."""
    within: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(minutes=1)
    """In how much event time."""

    @cached_property
    def _search(self) -> Any:
        return expression(self.pattern).search

    @cached_property
    def _room(self) -> int:
        # Of more matches than are asked for, only the newest can ever decide.
        if not isinstance(self.severity, Bands):
            return self.count
        worst = max(band.beyond for band in self.severity.bands)
        return max(self.count, min(int(worst) + 1, MOST))

    def patience(self) -> dict[str, timedelta]:
        return super().patience() | {"within": self.within}

    def counts_late(self) -> bool:
        return True

    def hears(self) -> tuple[type[Signal], ...]:
        return (LogV1,)

    def doubts(self) -> Iterator[tuple[str, str]]:
        given = "pattern" in self.model_fields_set
        everything = all(self._search(text) is not None for text in _UNLIKE)
        if given and everything:
            yield (
                "pattern",
                f"{self.pattern!r} matches every message; leave it out if that is meant",
            )
        elif everything and self.level < LEVELS["warn"]:
            yield "level", "every record from this level on counts, good news too; add a pattern"

    def finds_whatever(self, other: Self) -> bool:
        easier = ("level", "count", "within")
        return (
            self.level <= other.level
            and self.count <= other.count
            and self.within >= other.within
            and self.criteria(*easier) == other.criteria(*easier)
        )

    def concerns(self, signal: LogV1) -> bool:
        return (
            signal.severity_number >= self.level
            and super().concerns(signal)
            and self._search(signal.body) is not None
        )

    def reads_content(self) -> bool:
        return True

    def ignores(self) -> Calm:
        return Calm(high=self.level - 1)

    def reads_text(self) -> bool:
        return self.when is None

    def passes_over(self, level: float, text: str) -> bool:
        return level < self.level or self._search(text) is None

    def fresh(self) -> Memory:
        return Memory()

    def judge(self, memory: Memory, signal: LogV1, at: datetime, origin: Origin) -> Says | None:
        if not memory.window.take(
            Sample(at, 1.0, likeness(signal), origin), self.within, self._room
        ):
            return None
        if memory.window.samples[-1].at == at:
            memory.message = signal.body[:_QUOTED]
        return self._says(memory)

    def calm(self, memory: Memory) -> Calm:
        del memory
        return Calm(high=self.level - 1)

    def next_look(self, memory: Memory, heard_at: datetime) -> datetime | None:
        del heard_at
        samples = memory.window.samples
        if not samples:
            return None
        # Enough matches: until the oldest of them falls out. Fewer: until the newest does.
        return samples[0 if len(samples) >= self.count else -1].at + self.within

    def look(self, memory: Memory, heard_at: datetime, at: datetime) -> Says:
        del heard_at
        memory.window.slide(at, self.within)
        return self._says(memory)

    def evidence(self, memory: Memory, says: Says) -> Evidence:
        what = "" if self.pattern == "." else f" that match {self.pattern}"
        samples = memory.window.samples
        if says is Says.CLEAR:
            return Evidence(f"no log records{what} for {written(self.within)}", value=0.0)
        return Evidence(
            f"at least {self.count} log records{what} within {written(self.within)}",
            value=float(len(samples)),
            started_at=samples[0].at,
            first=samples[0].origin,
            message=memory.message,
        )

    def measured(self, memory: Memory) -> float:
        return float(len(memory.window.samples))

    def rising(self) -> bool:
        return True

    def _says(self, memory: Memory) -> Says:
        matches = len(memory.window.samples)
        says = Says.BAD if matches >= self.count else Says.BETWEEN if matches else Says.CLEAR
        return self.graded(memory, says, matches)
