"""The part of a policy that faces outwards: the status pages, and who names their components and their channels."""

from collections.abc import Collection, Generator, Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import ValidationError

from streams.correlation.catalogue import Service
from streams.discovery import declared_in, kind_of
from streams.incidents.publishing import Outside
from streams.notifications import channels as declared
from streams.notifications.channel import Channel
from streams.policy_faults import faults, undefined
from streams.policy_files import Document, Place, Problem
from streams.status_page.settings import PATH, RESERVED, StatusPage

#: The page under ``/status``, and those of further tenants.
STATUS_PARTS: Final = ("status_page", "status_pages")
_ONE, _FURTHER = STATUS_PARTS


class StatusPart:
    """The parts while the files of a policy are read."""

    def __init__(self) -> None:
        self.page: StatusPage | None = None
        self.pages: dict[str, StatusPage] = {}
        #: Where each page stands, rightly or not.
        self._places: dict[Place, Document] = {}
        #: Those that can be used, that of ``status_page`` first.
        self._usable: list[tuple[Document, Place, StatusPage]] = []
        #: Components that stand there, rightly or not.
        self._components: set[str] = set()
        self._tells: list[tuple[Document, Place, str]] = []

    def take(self, document: Document, part: str, value: Any) -> Iterator[Problem]:
        """Take in one of the parts of a file, and yield what is wrong with it."""
        if part == _ONE:
            self.page = yield from self._page(document, (_ONE,), value)
            return
        if not isinstance(value, dict):
            yield document.problem((part,), "must be a map of tenants to their pages")
            return
        for given, each in value.items():
            name, place = str(given), (part, given)
            if not PATH.fullmatch(name) or name in RESERVED:
                yield document.problem(
                    place,
                    "stands in the page's address: it must be of letters, digits, `-` and `_`, "
                    f"and not one of {', '.join(RESERVED)}",
                )
            if isinstance(each, dict) and "tenant" in each:
                yield document.problem(
                    (*place, "tenant"), "is the name that the page stands under: leave it out"
                )
                continue
            told = {**each, "tenant": name} if isinstance(each, dict) else each
            page = yield from self._page(document, place, told)
            if page is not None:
                self.pages[name] = page

    def _page(
        self, document: Document, place: Place, value: Any
    ) -> Generator[Problem, None, StatusPage | None]:
        before = self._places.setdefault(place, document)
        if before is not document:
            yield document.problem(place, f"is defined before, in {before.name}")
            return self.page if place == (_ONE,) else None
        if isinstance(value, dict):
            components = value.get("components")
            if isinstance(components, dict):
                self._components |= {str(name) for name in components}
            for number, outlet in enumerate(_listed(value.get("tells"))):
                if isinstance(outlet, dict) and isinstance(outlet.get("channel"), str):
                    where = (*place, "tells", number, "channel")
                    self._tells.append((document, where, outlet["channel"]))
        try:
            page = StatusPage.model_validate(value)
        except ValidationError as error:
            yield from faults(document, place, StatusPage, error)
            return None
        self._usable.insert(0 if place == (_ONE,) else len(self._usable), (document, place, page))
        return page

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
                yield undefined(document, place, name, "channels", names)
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
        yield from self._overlaps()
        for service, each in services.items():
            document, place = catalogue[service]
            for number, name in enumerate(each.components):
                if name not in self._components:
                    where = (*place, "components", number)
                    known = self._components
                    yield undefined(document, where, name, "status_page.components", known)

    def _overlaps(self) -> Iterator[Problem]:
        """Yield where two pages are one tenant's, stand at one address, or tell through one channel."""
        seen: dict[tuple[str, str], Place] = {}
        for document, place, page in self._usable:
            # Where it is told by http and https, it is one address all the same.
            address = f"{page.host}{urlsplit(page.url).path}"
            claims = [("tenant", page.tenant, page.tenant, "tenant")]
            claims += [("url", address, page.url, "address")] if page.url else []
            claims += [("tells", each.channel, each.channel, "channel") for each in page.tells]
            for setting, claimed, written, what in claims:
                other = seen.setdefault((setting, claimed), place)
                if other != place:
                    name = ".".join(str(step) for step in other)
                    yield document.problem(
                        place if setting == "tenant" else (*place, setting),
                        f"{written!r} is the {what} of {name} as well: each page has its own",
                    )

    def told(self) -> list[str]:
        """Return the channels that they name."""
        return [name for _, _, name in self._tells]


def pages_of(page: StatusPage | None, further: Mapping[str, StatusPage]) -> dict[str, StatusPage]:
    """Return the page of each tenant that has one, that under ``/status`` first."""
    return {each.tenant: each for each in (*([page] if page else []), *further.values())}


def outside_of(pages: Mapping[str, StatusPage], services: Mapping[str, Service]) -> Outside:
    """Return what people outside can see."""
    return Outside(
        {tenant: tuple(page.components) for tenant, page in pages.items()},
        {name: each.components for name, each in services.items()} if pages else {},
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
