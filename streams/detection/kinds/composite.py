"""Several rules fire at once, or some without others."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from schemas.contract import LabelName, Severity
from schemas.origin import Origin
from schemas.telemetry import Signal
from streams.detection.holding import Says
from streams.detection.rule import Evidence, Names, Rule
from streams.detection.told import Told
from streams.durations import Duration


@dataclass(slots=True)
class Memory:
    """The alerts that fire, by rule."""

    firing: dict[str, list[str]] = field(default_factory=dict)


class Composite(Rule):
    """
    Fires while every rule of *all* fires, at least one of *any* and none of *none*; resolves when that is no longer so.

    Rules fire about the same tenant, service and environment, and with *group_by* about the same values of these labels; a label that one
    of them does not have is empty. It hears alerts in the order in which they are decided, but what ends by time, be it silence, is over
    for whatever happens after it. What has fired before this rule was in the policy counts from its next change on. So that rules that
    fire one after the other are no alert for a moment, give it a ``for``.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "composite",
                    "name": "checkout-broken",
                    "all": ["error-rate"],
                    "any": ["slow-responses", "health-check-failed"],
                    "none": ["maintenance"],
                    "severity": 1,
                }
            ]
        }
    )

    kind: Literal["composite"] = "composite"
    severity: Severity
    """1 critical to 4 low."""
    group_by: tuple[LabelName, ...] | None = ()
    """The labels that the alerts of the rules must share; none where it is left out, and null for all of them."""
    all: Names = ()
    """Rules that must all fire."""
    any: Names = ()
    """Rules of which at least one must fire."""
    none: Names = ()
    """Rules of which none may fire."""
    forget_after: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(days=21)
    """What its rules say nothing new about for so long is forgotten."""

    @model_validator(mode="after")
    def _has_rules(self) -> Self:
        if not self.all and not self.any:
            message = "needs rules that fire: add all: [a, b] or any: [a, b]"
            raise ValueError(message)
        return self

    def combines(self) -> Mapping[str, tuple[str, ...]]:
        return {"all": self.all, "any": self.any, "none": self.none}

    def counts_late(self) -> bool:
        return True

    def doubts(self) -> Iterator[tuple[str, str]]:
        for name in self.none:
            if name in self.all or set(self.any) == {name}:
                yield "none", f"{name!r} must fire and must not; it can never fire"

    def hears(self) -> tuple[type[Signal], ...]:
        return (Told,)

    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.all, *self.any, *self.none)))

    def fresh(self) -> Memory:
        return Memory()

    def counted(self, memory: Memory) -> Iterable[str]:
        return [alert for alerts in memory.firing.values() for alert in alerts]

    def judge(self, memory: Memory, signal: Told, at: datetime, origin: Origin) -> Says | None:
        del at, origin
        firing = memory.firing.get(signal.rule, [])
        if signal.fires == (signal.fingerprint in firing):
            # Heard already: its severity has changed, or it is told again after a restart.
            return None
        if signal.fires:
            firing.append(signal.fingerprint)
        else:
            firing.remove(signal.fingerprint)
        if firing:
            memory.firing[signal.rule] = firing
        else:
            del memory.firing[signal.rule]
        return Says.BAD if self._satisfied(memory) else Says.CLEAR

    def evidence(self, memory: Memory, says: Says) -> Evidence:
        del says
        fires = [name for name in self.names() if memory.firing.get(name)]
        quiet = [name for name in self.names() if not memory.firing.get(name)]
        said = []
        if fires:
            said.append(f"{', '.join(fires)} fire" + ("s" if len(fires) == 1 else ""))
        if quiet:
            said.append(f"{', '.join(quiet)} do" + ("es not" if len(quiet) == 1 else " not"))
        return Evidence("; ".join(said))

    def _satisfied(self, memory: Memory) -> bool:
        firing = memory.firing
        return (
            all(firing.get(name) for name in self.all)
            and (not self.any or any(firing.get(name) for name in self.any))
            and not any(firing.get(name) for name in self.none)
        )
