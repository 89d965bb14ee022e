"""What all parts of a policy are read with: lists, kinds, settings and names, and what is said where they are none."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import ValidationError

from streams.policy_faults import faults, meant, nearest
from streams.policy_files import Document, Place, Problem

#: What other systems call a kind.
_KIND_ELSEWHERE: Final = ("type", "kind")


class Reading:
    """What is wrong with the parts that were read, and the names that are taken."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        #: What has a name, by part and name, and where: the same name twice is a mistake.
        self.named: dict[tuple[str, str], str] = {}

    def say(self, document: Document, place: Place, text: str) -> None:
        """Say what is wrong at *place*."""
        self.problems.append(document.problem(place, text))

    def each(
        self, document: Document, part: str, value: Any
    ) -> Iterator[tuple[Place, dict[str, Any]]]:
        """Yield the entries of a list of settings, each with its place; say what is none."""
        if not isinstance(value, list):
            self.say(document, (part,), "must be a list: begin each entry with '- '")
            return
        for number, each in enumerate(value):
            if isinstance(each, dict):
                yield (part, number), each
            else:
                self.say(document, (part, number), "must be a map of settings")

    def kind(
        self, document: Document, place: Place, given: dict[str, Any], known: Mapping[str, Any]
    ) -> Any:
        """Return which of the *known* ones settings are of, by their ``kind``; None where that is none."""
        kind = given.get("kind")
        if isinstance(kind, str) and kind in known:
            return known[kind]
        where = (*place, "kind")
        if document.is_told(where):
            return None
        if isinstance(kind, str):
            written = str(document.written_at(where))
            self.say(document, where, f"{written!r} is no kind; {meant(written, known)}")
        elif kind is not None:
            self.say(document, where, f"must be one of {', '.join(sorted(known))}")
        else:
            instead = next((each for each in given if nearest(str(each), _KIND_ELSEWHERE)), None)
            if instead is None:
                self.say(document, where, f"is missing; there are {', '.join(sorted(known))}")
            elif not document.is_told((*place, instead)):
                self.say(document, (*place, instead), "is not known here; did you mean 'kind'?")
        return None

    def model(self, document: Document, place: Place, given: Any, model: Any) -> Any:
        """Return the settings of a *model* that are *given*; None where they cannot be used."""
        try:
            return model.model_validate(given)
        except ValidationError as error:
            self.problems.extend(faults(document, place, model, error))
            return None

    def once(self, document: Document, place: Place, what: str, name: Any) -> None:
        """Say where the *name* of something stands twice."""
        if name is None:
            return
        before = self.named.get((what, str(name)))
        if before is not None:
            self.say(document, place, f"the {what} {name!r} is defined before, in {before}")
        else:
            line = document.problem(place, "").line
            self.named[what, str(name)] = f"{document.name}:{line}"
