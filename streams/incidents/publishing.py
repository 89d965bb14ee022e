"""
What people outside are told of an incident, step by step.

Only words that were written for them get there: nothing is taken from what the incident says inside, not even where something is left
out. An exercise is never told of.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from schemas import limits
from schemas.commands import Publish
from schemas.contract import Severity
from schemas.lifecycle import IncidentV1
from schemas.public import PublicImpact, PublicStatus, PublicUpdate, PublicV1
from streams.errors import IllegalTrigger
from streams.incidents.lifecycle import Asked, Trigger
from streams.policy_faults import meant

#: What people notice, where nobody has said so.
IMPACTS: Final[Mapping[int, PublicImpact]] = {
    1: PublicImpact.CRITICAL,
    2: PublicImpact.MAJOR,
    3: PublicImpact.MINOR,
    4: PublicImpact.NONE,
}


@dataclass(frozen=True)
class Outside:
    """What people outside can see of a policy."""

    #: The components of each tenant's status page.
    components: Mapping[str, Collection[str]] = field(default_factory=dict)
    #: Those that show each service.
    of_services: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def of(self, tenant: str) -> Collection[str]:
        """Return the components that people outside see of *tenant*."""
        return self.components.get(tenant, ())

    def showing(self, tenant: str, services: Iterable[str]) -> tuple[str, ...]:
        """Return the components that show *services* of *tenant*, in the order of its page."""
        shown = {name for service in services for name in self.of_services.get(service, ())}
        return tuple(name for name in self.of(tenant) if name in shown)[: limits.COMPONENTS_LISTED]


@dataclass(frozen=True, slots=True)
class Published:
    """What a command publishes."""

    asked: Asked
    reason: str


def read(incident: IncidentV1, command: Publish, at: datetime, outside: Outside) -> Published:
    """
    Return what *command*, given at *at*, publishes of *incident*.

    Raises:
        IllegalTrigger: It is the first word and has no title, names a component that is none, or is about an exercise.
    """
    if incident.drill:
        message = f"{incident.incident_id} is an exercise: nobody outside is told of it"
        raise IllegalTrigger(message)
    before = incident.public
    title = command.title or (before.title if before else None)
    if title is None:
        # The summary is for people inside.
        message = f"nothing was published of {incident.incident_id} yet: give it a title for people outside"
        raise IllegalTrigger(message)
    status = command.status or (before.status if before else PublicStatus.INVESTIGATING)
    impact = command.impact or (before.impact if before else IMPACTS[incident.severity])
    components = _components(incident, command, outside)
    update = PublicUpdate(
        published_at=at,
        status=status,
        impact=impact,
        components=components,
        message=command.message,
    )
    over = status is PublicStatus.RESOLVED
    was_over_at = before.resolved_at if before else None
    public = PublicV1(
        title=title,
        status=status,
        impact=impact,
        components=components,
        published_at=before.published_at if before else at,
        resolved_at=(was_over_at or at) if over else None,
        expected_at=None
        if over
        else command.expected_at or (before.expected_at if before else None),
        impact_text=command.impact_text
        if command.impact_text is not None
        else (before.impact_text if before else ""),
        known_as=before.known_as if before else None,
        updates=_listed(update, before.updates if before else ()),
    )
    named = f" in {', '.join(components)}" if components else ""
    reason = f"published by {command.author}: {status}, {impact} impact{named}"
    return Published(
        Asked(Trigger.PUBLISH, command.author, {"public": public}), reason[: limits.LINE_LENGTH]
    )


def merged(
    child: IncidentV1, into: IncidentV1, at: datetime
) -> tuple[PublicV1 | None, PublicV1 | None]:
    """
    Return what people outside know of *child* and of *into* once *child* is merged into it at *at*.

    What they know of only one of both goes on under its own id. What they know of both ends for *child* with a last word, unless they were told
    that *into* is over: then what they still wait for goes on.
    """
    theirs, ours = child.public, into.public
    if theirs is None:
        return None, ours
    if ours is None:
        return None, _known(child, theirs)
    if theirs.resolved_at:
        return theirs, ours
    if ours.resolved_at:
        return _known(into, ours), _known(child, theirs)
    both = tuple(name for name in theirs.components if name in ours.components)
    update = PublicUpdate(
        published_at=at,
        status=PublicStatus.RESOLVED,
        impact=theirs.impact,
        components=both,
        message=f"This is part of “{ours.title}”. Further updates are given there.",
    )
    ended = theirs.model_copy(
        update={
            "status": update.status,
            "components": both,
            "resolved_at": at,
            "expected_at": None,
            "continued_as": ours.title,
            "updates": _listed(update, theirs.updates),
        }
    )
    return ended, ours


def told_as(child: IncidentV1, into: IncidentV1) -> Severity | None:
    """Return the severity by which people outside hear of *into* from now on, where they were told of *child*."""
    if child.public is None:
        return into.told_as
    known = (child.severity_peak, child.told_as, into.told_as)
    return min(each for each in known if each is not None)


def _known(incident: IncidentV1, public: PublicV1) -> PublicV1:
    return public.model_copy(update={"known_as": public.known_as or incident.incident_id})


def _components(incident: IncidentV1, command: Publish, outside: Outside) -> tuple[str, ...]:
    if command.components is None:
        if incident.public is not None:
            return incident.public.components
        return outside.showing(incident.tenant, (incident.service, *incident.services))
    for name in command.components:
        if name not in outside.of(incident.tenant):
            known = outside.of(incident.tenant)
            hint = meant(name, known, None if known else "the policy has none under status_page")
            message = f"{name!r} is no component of the status page; {hint}"
            raise IllegalTrigger(message)
    return tuple(dict.fromkeys(command.components))


def _listed(update: PublicUpdate, before: tuple[PublicUpdate, ...]) -> tuple[PublicUpdate, ...]:
    """Return the updates with a new one, the latest first; where they are too many, the first and the latest ones."""
    listed = (update, *before)
    if len(listed) <= limits.PUBLIC_UPDATES_LISTED:
        return listed
    return (*listed[: limits.PUBLIC_UPDATES_LISTED - 1], listed[-1])
