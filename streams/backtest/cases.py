"""
Test cases of a policy, as a rule author writes them: timed inputs, and what must be true at each moment.

A file is one case, or has several under ``cases:``, each with a name. Moments are durations since the beginning, in whole seconds
where something is expected. Whatever is wrong with a file is said all at once, with its lines.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
)

from schemas.alerts import AlertV1
from schemas.changes import ChangeV1
from schemas.commands import AnyCommand, Command
from schemas.contract import Contract, Line
from schemas.lifecycle import IncidentV1, StepV1
from schemas.notices import NoticeV1
from schemas.silences import SilenceV1
from schemas.telemetry import ExternalV1, HealthV1, LogV1, MetricV1
from schemas.topics import (
    CHANGES,
    COMMANDS,
    EXTERNAL,
    HEALTH,
    LOGS,
    METRICS,
    SILENCES,
    TopicDeclaration,
)
from streams.durations import Duration, read_duration
from streams.errors import PolicyError
from streams.policy import Policy, put_together, read_policy, refusal
from streams.policy_faults import faults, meant
from streams.policy_files import Document, Place, Problem, document_of, part_of

#: Where nothing else is said, cases begin here: a Friday.
BEGINNING: Final = datetime(2024, 3, 1, tzinfo=UTC)
#: Moments that one ``at`` may stand for.
MOMENTS: Final = 100_000
SECOND: Final = timedelta(seconds=1)

#: What can be put in, by the word for it.
_MESSAGES: Final[Mapping[str, tuple[TopicDeclaration, type[Contract]]]] = {
    "health": (HEALTH, HealthV1),
    "metric": (METRICS, MetricV1),
    "log": (LOGS, LogV1),
    "external": (EXTERNAL, ExternalV1),
    "change": (CHANGES, ChangeV1),
    "silence": (SILENCES, SilenceV1),
}
_COMMAND: Final = "command"
_COMMANDS: Final[Mapping[str, type[Command]]] = {
    each.model_fields["action"].default: each for each in AnyCommand.__args__[0].__args__
}
#: As the command line calls them.
_SHORT: Final = {"ack": "acknowledge"}
#: What can be expected, besides ``firing``, by the word for it.
TOLD: Final[Mapping[str, type[Contract]]] = {
    "alerts": AlertV1,
    "incidents": IncidentV1,
    "steps": StepV1,
    "notices": NoticeV1,
}


class _Series(BaseModel):
    model_config = ConfigDict(extra="forbid")

    begin: Duration = Field(alias="from", default=timedelta(0))
    to: Duration
    every: Annotated[Duration, Field(gt=timedelta(0))]


def _moments(written: Any) -> tuple[timedelta, ...]:
    if isinstance(written, Mapping):
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
    change: dict[str, Any] | None = None
    """A deployment or another change."""
    silence: dict[str, Any] | None = None
    """A silence."""
    command: dict[str, Any] | None = None
    """What a person asks."""


class Expectation(BaseModel):
    """What must be true at one moment or several, once everything of that second has happened."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    at: Moments
    """When."""
    firing: tuple[str, ...] | None = None
    """The rules whose alerts fire, a rule once for each of its alerts."""
    alerts: tuple[dict[str, Any], ...] | None = None
    """The alerts that were told in that second, each by any of its fields."""
    incidents: tuple[dict[str, Any], ...] | None = None
    """The incidents that there have been, as they stand."""
    steps: tuple[dict[str, Any], ...] | None = None
    """The steps of incidents in that second."""
    notices: tuple[dict[str, Any], ...] | None = None
    """What channels were told in that second."""


@dataclass(frozen=True)
class Happening:
    """One input at one moment."""

    at: timedelta
    word: str
    fields: Mapping[str, Any]
    number: int
    """Its place among the inputs of the case."""

    def message(self, beginning: datetime, incident_id: str) -> tuple[TopicDeclaration, Contract]:
        """Return it as its topic carries it; a command that names no incident is about *incident_id*."""
        moment = {"occurred_at": beginning + self.at}
        if self.word != _COMMAND:
            topic, kind = _MESSAGES[self.word]
            return topic, kind(**{**moment, **self.fields})
        defaults = {"command_id": f"{self.number}@{self.at.total_seconds():g}", "author": "tester"}
        given = {**moment, **defaults, "incident_id": incident_id, **self.fields}
        action = str(given.get("action"))
        given["action"] = _SHORT.get(action, action)
        return COMMANDS, TypeAdapter(AnyCommand).validate_python(given)


@dataclass(frozen=True)
class Case:
    """One case."""

    name: str
    file: Path
    line: int
    #: A part of the file, or the path of a policy; None where the file names none.
    policy: Document | str | None
    environment: Mapping[str, str]
    beginning: datetime
    happenings: tuple[Happening, ...]
    """In the order in which they happen."""
    expectations: tuple[Expectation, ...]

    @property
    def end(self) -> timedelta:
        """The last moment at which something is expected."""
        return max(moment for each in self.expectations for moment in each.at)


class _Head(BaseModel):
    """What stands in a file besides its cases."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    policy: str | dict[str, Any] | None = None
    """The path of a policy, from this file or from where the command is typed; or a policy."""
    environment: dict[str, str] = {}
    """What the policy finds in the environment; nothing else is there."""
    start: AwareDatetime = BEGINNING
    """The time at which the case begins."""
    name: Line = ""
    """What the case shows."""
    inputs: Any = None
    """What happens."""
    expect: Any = None
    """What must be true."""
    cases: Any = None
    """Several cases with ``name``, ``inputs`` and ``expect`` each."""


class _Body(BaseModel):
    """One of several cases."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    name: Annotated[Line, Field(min_length=1)]
    """What the case shows."""
    inputs: Any = None
    """What happens."""
    expect: Any = None
    """What must be true."""


@dataclass
class Read:
    """The cases of one file, and what is wrong with it."""

    cases: list[Case] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def read_cases(file: Path) -> Read:
    """Return the cases of *file*."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        return Read(problems=[Problem(str(file), 0, "", f"cannot be read: {why}")])
    document = document_of(str(file), text, None)
    if document.problems:
        return Read(problems=document.problems)
    reading = _Reading(file, document)
    reading.take()
    return reading.read


class _Reading:
    """A file of cases while it is read."""

    def __init__(self, file: Path, document: Document) -> None:
        self._file = file
        self._document = document
        self.read = Read()

    def take(self) -> None:
        if not isinstance(self._document.meant, dict):
            self._say((), "must be a map with inputs and expect, or with cases")
            return
        head = self._model((), self._document.meant, _Head)
        if head is None:
            return
        if head.cases is None:
            self._case((), head, head)
            return
        if head.inputs is not None or head.expect is not None:
            self._say(("cases",), "stands beside inputs or expect: move those into a case")
        for place, each in self._each(("cases",), head.cases):
            body = self._model(place, each, _Body)
            if body is not None:
                self._case(place, head, body)

    def _case(self, place: Place, head: _Head, body: _Head | _Body) -> None:
        found = len(self.read.problems)
        happenings = [
            each
            for number, (where, given) in enumerate(self._each((*place, "inputs"), body.inputs))
            for each in self._happenings(where, given, number, head.start)
        ]
        expectations = [
            each
            for where, given in self._each((*place, "expect"), body.expect)
            if (each := self._expectation(where, given)) is not None
        ]
        if len(self.read.problems) > found:
            return
        if not expectations:
            self._say((*place, "expect"), "expects nothing: add {at: 30s, firing: [a-rule]}")
            return
        stem = self._file.stem
        self.read.cases.append(
            Case(
                f"{stem}/{body.name}" if body.name else stem,
                self._file,
                self._document.problem(place, "").line,
                head.policy if isinstance(head.policy, str | None) else self._document,
                head.environment,
                head.start,
                # Those of one moment happen in the order in which they are written.
                tuple(sorted(happenings, key=lambda each: each.at)),
                tuple(expectations),
            )
        )

    def _happenings(
        self, place: Place, given: Any, number: int, beginning: datetime
    ) -> Iterator[Happening]:
        read = self._model(place, given, Input)
        if read is None:
            return
        words = [word for word in (*_MESSAGES, _COMMAND) if getattr(read, word) is not None]
        if len(words) != 1:
            known = ", ".join((*_MESSAGES, _COMMAND))
            self._say(place, f"must be one of {known}; it is {' and '.join(words) or 'none'}")
            return
        (word,) = words
        happenings = [Happening(moment, word, getattr(read, word), number) for moment in read.at]
        if self._is_message((*place, word), happenings[0], beginning):
            yield from happenings

    def _is_message(self, place: Place, happening: Happening, beginning: datetime) -> bool:
        kind: type[Contract] = Command
        if happening.word != _COMMAND:
            kind = _MESSAGES[happening.word][1]
        else:
            action = str(happening.fields.get("action"))
            chosen = _COMMANDS.get(_SHORT.get(action, action))
            if chosen is None:
                self._say(
                    (*place, "action"), f"{action!r} is no action; {meant(action, _COMMANDS)}"
                )
                return False
            kind = chosen
        if not self._known(place, happening.fields, kind):
            return False
        try:
            happening.message(beginning, "INC-2024-03-01-001")
        except ValidationError as error:
            self.read.problems.extend(faults(self._document, place, kind, error))
            return False
        return True

    def _expectation(self, place: Place, given: Any) -> Expectation | None:
        read: Expectation | None = self._model(place, given, Expectation)
        if read is None:
            return None
        for moment in read.at:
            if moment % SECOND:
                self._say((*place, "at"), "must be whole seconds: time passes in seconds")
                return None
        if read.firing is None and all(getattr(read, word) is None for word in TOLD):
            self._say(place, f"expects nothing; there are firing, {', '.join(TOLD)}")
        for word, kind in TOLD.items():
            for number, each in enumerate(getattr(read, word) or ()):
                self._known((*place, word, number), each, kind)
        return read

    def _known(self, place: Place, given: Iterable[str], kind: type[Contract]) -> bool:
        # A message may have fields of a later release; here they are mistyped.
        unknown = [name for name in given if name not in kind.model_fields]
        for name in unknown:
            self._say((*place, name), f"is not known here; {meant(str(name), kind.model_fields)}")
        return not unknown

    def _each(self, place: Place, given: Any) -> Iterator[tuple[Place, Any]]:
        if given is None:
            return
        if not isinstance(given, list):
            self._say(place, "must be a list: begin each entry with '- '")
            return
        for number, each in enumerate(given):
            yield (*place, number), each

    def _model(self, place: Place, given: Any, model: Any) -> Any:
        if not isinstance(given, dict):
            self._say(place, "must be a map of settings")
            return None
        try:
            return model.model_validate(given)
        except ValidationError as error:
            self.read.problems.extend(faults(self._document, place, model, error))
            return None

    def _say(self, place: Place, text: str) -> None:
        self.read.problems.append(self._document.problem(place, text))


def case_files(paths: Iterable[Path]) -> list[Path]:
    """Return the YAML files that *paths* are or hold, at any depth, each once, in order."""
    found: dict[Path, None] = {}
    for path in paths:
        inside = path.rglob("*") if path.is_dir() else [path]
        chosen = [each for each in inside if each == path or each.suffix in {".yaml", ".yml"}]
        found.update(dict.fromkeys(sorted(each for each in chosen if not each.is_dir())))
    return list(found)


def policy_of(case: Case, otherwise: Path) -> Policy:
    """
    Return the policy that *case* is about; *otherwise* is the path of the one where its file names none.

    Raises:
        PolicyError: It cannot be used.
    """
    given = case.policy
    if isinstance(given, Document):
        part = part_of(given, ("policy",), case.environment)
        examined = put_together(given.name, [part])
        if examined.policy is None:
            raise PolicyError(refusal(f"the policy of {given.name}", examined.problems))
        return examined.policy
    path = otherwise
    if given is not None:
        beside = case.file.parent / given
        path = beside if beside.exists() else Path(given)
    return read_policy(path, case.environment)
