"""Whose metrics and logs they are: what OTLP's resources and attributes become."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from schemas import limits
from schemas.contract import Unreadable
from streams.telemetry.batch import Batch, TooLarge, too_many
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
    resources: Any, name: str, dialect: Dialect, settings: Translated, batch: Batch
) -> Iterator[tuple[str, Any, Whose]]:
    """
    Yield the place of each of *resources* in the list called *name*, itself, and what its points have in common.

    Raises:
        Unreadable: There are too many; most could be empty. Or too many are wrong.
    """
    if len(resources) > limits.BATCH_SIGNALS:
        raise TooLarge(too_many())
    for number, each in enumerate(resources):
        place = f"{name}[{number}]"
        try:
            resource = dialect.resource(each, place)
            of = _whose(resource.resource, dialect, settings)
        except Unreadable as fault:
            # Nobody knows whose the points are.
            batch.put_aside(place, fault)
        else:
            yield place, resource, of


def by_scope(scopes: Any, name: str, dialect: Dialect, batch: Batch) -> Iterator[tuple[str, Any]]:
    """
    Yield the place of each of *scopes* in the list called *name*, and itself.

    Raises:
        Unreadable: Too many are wrong.
    """
    for number, each in enumerate(scopes):
        place = f"{name}[{number}]"
        try:
            scope = dialect.scope(each, place)
        except Unreadable as fault:
            batch.put_aside(place, fault)
        else:
            yield place, scope


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
