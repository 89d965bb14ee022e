"""A log says something that it has not said before."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field

from schemas.contract import LabelName
from schemas.origin import Origin
from schemas.telemetry import LogV1, Signal
from streams.detection.holding import Says
from streams.detection.levels import LEVELS, Level
from streams.detection.mining import Template, Tree, shape_of
from streams.detection.moments import microseconds, moment_of, number_of
from streams.detection.rule import Calm, Evidence, Rule
from streams.durations import Duration, written

#: Characters of a record, and of a template, that an alert quotes.
_QUOTED: Final = 300


@dataclass(slots=True)
class Memory:
    """What the log says, since when it is known, and what was new lately."""

    tree: Tree = field(default_factory=Tree)
    begun: int | None = None
    heard: int = 0
    first_at: int | None = None
    """When the first of the new ones came that are told of now; None where nothing is new."""
    first: Origin | None = None
    latest_at: int = 0
    count: int = 0
    template: str = ""
    message: str = ""
    band: int = 0


class LogNovelty(Rule):
    """
    Fires when a record is like none before it; resolves when nothing new has come for *within*.

    Records are alike when they have the same number of words and at least half of them in common, numbers, identifiers, addresses and
    quoted texts aside. For the time *learn* from the first record of a series on, it only learns. A record that comes late is learnt, and
    told if it is new. At *max_templates* the kind of record that was not seen for the longest is forgotten, and is new should it return.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "log_novelty",
                    "name": "new-error",
                    "level": "error",
                    "learn": "1m",
                    "within": "5m",
                    "severity": 3,
                }
            ]
        }
    )

    kind: Literal["log_novelty"] = "log_novelty"
    group_by: tuple[LabelName, ...] | None = ()
    """
    The labels whose values are told apart; all records of a service and environment are one log where it is left out, and null
    makes a log of every set of labels.
    """
    level: Level = LEVELS["error"]
    """The lowest level that counts: ``trace``, ``debug``, ``info``, ``warn``, ``error``, ``fatal``, or a severity number."""
    learn: Annotated[Duration, Field(ge=timedelta(0))] = timedelta(hours=1)
    """How long it only learns, from the first record of a series on."""
    within: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(minutes=10)
    """How long a new kind of record is told of."""
    max_templates: Annotated[int, Field(ge=1, le=1_000)] = 200
    """How many kinds of record it remembers of each series."""
    forget_after: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(days=30)
    """A log that is silent so long is forgotten, with what it has learnt."""

    @cached_property
    def _learn(self) -> int:
        return microseconds(self.learn)

    @cached_property
    def _within(self) -> int:
        return microseconds(self.within)

    def patience(self) -> dict[str, timedelta]:
        return super().patience() | {"learn": self.learn, "within": self.within}

    def counts_late(self) -> bool:
        return True

    def hears(self) -> tuple[type[Signal], ...]:
        return (LogV1,)

    def concerns(self, signal: LogV1) -> bool:
        return signal.severity_number >= self.level and super().concerns(signal)

    def reads_content(self) -> bool:
        return True

    def ignores(self) -> Calm:
        return Calm(high=self.level - 1)

    def fresh(self) -> Memory:
        return Memory()

    def reads_text(self) -> bool:
        return self.when is None

    def passes_over(self, level: float, text: str) -> bool:
        del text
        return level < self.level

    def recall(self, memory: Memory, text: str) -> Template | None:
        return memory.tree.recall(shape_of(text))

    def hear_again(self, memory: Memory, recalled: Template, at: datetime) -> None:
        now = number_of(at)
        # Perhaps a copy: it must leave no trace.
        if now > memory.heard:
            recalled.seen = memory.heard = now

    def judge(self, memory: Memory, signal: LogV1, at: datetime, origin: Origin) -> Says | None:
        now, shape = number_of(at), shape_of(signal.body)
        if memory.begun is None:
            memory.begun = now
        late, recalled = now <= memory.heard, memory.tree.recall(shape)
        if recalled is not None:
            self.hear_again(memory, recalled, at)
            return None if late else self._says(memory)
        if late and memory.tree.covers(shape.words):
            return None
        memory.heard = max(memory.heard, now)
        new = memory.tree.learn(shape.words, now, self.max_templates)
        if new and now >= memory.begun + self._learn:
            if memory.first_at is None:
                memory.first_at, memory.first, memory.count = now, origin, 0
            memory.latest_at = max(memory.latest_at, now)
            memory.count += 1
            memory.template = shape.text[:_QUOTED]
            memory.message = signal.body[:_QUOTED]
        return self._says(memory)

    def calm(self, memory: Memory) -> Calm | None:
        return self.ignores() if memory.first_at is None else None

    def next_look(self, memory: Memory, heard_at: datetime) -> datetime | None:
        del heard_at
        return None if memory.first_at is None else moment_of(memory.latest_at + self._within)

    def look(self, memory: Memory, heard_at: datetime, at: datetime) -> Says:
        del heard_at, at
        memory.first_at = memory.first = None
        return self._says(memory)

    def evidence(self, memory: Memory, says: Says) -> Evidence:
        if says is Says.CLEAR:
            return Evidence(f"nothing new in the log for {written(self.within)}", value=0.0)
        what = "a new kind" if memory.count == 1 else f"{memory.count} new kinds"
        latest = "" if memory.count == 1 else "the latest "
        return Evidence(
            f"{what} of log record: {latest}{memory.template}",
            value=float(memory.count),
            started_at=None if memory.first_at is None else moment_of(memory.first_at),
            first=memory.first,
            message=memory.message,
        )

    def rising(self) -> bool:
        return True

    def _says(self, memory: Memory) -> Says:
        says = Says.CLEAR if memory.first_at is None else Says.BAD
        return self.graded(memory, says, memory.count)
