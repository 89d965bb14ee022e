"""
What formats have in common, and how other systems' labels become ours.

The rule of limits: texts that people read are cut (bodies, summaries, descriptions, values of labels, names of services), labels
beyond the last that fits are left out, and what identifies is never cut: a metric's name that is too long is refused, a
too long identity of an alert is replaced by its digest.
"""

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas import limits
from schemas.contract import Name
from schemas.telemetry import Signal
from schemas.topics import TopicDeclaration
from streams.telemetry.dividing import Divided
from streams.telemetry.labelling import clean_name
from streams.telemetry.payload import Payload

#: Labels that say nothing but the service or the environment that they became.
_SAID: Final = frozenset(
    {
        "service",
        "service.name",
        "service_name",
        "environment",
        "env",
        "deployment.environment.name",
        "deployment.environment",
        "deployment_environment",
    }
)
ENVIRONMENTS: Final = (
    "deployment.environment.name",
    "deployment.environment",
    "deployment_environment",
    "environment",
    "env",
)

Names = tuple[Annotated[str, Field(min_length=1, max_length=limits.NAME_LENGTH)], ...]


class Format(BaseModel):
    """A format, and how it is read here."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    #: It takes what no other format recognises.
    asked_last: ClassVar[bool] = False
    #: The topic of its signals; None where they say it themselves.
    becomes: ClassVar[TopicDeclaration | None] = None

    topics: tuple[
        Literal["telemetry.health", "telemetry.metrics", "telemetry.logs", "telemetry.external"],
        ...,
    ] = ()
    """Topics in which everything is in this format, unless a header says otherwise."""

    @abstractmethod
    def recognises(self, payload: Payload) -> bool:
        """Whether *payload* is in this format, by its headers or its shape. Cheap, and never raises."""

    @abstractmethod
    def read(self, payload: Payload) -> Sequence[Signal]:
        """
        Return the signals of *payload*; a batch adds each of its elements to ``payload.batch``, whose signals they are.

        Raises:
            Unreadable: It is not in this format; the text names the field and quotes nothing.
            Rejected: It is, and still cannot be signals.
        """

    def divide(self, payload: Payload) -> Divided | None:
        """
        Return the elements of *payload* that could be records of their own, however large it is; None where there are none.

        Raises:
            Unreadable: It is not in this format.
        """
        del payload
        return None

    def kept_with(self, signal: Signal) -> str:
        """Return what stands for the service in the key of *signal*: its service, unless the alert's end can come with another one."""
        return signal.service


class Translated(Format):
    """A format of another system, whose labels name the service in its own way."""

    tenant: Name = "default"
    """Tenant of its signals."""
    service: Names = ("service.name", "service", "service_name")
    """Labels that name the service: the first that is there."""
    service_otherwise: Name = "unknown"
    """The service where no label names one."""
    environment: Names = ENVIRONMENTS
    """Labels that name the environment: the first that is there."""
    environment_otherwise: Name = "production"
    """The environment where no label names one."""

    def placed(self, labels: Mapping[str, str]) -> tuple[str, str, frozenset[str]]:
        """Return the service and the environment that *labels* name, and the labels that say nothing more."""
        service, by_service = _first(labels, self.service, self.service_otherwise)
        environment, by_environment = _first(labels, self.environment, self.environment_otherwise)
        return service, environment, _SAID & {by_service, by_environment}


def _first(labels: Mapping[str, str], names: Iterable[str], otherwise: str) -> tuple[str, str]:
    for name in names:
        found = labels.get(name)
        if found:
            cleaned = clean_name(found)
            if cleaned:
                return cleaned, name
    return otherwise, ""
