"""Alerts of other systems: what their formats have in common."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator, Field

from schemas import limits
from schemas.contract import Line, Severity, Unreadable
from schemas.telemetry import ExternalState, ExternalV1
from schemas.topics import EXTERNAL, TopicDeclaration
from streams.telemetry.documents import made
from streams.telemetry.format import Names, Translated
from streams.telemetry.labelling import clean_name, fitting
from streams.telemetry.payload import Payload
from streams.telemetry.severities import alert_severity

_Words = Annotated[
    Mapping[Line, Severity],
    AfterValidator(lambda words: {each.lower(): of for each, of in words.items()}),
]
_WEB: Final = ("https://", "http://")
_SourceName = Annotated[str, Field(min_length=1, max_length=limits.NAME_LENGTH)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What another system says of one alert."""

    alert_id: str
    """Its identity: the same while it fires and when it resolves."""
    firing: bool
    at: datetime
    labels: Mapping[str, str]
    summary: str
    description: str = ""
    url: str | None = None
    severity: Iterable[str | None] = ()
    """Words of severity that are no labels: the first that means something counts."""
    service: str | None = None
    """The service, where no label names it."""
    signal_id: str | None = None


class AlertFormat(Translated):
    """A format in which another system tells of its own alerts."""

    becomes: ClassVar[TopicDeclaration | None] = EXTERNAL

    source: _SourceName | None = None
    """What the system is called where two of a kind send alerts; the format's name otherwise."""
    service: Names = ("service", "service_name", "service.name", "app", "job")
    """Labels that name the service: the first that is there."""
    severity: Names = ("severity", "priority", "level")
    """Labels that hold the severity: the first that is there."""
    severities: _Words = Field(default_factory=dict)
    """Words of severity that are your own, and the severity they mean: ``{page: 1, ticket: 3}``."""

    def alert(self, place: str, told: Told) -> ExternalV1:
        """
        Return the alert of which *place* in a document has *told*.

        Raises:
            Unreadable: It cannot be one.
        """
        service, environment, said = self.placed(told.labels)
        words = (*told.severity, *(told.labels.get(name) for name in self.severity))
        meant = (alert_severity(word, self.severities) for word in words if word)
        if not told.alert_id.strip():
            raise Unreadable(f"{place}: nothing identifies the alert")
        url = told.url or ""
        return made(
            ExternalV1,
            place,
            occurred_at=told.at,
            tenant=self.tenant,
            service=clean_name(told.service or "") or service,
            environment=environment,
            labels=fitting(pair for pair in told.labels.items() if pair[1] and pair[0] not in said),
            signal_id=_identity(told.signal_id) if told.signal_id else None,
            source=self.source or self.called(),
            alert_id=_identity(told.alert_id),
            state=ExternalState.FIRING if told.firing else ExternalState.RESOLVED,
            severity=next((each for each in meant if each is not None), None),
            summary=" ".join(told.summary.split())[: limits.LINE_LENGTH],
            description=told.description[: limits.TEXT_LENGTH],
            url=url if len(url) <= limits.URL_LENGTH and url.startswith(_WEB) else None,
        )

    @classmethod
    def called(cls) -> str:
        """Return the format's name."""
        return str(cls.model_fields["kind"].default)


def first_of(*moments: datetime | None, place: str) -> datetime:
    """
    Return the first moment that there is.

    Raises:
        Unreadable: There is none.
    """
    for at in moments:
        if at is not None:
            return at
    raise Unreadable(f"{place}: is missing")


def digest(labels: Iterable[tuple[str, str]]) -> str:
    """Return an identity of *labels*, for alerts that have none of their own."""
    told = "\0".join(f"{name}\0{value}" for name, value in sorted(labels))
    return "sha256:" + sha256(told.encode()).hexdigest()


def shown(payload: Payload, *names: str) -> bool:
    """Whether the JSON object of *payload* has all of *names*."""
    return all(name in payload.top for name in names)


def _identity(text: str) -> str:
    if len(text) <= limits.ID_LENGTH and text.isprintable():
        return text
    return "sha256:" + sha256(text.encode()).hexdigest()
