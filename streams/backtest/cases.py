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

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from schemas.alerts import AlertV1
from schemas.contract import Contract, Line
from schemas.lifecycle import IncidentV1, StepV1
from schemas.notices import NoticeV1
from schemas.withheld import WithheldV1
from streams.backtest.inputs import (
    COMMAND,
    COMMANDS_KNOWN,
    MESSAGES,
    OUTAGE,
    SHORT,
    Happening,
    Input,
    Moments,
    Nowhere,
)
from streams.backtest.since import NO_MOMENT, is_moment, moments_of, numbered, parts_of
from streams.durations import Duration
from streams.errors import PolicyError
from streams.policy import Policy, put_together, read_policy, refusal
from streams.policy_faults import faults, meant
from streams.policy_files import SUFFIXES, Document, Place, Problem, document_of, part_of, text_of

#: Where nothing else is said, cases begin here: a Friday.
BEGINNING: Final = datetime(2024, 3, 1, tzinfo=UTC)
SECOND: Final = timedelta(seconds=1)
#: Words for what can happen, as an input has one of them.
_WORDS: Final = (*MESSAGES, COMMAND, OUTAGE)
#: What can be expected to be told, by the word for it.
TOLD: Final[Mapping[str, type[Contract]]] = {
    "alerts": AlertV1,
    "incidents": IncidentV1,
    "steps": StepV1,
    "notices": NoticeV1,
    "withheld": WithheldV1,
}
#: Everything that can be expected.
EXPECTED: Final = ("firing", *TOLD, "on_call", "refused")
#: Ticks that are further apart would be an outage of ours.
_FURTHEST: Final = timedelta(minutes=2)


class Expectation(BaseModel):
    """What must be true at one moment or several, once everything of that second has happened."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    at: Moments
    """When."""
    firing: tuple[str, ...] | None = None
    """The rules whose alerts fire, a rule once for each of its alerts."""
    alerts: tuple[dict[str, Any], ...] | None = None
    """The alerts that were told then, each by any of its fields."""
    incidents: tuple[dict[str, Any], ...] | None = None
    """The incidents that there have been, as they stand."""
    steps: tuple[dict[str, Any], ...] | None = None
    """The steps of incidents then."""
    notices: tuple[dict[str, Any], ...] | None = None
    """What channels were told then."""
    withheld: tuple[dict[str, Any], ...] | None = None
    """The alerts of which nobody was told then, or is again, and why."""
    on_call: dict[str, str | None] | None = None
    """Schedules of the policy, each with the person who is on call; nothing where nobody is."""
    refused: tuple[str, ...] | None = None
    """What was refused then: of each a part of the reason."""


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
    ticks: timedelta
    """How often time is told, besides at the moments of inputs and expectations."""
    watched: bool
    """Whether schedules are looked after."""
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
    ticks: Annotated[Duration, Field(ge=SECOND, le=_FURTHEST)] = SECOND
    """How often time is told, besides at the moments of inputs and expectations: cases of days need not be told each second."""
    watch_schedules: bool = False
    """Whether nobody on call is an alert, and handovers are told of by themselves: not where schedules begin later than the case."""
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
    text = text_of(file, str(file))
    if isinstance(text, Problem):
        return Read(problems=[text])
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
        #: Names of cases, and the line of each.
        self._names: dict[str, int] = {}

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
            if (each := self._expectation(where, given, head.start)) is not None
        ]
        if len(self.read.problems) > found:
            return
        if not expectations:
            self._say((*place, "expect"), "expects nothing: add {at: 30s, firing: [a-rule]}")
            return
        if not self._is_new(place, body.name):
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
                head.ticks,
                head.watch_schedules,
                # Those of one moment happen in the order in which they are written.
                tuple(sorted(happenings, key=lambda each: each.at)),
                tuple(expectations),
            )
        )

    def _is_new(self, place: Place, name: str) -> bool:
        line = self._document.problem((*place, "name"), "").line
        before = self._names.setdefault(name, line)
        if before != line:
            self._say(
                (*place, "name"), f"{name!r} is the name of the case in line {before} already"
            )
        return before == line

    def _happenings(
        self, place: Place, given: Any, number: int, beginning: datetime
    ) -> Iterator[Happening]:
        read = self._model(place, given, Input)
        if read is None:
            return
        words = [word for word in _WORDS if getattr(read, word) is not None]
        if len(words) != 1:
            known = ", ".join(_WORDS)
            self._say(place, f"must be one of {known}; it is {' and '.join(words) or 'none'}")
            return
        (word,) = words
        if word == OUTAGE:
            for moment in read.at:
                yield Happening(moment, word, {}, number, read.outage or timedelta(0))
            return
        happenings = [Happening(moment, word, getattr(read, word), number) for moment in read.at]
        if self._is_message((*place, word), happenings[0], beginning):
            yield from happenings

    def _is_message(self, place: Place, happening: Happening, beginning: datetime) -> bool:
        kind = happening.kind
        if kind is None:
            action = str(happening.fields.get("action"))
            known = {*COMMANDS_KNOWN, *SHORT}
            self._say((*place, "action"), f"{action!r} is no action; {meant(action, known)}")
            return False
        if not self._known(place, happening.fields, kind):
            return False
        odd = list(happening.oddities())
        for name, text in odd:
            self._say((*place, name), text)
        if odd:
            return False
        try:
            happening.message(beginning, Nowhere())
        except ValidationError as error:
            self.read.problems.extend(faults(self._document, place, kind, error))
            return False
        return True

    def _expectation(self, place: Place, given: Any, beginning: datetime) -> Expectation | None:
        read: Expectation | None = self._model(place, given, Expectation)
        if read is None:
            return None
        for moment in read.at:
            if moment % SECOND:
                self._say((*place, "at"), "must be whole seconds: time passes in seconds")
                return None
        if all(getattr(read, word) is None for word in EXPECTED):
            self._say(place, f"expects nothing; there are {', '.join(EXPECTED)}")
        named: dict[str, Any] = {}
        for word, kind in TOLD.items():
            wanted = getattr(read, word)
            for number, each in enumerate(wanted or ()):
                self._known((*place, word, number), each, kind)
                self._possible((*place, word, number), each, kind, beginning)
            if wanted is not None:
                named[word] = tuple(
                    {name: numbered(name, it, beginning) for name, it in each.items()}
                    for each in wanted
                )
        return read.model_copy(update=named)

    def _known(self, place: Place, given: Mapping[str, Any], kind: type[BaseModel]) -> bool:
        # A message may have fields of a later release; here they are mistyped.
        unknown = [name for name in given if name not in kind.model_fields]
        for name in unknown:
            self._say((*place, name), f"is not known here; {meant(str(name), kind.model_fields)}")
        parts = [
            self._known((*place, name, *below), inside, part)
            for name, part in parts_of(kind).items()
            for below, inside in _maps_in(given.get(name))
        ]
        return not unknown and all(parts)

    def _possible(
        self, place: Place, given: Mapping[str, Any], kind: type[BaseModel], beginning: datetime
    ) -> None:
        """Say what no message has in a field: it would be expected in vain, or be missed by nobody."""
        moments = moments_of(kind)
        plain = {}
        for name, value in given.items():
            if name in moments:
                if value is not None and not is_moment(value):
                    self._say((*place, name), f"{value!r} {NO_MOMENT}")
            elif isinstance(value, str | int | float):
                plain[name] = numbered(name, value, beginning)
        try:
            kind.model_validate(plain)
        except ValidationError as error:
            wrong = faults(self._document, place, kind, error, only=plain)
            self.read.problems.extend(wrong)
        for name, part in parts_of(kind).items():
            for below, inside in _maps_in(given.get(name)):
                self._possible((*place, name, *below), inside, part, beginning)

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


def _maps_in(given: Any) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    """Yield the maps that *given* is or lists, with their places in it."""
    if isinstance(given, Mapping):
        yield (), given
    elif isinstance(given, list):
        yield from (
            ((number,), each) for number, each in enumerate(given) if isinstance(each, Mapping)
        )


def case_files(paths: Iterable[Path]) -> list[Path]:
    """Return the YAML files that *paths* are or hold, at any depth, each once, in order."""
    found: dict[Path, None] = {}
    for path in paths:
        inside = path.rglob("*.y*ml") if path.is_dir() else [path]
        chosen = [
            each
            for each in inside
            # Editors leave files beside those that they edit.
            if each == path or (each.suffix in SUFFIXES and not each.name.startswith("."))
        ]
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
        if not path.exists():
            message = f"there is no policy {given!r}: neither beside {case.file.name}, nor where the command is typed"
            raise PolicyError(message)
    return read_policy(path, case.environment)
