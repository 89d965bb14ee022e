"""Whose metrics and logs they are: what OTLP's resources and attributes become."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from schemas import limits
from streams.telemetry.batch import TooLarge, too_many
from streams.telemetry.format import Translated
from streams.telemetry.formats._otlp_dialect import Dialect
from streams.telemetry.labelling import fitting

#: Attributes that tell the instances of a service from each other: they find room first.
_INSTANCE: Final = (
    "service.namespace",
    "service.instance.id",
    "host.name",
    "k8s.cluster.name",
    "k8s.namespace.name",
    "k8s.pod.name",
    "k8s.pod.uid",
    "k8s.container.name",
    "container.id",
    "process.pid",
    "cloud.region",
    "cloud.availability_zone",
)


@dataclass(frozen=True, slots=True)
class Whose:
    """What all points of one resource have in common."""

    every: Mapping[str, Any]
    """Tenant, service and environment."""
    labels: Mapping[str, str]
    """The resource's labels."""
    instance: Mapping[str, str]
    """Those of them that tell the service's instances from each other."""

    def in_scope(self, scope: Any, dialect: Dialect) -> "Whose":
        """Return the same for what *scope* says more of: its attributes tell series from each other too."""
        own = fitting(pairs(scope.attributes, dialect)) if scope.attributes else None
        return replace(self, labels=self.with_own(own)) if own else self

    def with_own(self, own: Mapping[str, str]) -> Mapping[str, str]:
        """Return the labels of a point that has *own* ones."""
        if not own:
            return self.labels
        if len(own) + len(self.labels) <= limits.LABEL_COUNT:
            return {**self.labels, **own}
        return fitting(own.items(), self.instance.items(), self.labels.items())


def by_resource(
    resources: Any, dialect: Dialect, settings: Translated
) -> Iterator[tuple[int, Any, Whose]]:
    """
    Yield the number of each of *resources*, itself, and what its points have in common.

    Raises:
        Unreadable: There are too many; most could be empty.
    """
    if len(resources) > limits.BATCH_SIGNALS:
        raise TooLarge(too_many())
    for number, each in enumerate(resources):
        yield number, each, _whose(each.resource, dialect, settings)


def _whose(resource: Any, dialect: Dialect, settings: Translated) -> Whose:
    attributes = dict(pairs(resource.attributes, dialect))
    service, environment, said = settings.placed(attributes)
    instance = fitting((name, attributes[name]) for name in _INSTANCE if name in attributes)
    rest = ((name, value) for name, value in attributes.items() if name not in said)
    every = {"tenant": settings.tenant, "service": service, "environment": environment}
    return Whose(every, fitting(instance.items(), rest), instance)


def pairs(attributes: Iterable[Any], dialect: Dialect) -> Iterator[tuple[str, str]]:
    """Yield names and values of *attributes*; what has no value says nothing."""
    text = dialect.text
    for each in attributes:
        value = text(each.value)
        if value:
            yield each.key, value
