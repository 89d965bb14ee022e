"""The part of a policy that faces outwards: the status page, and who names its components and its channels."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from streams.correlation.catalogue import Service
from streams.discovery import declared_in, kind_of
from streams.incidents.publishing import Outside
from streams.notifications import channels as declared
from streams.notifications.channel import Channel
from streams.policy_faults import faults, meant
from streams.policy_files import Document, Place, Problem
from streams.status_page.settings import StatusPage

PART = "status_page"


class StatusPart:
    """The part while the files of a policy are read."""

    def __init__(self) -> None:
        self.page: StatusPage | None = None
        self._document: Document | None = None
        #: Components that stand there, rightly or not.
        self._components: set[str] = set()
        self._tells: list[tuple[Document, Place, str]] = []

    def take(self, document: Document, value: Any) -> Iterator[Problem]:
        """Take in the part of a file, and yield what is wrong with it."""
        if self._document is not None:
            yield document.problem((PART,), f"is defined before, in {self._document.name}")
            return
        self._document = document
        if isinstance(value, dict):
            components = value.get("components")
            if isinstance(components, dict):
                self._components = {str(name) for name in components}
            for number, outlet in enumerate(_listed(value.get("tells"))):
                if isinstance(outlet, dict) and isinstance(outlet.get("channel"), str):
                    place = (PART, "tells", number, "channel")
                    self._tells.append((document, place, outlet["channel"]))
        try:
            self.page = StatusPage.model_validate(value)
        except ValidationError as error:
            yield from faults(document, (PART,), StatusPage, error)

    def check(
        self,
        channels: Mapping[str, Channel],
        names: Collection[str],
        services: Mapping[str, Service],
        catalogue: Mapping[str, tuple[Document, Place]],
    ) -> Iterator[Problem]:
        """Yield what is wrong between the parts: components and channels that are nowhere."""
        for document, place, name in self._tells:
            if name not in names:
                yield document.problem(
                    place, f"{name!r} is not defined under channels; {meant(name, names)}"
                )
            elif channels.get(name) is not None and not channels[name].outward:
                kinds = sorted(
                    kind_of(each)
                    for each in declared_in(declared)
                    if issubclass(each, Channel) and each.outward
                )
                yield document.problem(
                    place,
                    f"{name!r} is of kind {channels[name].kind}, which is for people inside; "
                    f"for those outside there are {', '.join(kinds)}",
                )
        for service, each in services.items():
            document, place = catalogue[service]
            for number, name in enumerate(each.components):
                if name not in self._components:
                    hint = meant(name, self._components)
                    yield document.problem(
                        (*place, "components", number),
                        f"{name!r} is not defined under status_page.components; {hint}",
                    )

    def told(self) -> list[str]:
        """Return the channels that it names."""
        return [name for _, _, name in self._tells]


def outside_of(page: StatusPage | None, services: Mapping[str, Service]) -> Outside:
    """Return what people outside can see."""
    if page is None:
        return Outside()
    return Outside(
        tuple(page.components), {name: each.components for name, each in services.items()}
    )


def facing_outwards(
    channels: Mapping[str, Channel], named: Iterable[tuple[Document, Place, str]]
) -> Iterator[Problem]:
    """Yield where something internal is *named* to be told to people outside."""
    for document, place, name in named:
        channel, instead_of = channels.get(name), channels.get(str(place[1]))
        if place[-1] == "fallback" and instead_of is not None and instead_of.outward:
            if channel is not None and not channel.outward:
                yield document.problem(place, f"{name!r} does not tell people outside")
        elif channel is not None and channel.outward:
            yield document.problem(
                place,
                f"{name!r} tells people outside, who hear only what is published: "
                "name it under status_page.tells",
            )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
