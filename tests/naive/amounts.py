"""Rules about two amounts."""

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction

from tests.naive.life import BAD, BETWEEN, CLEAR, Event, Finding, Graded, Kind, Settings
from tests.naive.values import compared


class Amounts(Kind):
    """What two amounts came to, of many sources."""

    counts_late = True
    settle = 0

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._counted: dict[str, list[Event]] = defaultdict(list)
        self._pending: list[int] = []

    @abstractmethod
    def roles(self, event: Event) -> Sequence[str]:
        """To which of the two amounts *event* counts."""

    def value_of(self, event: Event, role: str) -> Fraction:
        del role
        return max(Fraction(event.said), Fraction(0))

    @property
    def counters(self) -> bool:
        return bool(self.settings.get("counters", True))

    def hear(self, event: Event) -> bool:
        heard = False
        for role in self.roles(event):
            known = self._counted[f"{role} {event.source}"]
            latest = sorted(each.at for each in known)[-4:]
            if event.at in (each.at for each in known) or (
                len(latest) == 4 and event.at < latest[0]
            ):
                continue
            known.append(event)
            heard = True
        if heard:
            self.heard.append(event)
        return heard

    def amount(self, role: str, span: int, now: int) -> tuple[Fraction, bool]:
        """What came in the window that ends settled, and whether there is anything in it."""
        until = now - self.settle
        step = max(span * 1_000_000 // 60, 1)
        first = (until - span) * 1_000_000 // step
        total, anything = Fraction(0), False
        for name, known in self._counted.items():
            if name.split(" ", 1)[0] != role:
                continue
            ordered = sorted(known, key=lambda each: each.at)
            for number, event in enumerate(ordered):
                value = self.value_of(event, role)
                if self.counters:
                    if not number:
                        continue
                    before = self.value_of(ordered[number - 1], role)
                    value = value - before if value >= before else value
                if event.at <= until and event.at * 1_000_000 // step >= first:
                    total, anything = total + value, True
        return total, anything


class Ratio(Amounts, Graded):
    def __init__(self, settings: Settings) -> None:
        Graded.__init__(self, settings)
        self._counted = defaultdict(list)
        self.settle = settings["settle"]
        self._said = CLEAR

    def is_rising(self) -> bool:
        return self.settings["compare"] == ">"

    def roles(self, event: Event) -> Sequence[str]:
        return [role for role in ("part", "whole") if role in self.settings["roles"](event)]

    def judge(self, now: int, *, heard: bool) -> Finding | None:
        # Silence begins nothing.
        settled = any(each.at == now - self.settle for each in self.heard)
        silent = not heard and not settled
        if silent and self._said == CLEAR:
            return None
        band = self.severity.band
        finding = self._judged(now)
        if silent and finding.says == BAD != self._said:
            self.severity.band = band
            finding = Finding(BETWEEN, 0, finding.value, finding.value)
        self._said = finding.says
        return finding

    def _judged(self, now: int) -> Finding:
        settings = self.settings
        part, one = self.amount("part", settings["over"], now)
        whole, other = self.amount("whole", settings["over"], now)
        if not (one or other) or whole <= 0:
            return Finding(CLEAR)
        value = max(part, Fraction(0)) / whole
        number = float(f"{float(min(value, Fraction(10) ** 300)):.9g}")
        if float(f"{float(whole):.9g}") < settings["minimum"]:
            return Finding(BETWEEN, 0, number, number)
        return compared(self, number)


class BurnRate(Amounts):
    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.settle = 0 if settings.get("signal") == "health" else settings["settle"]
        self._pair: int | None = None

    @property
    def counters(self) -> bool:
        return self.settings.get("signal") != "health" and super().counters

    def roles(self, event: Event) -> Sequence[str]:
        if self.settings.get("signal") == "health":
            return ("part", "whole")
        return [role for role in ("part", "whole") if role in self.settings["roles"](event)]

    def value_of(self, event: Event, role: str) -> Fraction:
        if self.settings.get("signal") != "health":
            return super().value_of(event, role)
        bad = {"unhealthy", "degraded"} if self.settings.get("degraded_fails") else {"unhealthy"}
        return Fraction(role == "whole" or event.said["status"] in bad)

    def judge(self, now: int, *, heard: bool) -> Finding | None:
        settled = any(each.at == now - self.settle for each in self.heard)
        if not heard and not settled and self._pair is None:
            return None
        windows = self.settings["windows"]
        burns = []
        for number, each in enumerate(windows):
            whole = float(self.amount("whole", each["long"], now)[0])
            begins = float(f"{whole:.9g}") >= self.settings["minimum"]
            if (
                self._rate(each["long"], now) > each["burn"]
                and self._rate(each["short"], now) > each["burn"]
                and (begins or not self._makes_worse(number))
            ):
                burns.append(number)
        if not burns:
            self._pair = None
            return Finding(CLEAR)
        if (
            self._pair is not None
            and self._rate(windows[self._pair]["long"], now) > windows[self._pair]["burn"]
        ):
            burns.append(self._pair)
        self._pair = min(burns, key=lambda number: (windows[number]["severity"], number))
        return Finding(
            BAD, windows[self._pair]["severity"], self._rate(windows[self._pair]["long"], now)
        )

    def _makes_worse(self, number: int) -> bool:
        windows, pair = self.settings["windows"], self._pair
        rank = (windows[number]["severity"], number)
        return pair is None or rank < (windows[pair]["severity"], pair)

    def _rate(self, span: int, now: int) -> float:
        part, whole = (self.amount(role, span, now)[0] for role in ("part", "whole"))
        if whole <= 0:
            return 0.0
        part = max(part, Fraction(0))
        bad = max(whole - part, Fraction(0)) if self.settings.get("good") else part
        allowed = 1 - Fraction(str(self.settings["objective"]))
        return float(f"{float(min(bad / whole, Fraction(1)) / allowed):.9g}")
