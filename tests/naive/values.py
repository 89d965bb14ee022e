"""Rules about the values of a metric."""

from datetime import datetime
from fractions import Fraction
from functools import cache
from itertools import pairwise
from statistics import median
from typing import Final
from zoneinfo import ZoneInfo

from tests.naive.life import BAD, BETWEEN, CLEAR, Event, Finding, Graded, Settings

COMPARES: Final = {
    ">": lambda value, limit: value > limit,
    ">=": lambda value, limit: value >= limit,
    "<": lambda value, limit: value < limit,
    "<=": lambda value, limit: value <= limit,
    "==": lambda value, limit: value == limit,
    "!=": lambda value, limit: value != limit,
}


def compared(rule: Graded, number: float) -> Finding:
    """What a rule with a threshold, and perhaps another number to be clear, says of *number*."""
    settings = rule.settings
    compares = COMPARES[settings["compare"]]
    if compares(number, settings["threshold"]):
        return rule.found(BAD, number, number, number)
    if "clear" in settings and compares(number, settings["clear"]):
        return Finding(BETWEEN, 0, number, number)
    return Finding(CLEAR, 0, number, number)


class Threshold(Graded):
    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.counts_late = "over" in settings
        self._window: list[Event] | None = None

    def is_rising(self) -> bool:
        return self.settings["compare"] in {">", ">="}

    def hear(self, event: Event) -> bool:
        if self.counts_late and self.heard:
            newest = max(each.at for each in self.heard)
            if event.at <= newest - self.settings["over"]:
                return False
        return super().hear(event)

    def judge(self, now: int, *, heard: bool) -> Finding | None:
        settings = self.settings
        if not self.counts_late:
            return self._compared(Fraction(self.heard[-1].said)) if heard else None
        window = sorted(
            (each for each in self.heard if now - settings["over"] < each.at <= now),
            # A counter goes up: of one moment, the smaller value was the first.
            key=lambda each: (each.at, each.said),
        )
        if not heard and window == self._window:
            return None
        self._window = window
        values = [Fraction(each.said) for each in window]
        aggregate = settings["aggregate"]
        if aggregate in {"rate", "increase"} and len(values) < 2:
            if heard:
                return Finding(BETWEEN, 0, self.last, self.last)
            # Nothing grows where nothing is heard: that begins nothing, and may end something.
            self.last = 0.0
            limit = settings.get("clear", settings["threshold"])
            over = not COMPARES[settings["compare"]](0, limit)
            return Finding(CLEAR if over else BETWEEN, 0, 0.0, 0.0)
        if not values and aggregate in {"avg", "min", "max", "p50", "p90", "p95", "p99"}:
            return None
        return self._compared(self._aggregated(values))

    last = 0.0

    def _aggregated(self, values: list[Fraction]) -> Fraction:
        aggregate, ranked, total = (
            self.settings["aggregate"],
            sorted(values),
            sum(values, Fraction(0)),
        )
        if aggregate in {"rate", "increase"}:
            growth = Fraction(0)
            for before, value in pairwise(values):
                growth += value if value < before else value - before
            return growth / self.settings["over"] if aggregate == "rate" else growth
        if aggregate in {"count", "sum", "avg"}:
            made = {"count": Fraction(len(values)), "sum": total}
            return made[aggregate] if aggregate in made else total / len(values)
        share = {"min": 0, "max": 100}.get(aggregate)
        rank = Fraction(int(aggregate[1:]) if share is None else share, 100) * (len(ranked) - 1)
        below = int(rank)
        above = min(below + 1, len(ranked) - 1)
        return ranked[below] + (ranked[above] - ranked[below]) * (rank - below)

    def _compared(self, value: Fraction) -> Finding:
        self.last = float(value)
        return compared(self, self.last)


class RateOfChange(Graded):
    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._last = 0.0

    def judge(self, now: int, *, heard: bool) -> Finding | None:
        if not heard:
            return None
        settings = self.settings
        # Of each sixtieth of the span the first value.
        part = max(settings["over"] * 1_000_000 // 60, 1)
        firsts: dict[int, Event] = {}
        for event in self.heard:
            firsts.setdefault(event.at * 1_000_000 // part, event)
        old = [each for each in firsts.values() if each.at <= now - settings["over"]]
        if not old:
            return None
        base, value = Fraction(old[-1].said), Fraction(self.heard[-1].said)
        change = value - base
        if settings.get("relative"):
            whole = max(abs(base), Fraction(settings.get("floor", 0)))
            if whole == 0 and value != 0:
                return None
            change = change / whole if whole else Fraction(0)
        size = {"up": change, "down": -change, "either": abs(change)}[settings["direction"]]
        number = float(change)
        if size >= Fraction(settings["change"]):
            return self.found(BAD, float(size), number, number)
        if "clear" in settings and size >= Fraction(settings["clear"]):
            return Finding(BETWEEN, 0, number, number)
        return Finding(CLEAR, 0, number, number)


class Anomaly(Graded):
    def judge(self, now: int, *, heard: bool) -> Finding | None:
        if not heard:
            return None
        settings = self.settings
        known = self._recent() if settings["baseline"] == "recent" else self._of_the_hour(now)
        if len(known) < settings["learn"]:
            return None
        value, center = float(self.heard[-1].said), median(known)
        spread = 1.4826 * median(abs(each - center) for each in known)
        spread = max(spread, settings["floor"], settings["relative_floor"] * abs(center))
        if spread:
            away = (value - center) / spread
        else:
            away = 1e300 * ((value > center) - (value < center))
        size = {"up": away, "down": -away, "either": abs(away)}[settings["direction"]]
        if size > settings["deviations"]:
            return self.found(BAD, size, value, value)
        if size > settings["clear"]:
            return Finding(BETWEEN, 0, value, value)
        return Finding(CLEAR, 0, value, value)

    def _recent(self) -> list[float]:
        values = self.settings["values"]
        every = max(values // 20, 1)
        count = (len(self.heard) - 1) // every * every
        return [float(each.said) for each in self.heard[:count][-values:]]

    def _of_the_hour(self, now: int) -> list[float]:
        firsts: dict[int, Event] = {}
        for each in self.heard:
            firsts.setdefault(each.at // 900, each)
        this = self._hour(now)
        known = [(self._hour(each.at), each) for each in firsts.values()]
        before = [each for hour, each in known if hour[:2] == this[:2] and hour != this]
        return [float(each.said) for each in before[-4 * self.settings["cycles"] :]]

    def _hour(self, at: int) -> tuple[int, int, object]:
        settings = self.settings
        week = settings["baseline"] == "hour_of_week"
        return _hour_of(settings["start"] + at, settings["zone"], week=week)


@cache
def _hour_of(at: int, zone: str, *, week: bool) -> tuple[int, int, object]:
    """Which hour of the day, or of the week, and which one of these it is."""
    moment = datetime.fromtimestamp(at, ZoneInfo(zone))
    return moment.hour, moment.weekday() if week else 0, (moment.date(), moment.utcoffset())
