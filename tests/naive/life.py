"""What is told of one series, second by second."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

BAD, BETWEEN, CLEAR = "bad", "between", "clear"

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Event:
    """A signal: when it happened, what it says, what tells its source from others."""

    at: int
    said: Any
    source: str = ""


@dataclass(frozen=True)
class Finding:
    """What is the matter, how bad it is, and the number that shows it."""

    says: str
    severity: int = 0
    #: Of the alert that a bad finding begins, and of the end that another one makes.
    value: float | None = None
    clear_value: float | None = None
    #: Since when, where it is found late that time was over.
    since: int | None = None


class Kind(ABC):
    """All that a rule heard of one series."""

    #: Whether what is not newer can count.
    counts_late = False

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.heard: list[Event] = []

    def hear(self, event: Event) -> bool:
        """Take in what counts; return whether it does."""
        if not self.counts_late and self.heard and event.at <= self.heard[-1].at:
            return False
        if event in self.heard:
            return False
        self.heard.append(event)
        return True

    @abstractmethod
    def judge(self, now: int, *, heard: bool) -> Finding | None:
        """What is the matter now, just after something was *heard* or after a second has passed."""

    def over(self) -> None:  # noqa: B027 - most kinds keep nothing
        """Nothing is the matter any more: whatever was kept for the alert is gone."""


class Severity:
    """A severity that is always the same, or goes by value."""

    def __init__(self, given: Any, *, rising: bool = True) -> None:
        self.given, self.sign = given, 1 if rising else -1
        self.band = 0

    def of(self, value: float) -> int:
        if isinstance(self.given, int):
            return self.given
        bands = self.given["bands"]
        while self.band < len(bands) and self._beyond(value, bands[self.band]["beyond"]):
            self.band += 1
        # One that is left is left for the milder one before it, and so on; the first one only by the end.
        while self.band and not self._beyond(value, bands[self.band - 1]["beyond"]):
            clear = bands[self.band - 1].get("clear")
            if clear is None:
                if self.band == 1:
                    break
                clear = bands[self.band - 2]["beyond"]
            if self._beyond(value, clear):
                break
            self.band -= 1
        return bands[self.band - 1]["severity"] if self.band else self.given["default"]

    def _beyond(self, value: float, number: float) -> bool:
        return self.sign * value > self.sign * number


class Life:
    """What is told of one series, second by second."""

    def __init__(self, settings: Settings, kind: type[Kind]) -> None:
        self.settings, self.kind = settings, kind
        #: Seconds between two looks.
        self.step: int = settings.get("step", 1)
        self.said: list[tuple[int, str, int, float | None]] = []
        self.now: int | None = None
        self._begin()

    def _begin(self) -> None:
        self.of = self.kind(self.settings)
        self._moved_at = 0
        self.heard_at: int | None = None
        self.fires = False
        self.bad_since: int | None = None
        self.clear_since: int | None = None
        self.severity = 0
        self.finding = Finding(CLEAR)

    def hear(self, event: Event, *, more: bool = False) -> None:
        """Hear of it now, and perhaps of *more* of that moment."""
        if self.heard_at is not None and event.at > self.heard_at:
            self.live(event.at - self.step)
        newer = self.heard_at is None or event.at > self.heard_at
        if not self.of.hear(event):
            return
        if newer:
            self.heard_at = self.now = event.at
        assert self.now is not None
        assert self.heard_at is not None
        self._find(self.of.judge(self.heard_at, heard=True), self.heard_at)
        if self.bad_since == self.heard_at and not self.settings.get("for") and not self.fires:
            # Told at once, also where it is over by now.
            self._wait(self.heard_at)
        self._find(self.of.judge(self.heard_at, heard=False), self.heard_at)
        if not more:
            self._wait(self.heard_at)

    def live(self, until: int) -> None:
        """Let time pass."""
        while self.now is not None and self.heard_at is not None and self.now < until:
            self.now += self.step
            if self.now == self.heard_at + self.settings["forget_after"]:
                if self.fires:
                    self._tell(self.now, "resolved", None)
                self.now = None
                self._begin()
                return
            self._find(self.of.judge(self.now, heard=False), self.now)
            self._wait(self.now)

    def _find(self, finding: Finding | None, at: int) -> None:
        if finding is None:
            return
        self.finding = finding
        if finding.says == BAD:
            self.clear_since = None
            before, self.severity = self.severity, finding.severity
            if self.bad_since is None:
                self.bad_since = at
            if self.fires and before != finding.severity:
                self._tell(at, "changed", finding.value)
            return
        if not self.fires:
            self._end()
        elif finding.says == BETWEEN:
            self.clear_since = None
        elif self.clear_since is None:
            self.clear_since = at if finding.since is None else finding.since

    def _wait(self, at: int) -> None:
        """Fire, or be over, once it was so for long enough."""
        if (
            not self.fires
            and self.bad_since is not None
            and at >= self.bad_since + self.settings.get("for", 0)
        ):
            self.fires = True
            self._tell(at, "firing", self.finding.value)
        if self.clear_since is not None and at >= self.clear_since + self.settings.get(
            "keep_firing_for", 0
        ):
            self._tell(at, "resolved", self.finding.clear_value)
            self.fires = False
            self._end()

    def _end(self) -> None:
        self.bad_since = self.clear_since = None
        self.of.over()

    def _tell(self, at: int, state: str, value: float | None) -> None:
        at = self._moved_at = max(at, self._moved_at)
        self.said.append((at, state, self.severity, value))


class Graded(Kind):
    """A kind whose severity can go by value."""

    rising = True

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.severity = Severity(settings["severity"], rising=self.is_rising())

    def is_rising(self) -> bool:
        return True

    def over(self) -> None:
        self.severity.band = 0

    def found(self, says: str, size: float, value: float | None, clear: float | None) -> Finding:
        return Finding(says, self.severity.of(size) if says == BAD else 0, value, clear)
