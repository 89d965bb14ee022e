"""
What can happen in a case, and the message that each thing is: with what an author need not write filled in.

Moments can be written as durations since the beginning, ``-1h`` before it; the incidents of the first day by their number; matchers as in a
policy; the alerts that leave an incident by what they are about.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Protocol

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from schemas.alerts import AlertState, AlertV1
from schemas.changes import ChangeV1
from schemas.commands import AnyCommand, Command
from schemas.contract import Contract
from schemas.silences import SilenceV1
from schemas.telemetry import ExternalV1, HealthV1, LogV1, MetricV1
from schemas.topics import (
    ALERTS,
    CHANGES,
    COMMANDS,
    EXTERNAL,
    HEALTH,
    LOGS,
    METRICS,
    SILENCES,
    TopicDeclaration,
)
from streams.backtest.since import NO_MOMENT, is_moment, moments_of, numbered, read_since
from streams.detection.fingerprint import fingerprint
from streams.durations import Duration, read_duration
from streams.matchers import read_matchers
from streams.policy_faults import meant

#: Moments that one ``at`` may stand for.
MOMENTS: Final = 100_000

#: What can be put in, by the word for it.
MESSAGES: Final[Mapping[str, tuple[TopicDeclaration, type[Contract]]]] = {
    "health": (HEALTH, HealthV1),
    "metric": (METRICS, MetricV1),
    "log": (LOGS, LogV1),
    "external": (EXTERNAL, ExternalV1),
    "alert": (ALERTS, AlertV1),
    "change": (CHANGES, ChangeV1),
    "silence": (SILENCES, SilenceV1),
}
COMMAND: Final = "command"
OUTAGE: Final = "outage"
COMMANDS_KNOWN: Final[Mapping[str, type[Command]]] = {
    each.model_fields["action"].default: each for each in AnyCommand.__args__[0].__args__
}
#: As the command line calls them.
SHORT: Final = {"ack": "acknowledge", "unack": "unacknowledge"}
_COMMAND: TypeAdapter[Any] = TypeAdapter(AnyCommand)


class _Series(BaseModel):
    model_config = ConfigDict(extra="forbid")

    begin: Duration = Field(alias="from", default=timedelta(0))
    to: Duration
    every: Annotated[Duration, Field(gt=timedelta(0))]


_SERIES: Final = ("from", "to", "every")


def _moments(written: Any) -> tuple[timedelta, ...]:
    if isinstance(written, Mapping):
        for name in written:
            if name not in _SERIES:
                message = f"has {name!r}, which is not known here; {meant(str(name), _SERIES)}"
                raise ValueError(message)
        try:
            series = _Series.model_validate(written)
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            name = ".".join(map(str, fault["loc"]))
            message = (
                f"has no usable {name!r}: write {{from: 0s, to: 10m, every: 15s}}, from at most to"
            )
            raise ValueError(message) from None
        count = max(0, (series.to - series.begin) // series.every + 1)
        if not 0 < count <= MOMENTS:
            message = f"stands for {count} moments: there can be 1 to {MOMENTS}"
            raise ValueError(message)
        return tuple(series.begin + number * series.every for number in range(count))
    several = written if isinstance(written, list) else [written]
    return tuple(read_duration(each) for each in several)


Moments = Annotated[
    tuple[timedelta, ...], BeforeValidator(_moments), Field(min_length=1, max_length=MOMENTS)
]


class Input(BaseModel):
    """One thing that happens, at one moment or several."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    at: Moments
    """When: ``5s``, ``[0s, 15s]`` or ``{from: 0s, to: 10m, every: 15s}``"""
    health: dict[str, Any] | None = None
    """A health check's result."""
    metric: dict[str, Any] | None = None
    """A measured value."""
    log: dict[str, Any] | None = None
    """A log record."""
    external: dict[str, Any] | None = None
    """Another system's alert."""
    alert: dict[str, Any] | None = None
    """What a rule found, without the signals that it found it in."""
    change: dict[str, Any] | None = None
    """A deployment or another change."""
    silence: dict[str, Any] | None = None
    """A silence."""
    command: dict[str, Any] | None = None
    """What a person asks."""
    outage: Duration | None = None
    """The workers are killed, and others go on so much later with what was kept; 0s for a restart."""


class Scene(Protocol):
    """What an input may refer to: where the case stands when it happens."""

    @property
    def ordinal(self) -> int:
        """How many things have happened."""

    def latest_incident(self) -> str:
        """Return the id of the incident that a command is about that names none."""

    def fingerprints(self, incident_id: str, about: Mapping[str, Any]) -> list[str]:
        """Return which alerts of an incident have the fields *about*."""


class Nowhere:
    """A scene before anything has happened: enough to see whether an input can be read."""

    ordinal = 1

    def latest_incident(self) -> str:
        """Return an id."""
        return "INC-2024-03-01-001"

    def fingerprints(self, incident_id: str, about: Mapping[str, Any]) -> list[str]:
        """Return a fingerprint."""
        del incident_id, about
        return ["0" * 16]


@dataclass(frozen=True)
class Happening:
    """One input at one moment."""

    at: timedelta
    word: str
    fields: Mapping[str, Any]
    number: int
    """Its place among the inputs of the case."""
    lasts: timedelta = timedelta(0)
    """Of an outage: how long."""

    @property
    def action(self) -> str:
        """Of a command: what it asks, in full."""
        action = str(self.fields.get("action"))
        return SHORT.get(action, action)

    @property
    def kind(self) -> type[Contract] | None:
        """The contract of its message; None for an action that there is not."""
        if self.word == COMMAND:
            return COMMANDS_KNOWN.get(self.action)
        return MESSAGES[self.word][1]

    def oddities(self) -> Iterator[tuple[str, str]]:
        """Yield which of its fields are not written as cases write them, with what is wrong."""
        moments = moments_of(self.kind or Command)
        for name, value in self.fields.items():
            if name in moments and not is_moment(value):
                yield name, f"{value!r} {NO_MOMENT}"
            if name == "matchers":
                try:
                    read_matchers(value)
                except ValueError as error:
                    yield name, str(error)

    def message(self, beginning: datetime, scene: Scene) -> tuple[TopicDeclaration, Contract]:
        """
        Return it as its topic carries it.

        Raises:
            ValidationError: It is none.
        """
        at = beginning + self.at
        kind = self.kind or Command
        given = {name: _meant(name, kind, value, beginning) for name, value in self.fields.items()}
        given = {"occurred_at": at, **given}
        if self.word == COMMAND:
            defaults = {
                "command_id": f"{self.number}@{self.at.total_seconds():g}",
                "author": "tester",
                "incident_id": scene.latest_incident(),
            }
            asked = {**defaults, **given, "action": self.action}
            if "fingerprints" in asked:
                asked["fingerprints"] = _leaving(asked, scene)
            return COMMANDS, _COMMAND.validate_python(asked)
        if self.word == "alert":
            given = {**_alert_defaults(given, scene), **given}
        if self.word == "silence":
            named = {"silence_id": f"silence-{self.number + 1}", "author": "tester"}
            given = {**named, "starts_at": given["occurred_at"], **given}
        topic, message = MESSAGES[self.word]
        return topic, message(**given)


def _meant(name: str, kind: type[Contract], value: Any, beginning: datetime) -> Any:
    """Return what an author means by *value* for the field called *name*."""
    if name == "matchers":
        return read_matchers(value)
    if name in moments_of(kind):
        since = read_since(value)
        return value if since is None else beginning + since
    return numbered(name, value, beginning)


def _leaving(asked: Mapping[str, Any], scene: Scene) -> Any:
    written = asked["fingerprints"]
    if not isinstance(written, list):
        return written
    found: list[Any] = []
    for each in written:
        if isinstance(each, Mapping):
            # What no alert is about is refused by the incident, as what is mistyped would be.
            about = ", ".join(f"{name}={value}" for name, value in each.items())
            found += scene.fingerprints(str(asked["incident_id"]), each) or [about]
        else:
            found.append(each)
    return found


def _alert_defaults(given: Mapping[str, Any], scene: Scene) -> dict[str, Any]:
    """Return what an alert says that its author need not: two about the same are one."""
    tenant, environment = given.get("tenant", "default"), given.get("environment", "production")
    service, rule, labels = (given.get(name) for name in ("service", "rule", "labels"))
    identity = fingerprint(
        tenant=str(tenant),
        service=str(service),
        environment=str(environment),
        rule=str(rule),
        subject="",
        labels=labels if isinstance(labels, Mapping) else {},
    )
    return {
        "fingerprint": identity,
        "sequence": scene.ordinal,
        "state": AlertState.FIRING,
        "severity": 3,
        "group_key": f"{service}/{environment}",
        "summary": f"{service}: {rule}",
        "reason": "as the case says",
        "started_at": given["occurred_at"],
    }
