"""A health check failed so many times of the last so many."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from schemas.contract import Severity
from schemas.origin import Origin
from schemas.telemetry import HealthStatus, HealthV1, Signal
from streams.detection.bands import Bands
from streams.detection.heard import Batch
from streams.detection.holding import Says
from streams.detection.rule import Calm, Evidence, Names, Rule


class ByCritical(BaseModel):
    """A severity that depends on whether the service is down without what is checked."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    critical: Severity
    """Of a check that is critical."""
    otherwise: Severity
    """Of any other check."""


def _written_as(given: Any) -> str:
    if isinstance(given, Bands) or (isinstance(given, dict) and "bands" in given):
        return "by value"
    return "by critical" if isinstance(given, dict | ByCritical) else "always"


@dataclass(slots=True)
class Result:
    """One result of the check."""

    at: datetime
    failed: bool
    origin: Origin


@dataclass(slots=True)
class Memory:
    """The latest results, oldest first, and what the check last said of a failure."""

    results: list[Result] = field(default_factory=list)
    check: str = ""
    critical: bool = False
    status: str = ""
    message: str = ""
    band: int = 0


class Health(Rule):
    """Fires when *failures* of the last *of* results are failures; resolves after *successes* good ones in a row."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "health",
                    "name": "check-failed",
                    "failures": 2,
                    "of": 3,
                    "severity": {"critical": 1, "otherwise": 3},
                }
            ]
        }
    )

    subject_label = "check"
    names_setting = "check"

    kind: Literal["health"] = "health"
    severity: Annotated[  # type: ignore[assignment]  # Wider, only here.
        Annotated[Severity, Tag("always")]
        | Annotated[ByCritical, Tag("by critical")]
        | Annotated[Bands, Tag("by value")],
        Discriminator(_written_as),
    ]
    """
    1 critical to 4 low; or ``{critical: 1, otherwise: 3}``, by what the check says of itself; or by the number of failures,
    ``{default: 3, bands: [{beyond: 4, severity: 2}]}``.
    """
    check: Names = ()
    """The check or checks it is about; all where none is named."""
    failures: Annotated[int, Field(ge=1, le=100)] = 2
    """How many results must be failures."""
    of: Annotated[int, Field(ge=1, le=100)] | None = None
    """Of how many latest results; as many as *failures* where it is left out, so they are consecutive."""
    successes: Annotated[int, Field(ge=1, le=100)] = 1
    """How many good results in a row resolve it, once the failures are no longer too many."""
    degraded_fails: bool = False
    """Whether ``degraded`` is a failure too, besides ``unhealthy``."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.of is not None and self.of < self.failures:
            message = f"of ({self.of}) must be at least failures ({self.failures})"
            raise ValueError(message)
        return self

    def hears(self) -> tuple[type[Signal], ...]:
        return (HealthV1,)

    def names(self) -> tuple[str, ...]:
        return self.check

    def subject(self, signal: HealthV1) -> str:
        return signal.check

    def fresh(self) -> Memory:
        return Memory()

    def judge(self, memory: Memory, signal: HealthV1, at: datetime, origin: Origin) -> Says:
        failed = signal.status is HealthStatus.UNHEALTHY or (
            self.degraded_fails and signal.status is HealthStatus.DEGRADED
        )
        span = self.of or self.failures
        memory.results.append(Result(at, failed, origin))
        del memory.results[: -max(span, self.successes)]
        memory.check, memory.status = signal.check, signal.status
        if failed:
            memory.critical, memory.message = signal.critical, signal.message
        failures = 0
        for result in memory.results[-span:]:
            failures += result.failed
        if failures >= self.failures:
            return self.graded(memory, Says.BAD, failures)
        good = memory.results[-self.successes :]
        if len(good) == self.successes and not any(result.failed for result in good):
            return Says.CLEAR
        return Says.BETWEEN

    def absorb(self, memory: Memory, heard_at: datetime, batch: Batch, origin: Origin) -> None:
        del heard_at
        kept = max(self.of or self.failures, self.successes)
        memory.results += [Result(at, failed=False, origin=origin) for at in batch.ats[-kept:]]
        del memory.results[:-kept]
        memory.check, memory.status = batch.signal.check, HealthStatus.HEALTHY

    def calm(self, memory: Memory) -> Calm | None:
        # A failure that is remembered could be joined by the next one.
        return None if any(result.failed for result in memory.results) else Calm(low=0, high=0)

    def evidence(self, memory: Memory, says: Says) -> Evidence:
        if says is Says.CLEAR:
            times = "" if self.successes == 1 else f" {self.successes} times in a row"
            return Evidence(f"{memory.check} is {memory.status}{times}")
        latest = memory.results[-(self.of or self.failures) :]
        failed = [result for result in latest if result.failed]
        return Evidence(
            f"{memory.check} failed {len(failed)} of the last {len(latest)} times",
            value=float(len(failed)),
            started_at=failed[0].at,
            first=failed[0].origin,
            message=memory.message,
        )

    def measured(self, memory: Memory) -> float:
        return float(sum(it.failed for it in memory.results[-(self.of or self.failures) :]))

    def rising(self) -> bool:
        return True

    def severity_of(self, memory: Memory) -> int:
        if isinstance(self.severity, ByCritical):
            return self.severity.critical if memory.critical else self.severity.otherwise
        return super().severity_of(memory)
