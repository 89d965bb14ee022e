"""
What every rule kind has: which signals it is about, whom its alerts name, how patient it is.

A kind is one file in ``kinds/``: a subclass of ``Rule`` with its own settings, what it remembers of each series, and what it
says. It never sees the clock: it is asked when a signal came, and at the moments that it asked to be asked at.
"""

from abc import abstractmethod
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from math import inf
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, model_validator

from schemas.contract import LabelName, Name
from schemas.origin import Origin
from schemas.telemetry import Signal
from streams.detection.bands import Band, Bands, Graded, disorder, entered
from streams.detection.condition import Condition, condition, unknown
from streams.detection.heard import Batch
from streams.detection.holding import Says, Terms
from streams.detection.matching import Matchers, Predicate, predicate
from streams.detection.wording import Template, Wording, template
from streams.durations import Duration, written
from streams.runbooks import Runbook

#: A count of this or more means any number.
MANY: Final = 1_000
#: The count of what stays calm about any number of signals, as long as they come one after the other: of several feeds, whatever is
#: noted down is absorbed feed by feed.
ONE_FEED: Final = MANY - 1
#: Series that one rule may watch in one partition.
MAX_SERIES: Final = 100_000
#: Settings that say what a rule is about, how patient it is, or how its alerts are told.
_ABOUT_AND_TOLD: Final = frozenset(
    {
        *("name", "service", "match", "severity", "wait", "keep_firing_for"),
        *("summary", "description", "runbook", "owner", "max_series", "forget_after"),
    }
)


def _several(given: Any) -> Any:
    return (given,) if isinstance(given, str) else given


@dataclass(slots=True)
class Pool:
    """
    What all feeds of a series may still tell together, whatever their levels.

    A signal that happened after ``begin`` takes ``scale`` times its level and ``shift``, or nothing where that is less.
    """

    left: float
    count: int
    begin: datetime
    scale: float = 1.0
    shift: float = 0.0

    def take(self, at: datetime, level: float) -> bool:
        """Take what one signal needs, and return whether there was enough."""
        price = self.scale * level + self.shift
        if price > self.left or self.count <= 0 or at <= self.begin:
            return False
        self.count -= 1
        if price > 0:
            self.left -= price
        return True


@dataclass(frozen=True, slots=True)
class Calm:
    """
    What a quiet series may hear next without its rule having anything to say.

    The next ``count`` signals, each newer than the one before by less than ``gap`` and older than ``until``, change nothing that is
    told as long as the level of each lies from ``low`` to ``high``; a count of ``MANY`` means any number. So they need not be judged one by one: they are absorbed together.
    The level of a metric is its value, of a health check 0 healthy, 1 degraded, 2 unhealthy, of a log record its severity number.
    """

    low: float = -inf
    high: float = inf
    count: int = MANY
    until: datetime | None = None
    gap: timedelta | None = None
    #: Whether a level that is lower than the one before must be judged: a counter that began anew.
    rising: bool = False
    #: Whether several feeds must be sources of their own, as ``Rule.source_for`` tells them apart.
    by_source: bool = False
    #: What each source may come to at most; the rule says what that means for a feed. None where all feeds may say the same.
    tops: Mapping[str, float] | None = None
    #: What feeds take from with each signal.
    pool: Pool | None = None
    #: Whether it stays good whatever of it was heard; otherwise the series is asked again whenever something was absorbed.
    stands: bool = False

    @property
    def lasts(self) -> bool:
        """Whether it goes on for ever as long as the levels lie in it."""
        return self.count >= MANY and self.until is None


Names = Annotated[tuple[Name, ...], BeforeValidator(_several)]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a rule says what it says about one series."""

    reason: str
    """The comparison, with its numbers."""
    value: float | None = None
    """The value that decided."""
    started_at: datetime | None = None
    """Event time of the first bad signal that it rests on, where that is earlier than the moment it was found."""
    first: Origin | None = None
    """That signal."""
    message: str = ""
    """What the signal itself says about it."""
    detail: str = ""
    """What else the signal says; an alert carries it where the rule has no description."""


@dataclass(frozen=True, slots=True)
class Said:
    """What the templates of a rule made of an alert."""

    summary: str | None
    description: str | None
    group: str | None


class Rule(BaseModel):
    """One rule, as it stands in the policy."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    #: The label by which alerts show the subject, such as the name of the check.
    subject_label: ClassVar[str | None] = None
    #: Whether the subject alone tells series apart, whatever service and environment a signal names.
    known_by_subject: ClassVar[bool] = False
    #: Whether what still is so is said again with the time when it began.
    is_repeated: ClassVar[bool] = False
    #: The setting that holds what ``names`` returns.
    names_setting: ClassVar[str] = ""

    name: Name
    """The rule's name: alerts carry it, and no other rule has it."""
    service: Names = ()
    """The service or services it is about; all where none is named."""
    match: Matchers = ()
    """Comparisons of labels that must all hold: ``[region=~"eu-.*"]``, or ``{region: eu-1}``."""
    when: Condition | None = None
    """What matchers cannot say, as a condition in CEL on one signal: ``value > 0.5 && labels.region != "test"``."""
    severity: Graded
    """1 critical to 4 low; or by value, ``{default: 3, bands: [{beyond: 10, severity: 2}]}``."""
    group_by: tuple[LabelName, ...] | None = None
    """
    The labels that tell alerts of this rule apart, besides tenant, service and environment; all labels where it is left out.
    Of several series that become one by it, the latest signal decides.
    """
    group: Wording | None = None
    """
    What the alerts of one incident have in common, as a template; the service where it is left out. The environment is always
    added.
    """
    wait: Annotated[Duration, Field(ge=timedelta(0), alias="for")] = timedelta(0)
    """A finding must hold so long before an alert fires."""
    keep_firing_for: Annotated[Duration, Field(ge=timedelta(0))] = timedelta(0)
    """It must be clear so long before the alert is resolved."""
    lateness: Annotated[Duration, Field(ge=timedelta(0), le=timedelta(hours=1))] = timedelta(0)
    """
    Signals wait so long for earlier ones and are judged in the order in which they happened; what is later still is left out and
    counted. Alerts come that much later. Where it is 0, each signal is judged as it comes, and a late one counts where a window still
    reaches it.
    """
    summary: Wording | None = None
    """Template of the one line that says what is wrong."""
    description: Wording | None = None
    """Template of what else helps."""
    runbook: Runbook | None = None
    """
    What to do about it: a link, or a file beside the policy, such as ``runbooks/database.md``, which people read below
    ``detection.runbooks``.
    """
    owner: Name | None = None
    """The team that owns the rule."""
    max_series: Annotated[int, Field(ge=1, le=MAX_SERIES)] = 10_000
    """
    How many series it watches in one partition. Signals of further series are left out, and an alert of the rule says so
    until a tenth of the room is free again.
    """
    forget_after: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(hours=1)
    """A series that is silent so long is forgotten; if it fires, its alert is resolved first, and says why."""

    _condition_failures: Counter[str] = PrivateAttr(default_factory=Counter)
    _summary: Template | None = PrivateAttr(default=None)
    _description: Template | None = PrivateAttr(default=None)
    _group: Template | None = PrivateAttr(default=None)

    def model_post_init(self, context: Any, /) -> None:
        """Compile what is used for every signal or alert."""
        del context
        self._summary = template(self.summary) if self.summary else None
        self._description = template(self.description) if self.description else None
        self._group = template(self.group) if self.group else None

    # What is used for every signal is kept where Python finds it at once, which private attributes of pydantic are not.

    @cached_property
    def _holds(self) -> Predicate | None:
        return predicate(self.match)

    @cached_property
    def _condition(self) -> Predicate | None:
        return condition(self.when, self._condition_failed) if self.when else None

    @cached_property
    def _bands(self) -> tuple[Band, ...] | None:
        return self.severity.bands if isinstance(self.severity, Bands) else None

    @cached_property
    def _rising(self) -> bool:
        return self.rising() is not False

    @model_validator(mode="after")
    def _remembers_long_enough(self) -> Self:
        for name, span in self.patience().items():
            if span >= self.forget_after:
                message = (
                    f"{name} ({written(span)}) must be shorter than forget_after ({written(self.forget_after)}), "
                    "or the series is forgotten first"
                )
                raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _bands_fit(self) -> Self:
        if isinstance(self.severity, Bands):
            rising = self.rising()
            if rising is None:
                message = "severity cannot depend on a value here: write a number from 1 to 4"
                raise ValueError(message)
            wrong = disorder(self.severity, rising=rising)
            if wrong is not None:
                message = f"severity {wrong}"
                raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _combined_rules_have_their_own_lateness(self) -> Self:
        if self.lateness and self.combines():
            message = "lateness has no meaning here: write it at the rules that are combined"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _condition_is_known(self) -> Self:
        wrong = unknown(self.when, self.hears()) if self.when else None
        if wrong is not None:
            message = f"when {wrong}"
            raise ValueError(message)
        return self

    def new_condition_failures(self) -> int:
        """Return how often ``when`` could not be told since the last call, and was taken for false."""
        new = self._condition_failures["when"] - self._condition_failures["told"]
        self._condition_failures["told"] += new
        return new

    @property
    def terms(self) -> Terms:
        """How patient it is."""
        return Terms(self.wait, self.keep_firing_for)

    def patience(self) -> dict[str, timedelta]:
        """Return the settings for whose time a silent series must be remembered."""
        return {
            "for": self.wait,
            "keep_firing_for": self.keep_firing_for,
            "lateness": self.lateness,
        }

    # -- what a kind says of itself ---------------------------------------------------------------

    @abstractmethod
    def hears(self) -> tuple[type[Signal], ...]:
        """Return the kinds of signal that it is about."""

    def counts_late(self) -> bool:
        """Whether a signal that is not newer than the newest one of its series may still count."""
        return False

    def heard_at(self, at: datetime, arrived: datetime) -> datetime:
        """Return when it takes a signal for heard that is of the moment *at* and *arrived* then."""
        del arrived
        return at

    def names(self) -> Collection[str]:
        """Return the names of the metrics or checks that it is about; none where it is about all."""
        return ()

    def combines(self) -> Mapping[str, tuple[str, ...]]:
        """Return the names of other rules whose alerts it hears, by the setting that names them."""
        return {}

    def counted(self, memory: Any) -> Iterable[str]:
        """Return the fingerprints of the alerts that it takes to fire, where it combines others."""
        del memory
        return ()

    def concerns(self, signal: Any) -> bool:
        """Whether *signal*, whose kind, service and name are right, is one that it is about."""
        return self.selects(signal) and (self._condition is None or self._condition(signal))

    def selects(self, signal: Any) -> bool:
        """Whether the labels of *signal* match."""
        return self._holds is None or self._holds(signal)

    def reads_content(self) -> bool:
        """Whether ``concerns`` looks at more of a signal than its kind, name, service, environment and labels."""
        return self._condition is not None

    def ignores(self) -> Calm | None:
        """Return what does not concern it whatever else stands in a signal, where it reads that; None where nothing is."""
        return None

    def reads_text(self) -> bool:
        """Whether all that it reads of a signal besides, in ``concerns`` and ``judge``, is level and text."""
        return False

    def passes_over(self, level: float, text: str) -> bool:
        """Whether a signal with that level and text does not concern it, where it reads text."""
        del level, text
        return False

    def recall(self, memory: Any, text: str) -> Any:
        """
        Return what it remembers of a text that changes nothing but what ``hear_again`` does, where it reads text; None of other ones.

        Until its next look, such a text changes nothing that it says; while it is calm, it asks for none.
        """
        del memory, text

    def hear_again(self, memory: Any, recalled: Any, at: datetime) -> None:
        """Remember that what was *recalled* came at *at* once more."""

    def order_matters(self) -> bool:
        """Whether signals of several feeds must be heard one after the other; otherwise only the newest counts."""
        return True

    def subject(self, signal: Any) -> str:
        """Return what tells series apart besides their labels."""
        del signal
        return ""

    def source_for(self, signal: Any) -> str:
        """Return what tells those apart whose signals must stay in order, each for itself, where it is calm by source."""
        del signal
        return ""

    @abstractmethod
    def fresh(self) -> Any:
        """Return what it remembers of a series that it has not heard yet: a dataclass."""

    @abstractmethod
    def judge(self, memory: Any, signal: Any, at: datetime, origin: Origin) -> Says | None:
        """Remember *signal*, which happened at *at*, and say what is the matter; None where it changes nothing."""

    def calm(self, memory: Any) -> Calm | None:
        """
        Return what the series may hear next without anything to tell, while it is quiet; None where every signal must be judged.

        It may be narrower than need be, never wider: whatever lies in it must not make ``judge`` say ``BAD``.
        """
        del memory
        return None

    def pooled(self, memory: Any) -> Calm | None:
        """Return the same of a series with several feeds, each a source of its own, where ``calm`` is of one; it has a pool."""
        del memory
        return None

    def renewed(self, memory: Any, calm: Calm) -> Calm | None:
        """Return *calm*, which was given before by ``tops``, for as long as it can be given now; None where it cannot."""
        del memory, calm
        return None

    def calm_of(self, memory: Any, calm: Calm, source: str) -> Calm | None:
        """Return what of *calm*, which is given by ``tops``, holds for the feed of *source*; None where each of its signals must be judged."""
        del memory, calm, source
        return None

    def next_look(self, memory: Any, heard_at: datetime) -> datetime | None:
        """Return when time alone could change what it says, if nothing more is heard; None where it could not."""
        del memory, heard_at
        return None

    def look(self, memory: Any, heard_at: datetime, at: datetime) -> Says | None:
        """Say what is the matter at the moment that it asked for, and never ask for it again."""
        del memory, heard_at, at
        return None

    def absorb(self, memory: Any, heard_at: datetime, batch: Batch, origin: Origin) -> None:
        """
        Remember signals that it was calm about, the first of them newer than *heard_at*.

        *origin* is that of the last one: what is told of a quiet series names none of them. What it asked to look at in
        between is looked at here.
        """
        for at, signal in zip(batch.ats, batch.signals(), strict=True):
            look = self.next_look(memory, heard_at)
            while look is not None and look < at:
                self.look(memory, heard_at, look)
                look = self.next_look(memory, heard_at)
            self.judge(memory, signal, at, origin)
            heard_at = at

    def absorb_late(self, memory: Any, batch: Batch, origin: Origin) -> None:
        """Remember signals that it was calm about, of which another feed of the series said something newer, where late ones count."""
        for at, signal in zip(batch.ats, batch.signals(), strict=True):
            self.judge(memory, signal, at, origin)

    def as_heard(self, memory: Any) -> Any:
        """Return a copy of *memory* that looks at it leave alone; None where they change nothing that a late signal could find."""
        del memory

    @abstractmethod
    def evidence(self, memory: Any, says: Says) -> Evidence:
        """Return why it says so."""

    def measured(self, memory: Any) -> float | None:
        """Return the number that it compares as it is now, whatever it says of it; None where it compares none."""
        return self.evidence(memory, Says.BAD).value

    def rising(self) -> bool | None:
        """Whether larger values are worse; None where its alerts have no value that a severity could depend on."""
        return None

    def begins(self) -> float | None:
        """Return the value from which on it fires; None where that is not one number."""
        return None

    def graded(self, memory: Any, says: Says, value: float) -> Says:
        """Remember as ``memory.band`` how bad *value* is, and return *says*."""
        if self._bands is not None and says is Says.BAD:
            memory.band = entered(self._bands, memory.band, value, rising=self._rising)
        return says

    def begin_anew(self, memory: Any) -> None:
        """Forget how bad it was: the series is quiet again, and the next alert has a severity of its own."""
        if self._bands is not None:
            memory.band = 0

    def severity_of(self, memory: Any) -> int:
        """Return how bad it is."""
        if isinstance(self.severity, Bands):
            return self.severity.severity(memory.band)
        return self.severity

    def labels_of(self, memory: Any, labels: dict[str, str]) -> dict[str, str]:
        """Return what an alert shows, where *labels* identify its series."""
        del memory
        return labels

    def _condition_failed(self) -> None:
        self._condition_failures["when"] += 1

    # -- what a kind says of its settings ---------------------------------------------------------

    def doubts(self) -> Iterator[tuple[str, str]]:
        """Yield settings that can be used and are hardly meant, each with what is doubtful about it."""
        yield from ()

    def criteria(self, *besides: str) -> dict[str, Any]:
        """Return the settings that say what it finds: neither about whom, nor how it is told, nor *besides*."""
        beside = {*_ABOUT_AND_TOLD, self.names_setting, *besides}
        return {name: getattr(self, name) for name in type(self).model_fields if name not in beside}

    def finds_whatever(self, other: Self) -> bool:
        """Whether its condition holds for a series whenever that of *other*, a rule of its kind, does."""
        return self.criteria() == other.criteria()

    # -- what its alerts say ----------------------------------------------------------------------

    def words(self, named: Mapping[str, Any]) -> Said:
        """Return what its templates make of the words that are *named*; None where there is none, or it fails."""
        return Said(
            self._summary(named) if self._summary else None,
            self._description(named) if self._description else None,
            self._group(named) if self._group else None,
        )
