"""An alert of another monitoring system, taken over as it is."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from schemas.contract import LabelName, Severity
from schemas.origin import Origin
from schemas.telemetry import ExternalState, ExternalV1, Signal
from streams.detection.holding import Says
from streams.detection.moments import number_of
from streams.detection.rule import Evidence, Names, Rule
from streams.detection.wording import Wording
from streams.durations import Duration


@dataclass(slots=True)
class Memory:
    """What the source said last."""

    source: str = ""
    alert_id: str = ""
    severity: int | None = None
    labels: dict[str, str] = field(default_factory=dict)
    summary: str = ""
    detail: str = ""
    at: int = 0
    """When that was, in microseconds since 1970."""


class Passthrough(Rule):
    """
    Fires while another system says that its alert does; resolves when it says that it is over.

    Source and alert id are the alert's identity, so that its end is recognised whatever its labels, service and environment are by
    then; those that it fired with are kept. An end without a beginning is nothing. Of one moment, the end counts: many sources tell whole
    seconds.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"kind": "passthrough", "name": "other-systems", "severity": 3, "source": "grafana"}
            ]
        }
    )

    subject_label = "alert"
    known_by_subject = True
    is_repeated = True

    kind: Literal["passthrough"] = "passthrough"
    severity: Severity
    """1 critical to 4 low, of alerts whose source says nothing about it."""
    override_severity: bool = False
    """Whether *severity* also stands instead of what the source says."""
    source: Names = ()
    """The system or systems that it is about, such as ``grafana``; all where none is named."""
    group_by: tuple[LabelName, ...] | None = ()
    """Labels that tell alerts apart besides source and alert id; none where it is left out. They must be the same when it resolves."""
    summary: Wording | None = "{{ message }}"
    """Template of the one line that says what is wrong; what the source says where it is left out."""
    forget_after: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(days=7)
    """
    An alert that its source is silent about for so long is resolved, and says why: many sources say only once that it fires. Where they say it
    again, as Alertmanager and Grafana do every few hours, that is no news, and shows that it still fires.
    """

    def hears(self) -> tuple[type[Signal], ...]:
        return (ExternalV1,)

    def concerns(self, signal: ExternalV1) -> bool:
        return (not self.source or signal.source in self.source) and super().concerns(signal)

    def reads_content(self) -> bool:
        return True

    def subject(self, signal: ExternalV1) -> str:
        # A slash in the source's name must not look like the one between.
        source = signal.source.replace("%", "%25").replace("/", "%2F")
        return f"{source}/{signal.alert_id}"

    def fresh(self) -> Memory:
        return Memory()

    def counts_late(self) -> bool:
        return True

    def judge(
        self, memory: Memory, signal: ExternalV1, at: datetime, origin: Origin
    ) -> Says | None:
        del origin
        now, ends = number_of(at), signal.state is ExternalState.RESOLVED
        if now < memory.at or (now == memory.at and not ends):
            return None
        memory.at = now
        memory.source, memory.alert_id = signal.source, signal.alert_id
        memory.summary = signal.summary
        if ends:
            return Says.CLEAR
        memory.severity, memory.labels = signal.severity, dict(signal.labels)
        memory.detail = "\n\n".join(text for text in (signal.description, signal.url) if text)
        return Says.BAD

    def evidence(self, memory: Memory, says: Says) -> Evidence:
        state = "fires" if says is Says.BAD else "is resolved"
        return Evidence(
            f"{memory.source} says that {memory.alert_id} {state}",
            message=memory.summary,
            detail=memory.detail,
        )

    def severity_of(self, memory: Memory) -> int:
        if self.override_severity or memory.severity is None:
            return self.severity
        return memory.severity

    def labels_of(self, memory: Memory, labels: dict[str, str]) -> dict[str, str]:
        return {**memory.labels, **labels}
