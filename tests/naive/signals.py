"""Rules about checks, logs, silence, and what others say."""

from typing import Any

from tests.naive.life import BAD, BETWEEN, CLEAR, Event, Finding, Graded, Kind, Settings


class Health(Graded):
    def judge(self, now: int, *, heard: bool) -> Finding | None:
        del now
        if not heard:
            return None
        settings = self.settings
        failing = {"unhealthy", "degraded"} if settings.get("degraded_fails") else {"unhealthy"}
        failed = [event.said["status"] in failing for event in self.heard]
        failures = sum(failed[-settings.get("of", settings["failures"]) :])
        says = BETWEEN
        if failures >= settings["failures"]:
            says = BAD
        elif len(failed) >= settings["successes"] and not any(failed[-settings["successes"] :]):
            says = CLEAR
        given = settings["severity"]
        if isinstance(given, dict) and "critical" in given:
            last = [event for event, bad in zip(self.heard, failed, strict=True) if bad]
            critical = bool(last) and last[-1].said.get("critical", False)
            return Finding(says, given["critical" if critical else "otherwise"], float(failures))
        return self.found(says, failures, float(failures), None)


class Absence(Kind):
    def judge(self, now: int, *, heard: bool) -> Finding | None:
        if heard:
            return Finding(CLEAR)
        if now >= self.heard[-1].at + self.settings["within"]:
            return Finding(BAD, self.settings["severity"])
        return None


class LogPattern(Graded):
    counts_late = True

    def hear(self, event: Event) -> bool:
        newest = max((each.at for each in self.heard), default=event.at)
        return event.at > newest - self.settings["within"] and super().hear(event)

    def judge(self, now: int, *, heard: bool) -> Finding | None:
        del heard
        matches = sum(now - self.settings["within"] < each.at <= now for each in self.heard)
        count = self.settings["count"]
        kept = count
        if isinstance(self.settings["severity"], dict):
            kept = max(kept, *(int(b["beyond"]) + 1 for b in self.settings["severity"]["bands"]))
        value = min(matches, kept)
        if matches >= count:
            return self.found(BAD, value, float(value), 0.0)
        return Finding(BETWEEN if matches else CLEAR, 0, float(value), 0.0)


class LogNovelty(Graded):
    counts_late = True

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._known: set[str] = set()
        self._new: list[int] = []

    def hear(self, event: Event) -> bool:
        # The last word is a number.
        sort = event.said.rsplit(" ", 1)[0]
        newest = max((each.at for each in self.heard), default=None)
        if newest is not None and event.at <= newest and sort in self._known:
            return False
        self.heard.append(event)
        learnt = event.at >= self.heard[0].at + self.settings["learn"]
        if sort not in self._known and learnt:
            self._new.append(event.at)
        self._known.add(sort)
        return True

    def judge(self, now: int, *, heard: bool) -> Finding | None:
        if self._new and now >= max(self._new) + self.settings["within"] and not heard:
            over = max(self._new) + self.settings["within"]
            self._new = []
            return Finding(CLEAR, 0, 0.0, 0.0, since=over)
        if not heard:
            return None
        if not self._new:
            return Finding(CLEAR, 0, 0.0, 0.0)
        return self.found(BAD, len(self._new), float(len(self._new)), 0.0)


class Passthrough(Kind):
    def hear(self, event: Event) -> bool:
        if self.heard and event.at == self.heard[-1].at:
            # Of one moment, the end counts.
            if event.said["state"] != "resolved" or event in self.heard:
                return False
            self.heard.append(event)
            return True
        return super().hear(event)

    def judge(self, now: int, *, heard: bool) -> Finding | None:
        del now
        if not heard:
            return None
        said = self.heard[-1].said
        if said["state"] == "resolved":
            return Finding(CLEAR)
        own = said.get("severity")
        fixed = self.settings["severity"]
        return Finding(BAD, fixed if own is None or self.settings["override_severity"] else own)


class Composite(Kind):
    counts_late = True

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._fires: dict[Any, str] = {}

    def judge(self, now: int, *, heard: bool) -> Finding | None:
        del now
        if not heard:
            return None
        rule, series, state = self.heard[-1].said
        if state == "resolved":
            self._fires.pop((rule, series), None)
        else:
            self._fires[rule, series] = rule
        fires, settings = set(self._fires.values()), self.settings
        good = (
            set(settings["all"]) <= fires
            and (not settings["any"] or fires & set(settings["any"]))
            and not fires & set(settings["none"])
        )
        return Finding(BAD if good else CLEAR, settings["severity"])
