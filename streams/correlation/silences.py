"""Silences and maintenance windows: which of them mutes an alert, and which ends soon although alerts still match."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from schemas.alerts import AlertState, AlertV1
from schemas.silences import SilenceV1
from streams.durations import written
from streams.entries import Entries, Place
from streams.matchers import Predicate, predicate

#: What matchers read from an alert's own fields; everything else is a label.
FIELDS: Final = frozenset(
    {"tenant", "service", "environment", "rule", "severity", "owner", "group_key"}
)
#: The rule of the alerts that say that a silence ends.
ENDING: Final = "silence-ending"


@dataclass(frozen=True, slots=True)
class Silence:
    """A silence, ready to be asked."""

    said: SilenceV1
    holds: Predicate

    def mutes(self, alert: AlertV1, at: datetime) -> bool:
        """Whether it mutes *alert* at *at*; the moment of its end is not muted any more."""
        said = self.said
        return (
            said.starts_at <= at < said.ends_at
            and said.tenant == alert.tenant
            and alert.rule != ENDING
            and self.holds(alert)
        )

    @property
    def reason(self) -> str:
        """Why an alert is muted, in words."""
        said = self.said
        what = "maintenance window" if said.maintenance else "silence"
        return f"{what} {said.silence_id} until {said.ends_at:%Y-%m-%d %H:%M:%S %Z}: {said.reason}"


def readied(said: SilenceV1) -> Silence:
    """
    Return *said*, ready to be asked.

    Raises:
        ValueError: One of its expressions is none; the text says which, and why.
    """
    holds = predicate(said.matchers, FIELDS)
    return Silence(said, holds or (lambda _: True))


class Silences:
    """The silences that one partition has heard of and that are not over."""

    def __init__(self, warn_before: timedelta) -> None:
        self._warn_before = warn_before
        self._known: dict[str, Silence] = {}
        #: Silences whose end was warned of, with that end and the alert that said so.
        self._warned: dict[str, AlertV1] = {}
        self._at: datetime | None = None
        self._changed = False
        self.entries = Entries({"silence": self._written, "warned": self._written_warned})

    def hear(self, silence_id: str, said: SilenceV1 | None) -> None:
        """
        Take in a silence; None ends the one with that id.

        Raises:
            ValueError: One of its expressions is none.
        """
        before = self._known.get(silence_id)
        if said is None:
            self._known.pop(silence_id, None)
        elif before is None or before.said.occurred_at <= said.occurred_at:
            self._known[silence_id] = readied(said)
        self._changed = True
        self.entries.note("silence", (silence_id,))

    def muting(self, alert: AlertV1, at: datetime) -> Silence | None:
        """Return the silence that mutes *alert* the longest; None where none does."""
        found = [each for each in self._known.values() if each.mutes(alert, at)]
        return max(found, key=lambda each: (each.said.ends_at, each.said.silence_id), default=None)

    def turned(self, at: datetime) -> bool:
        """Whether any has begun, ended or changed since this was last asked; those that are over are forgotten."""
        since, self._at = self._at, at
        changed, self._changed = self._changed, False
        for silence_id, each in list(self._known.items()):
            begins, ends = each.said.starts_at, each.said.ends_at
            changed |= since is None or since < begins <= at or since < ends <= at
            if ends <= at:
                del self._known[silence_id]
                self.entries.note("silence", (silence_id,))
        return changed

    def ending(self, at: datetime) -> bool:
        """Whether any ends soon, or was said to."""
        soon = at + self._warn_before
        return bool(self._warned) or any(each.said.ends_at <= soon for each in self._known.values())

    def warnings(self, at: datetime, matching: Iterable[tuple[str, AlertV1]]) -> list[AlertV1]:
        """
        Return the alerts that say which silences end soon although they mute something, and those that take it back.

        *matching* has the alerts that are muted now, each with the id of its silence.
        """
        by_silence: dict[str, list[AlertV1]] = {}
        for silence_id, alert in matching:
            by_silence.setdefault(silence_id, []).append(alert)
        said = []
        for silence_id in sorted(self._known):
            silence = self._known[silence_id].said
            muted = by_silence.get(silence_id, [])
            near = silence.ends_at - at <= self._warn_before
            if near and muted and silence_id not in self._warned:
                warning = _warning(silence, muted, at)
                self._warned[silence_id] = warning
                self.entries.note("warned", (silence_id,))
                said.append(warning)
        for silence_id, warning in sorted(self._warned.items()):
            known = self._known.get(silence_id)
            over = known is None or known.said.ends_at - at > self._warn_before
            if over or silence_id not in by_silence:
                del self._warned[silence_id]
                self.entries.note("warned", (silence_id,))
                said.append(_taken_back(warning, at))
        return said

    def restore(self, kind: str, place: Place, value: Any) -> None:
        """Take back one entry."""
        if kind == "silence":
            self._known[place[0]] = readied(SilenceV1.model_validate(value))
        elif kind == "warned":
            self._warned[place[0]] = AlertV1.model_validate(value)

    def _written(self, place: Place) -> bytes | None:
        known = self._known.get(place[0])
        return known.said.to_wire() if known else None

    def _written_warned(self, place: Place) -> bytes | None:
        warned = self._warned.get(place[0])
        return warned.to_wire() if warned else None


def _warning(silence: SilenceV1, muted: list[AlertV1], at: datetime) -> AlertV1:
    rules = sorted({f"{alert.rule} of {alert.service}" for alert in muted})
    name = f"{silence.tenant}/{silence.silence_id}"
    return AlertV1(
        occurred_at=at,
        tenant=silence.tenant,
        fingerprint=hashlib.sha256(f"{ENDING}/{name}".encode()).hexdigest()[:16],
        sequence=int(at.timestamp() * 1_000),
        state=AlertState.FIRING,
        rule=ENDING,
        severity=4,
        service="tocsin",
        labels={"silence": silence.silence_id[:256]},
        group_key=f"silence/{silence.silence_id}"[:255],
        summary=f"The silence {silence.silence_id} ends at {silence.ends_at:%H:%M %Z}, and alerts still match it"[
            :1_000
        ],
        description=f"Muted by {silence.author}: {silence.reason}",
        reason=f"it ends in {written(silence.ends_at - at)} and mutes {', '.join(rules[:5])}"[
            :1_000
        ],
        value=float(len(muted)),
        started_at=at,
    )


def _taken_back(warning: AlertV1, at: datetime) -> AlertV1:
    return warning.model_copy(
        update={
            "occurred_at": at,
            "sequence": int(at.timestamp() * 1_000),
            "state": AlertState.RESOLVED,
            "reason": "the silence is over, or longer, or nothing matches it any more",
        }
    )
