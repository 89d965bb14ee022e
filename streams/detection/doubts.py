"""
What a rule says that its author hardly meant: it can be used, and does something else than it seems to.

It can never fire; another rule finds all that it finds; or it counts apart by something that never comes twice.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from schemas.silences import Matcher
from streams.detection.bands import Bands
from streams.detection.condition import untellable
from streams.detection.rule import Rule
from streams.detection.wording import named_by
from streams.matchers import accepts, exclusion, shown

#: Words of a template that are another one with nearly every alert.
_EVER_NEW: Final = ("message", "reason", "started_at", "value")
#: The end of a label's name that says that its values are identities: each comes with a few signals and never again.
_IDENTITY: Final = re.compile(
    r"""(^|_)(
        (trace|span|request|req|correlation|session|transaction|tx|message|event|job|task|user|customer|order
        |pod|container|process|thread|connection|invocation|execution|query)_?(id|uid|uuid)
        |uid|uuid|guid|pid|nonce|timestamp|email|client_ip|remote_addr|url|uri
    )$""",
    re.VERBOSE,
)

#: What tells series apart besides labels.
_FIELDS: Final = ("tenant", "service", "environment")

#: A setting, and what is doubtful about it.
Doubt = tuple[str, str]


def doubts(rule: Rule) -> Iterator[Doubt]:
    """Yield what is doubtful about *rule* by itself."""
    yield from _contradictions(rule)
    yield from _cardinality(rule)
    untold = untellable(rule.when, rule.hears()) if rule.when else None
    if untold is not None:
        yield "when", f"{untold}; it can never fire"
    yield from _severities(rule)
    yield from rule.doubts()


def finds_all(wide: Rule, narrow: Rule) -> bool:
    """Whether *wide* fires whenever *narrow* does, and is at least as severe then."""
    return (
        type(wide) is type(narrow)
        and (not wide.service or (bool(narrow.service) and set(narrow.service) <= {*wide.service}))
        and (not wide.names() or (bool(narrow.names()) and {*narrow.names()} <= {*wide.names()}))
        and _hears_apart(wide, narrow)
        and wide.wait <= narrow.wait
        and _as_severe(wide.severity, narrow.severity)
        and wide.finds_whatever(narrow)
    )


def is_identity(label: str) -> bool:
    """Whether the name of *label* says that its values are without end."""
    # traceId, trace.id and trace-id are one name.
    snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", label)
    return _IDENTITY.search(re.sub(r"[./-]", "_", snake).lower()) is not None


def _hears_apart(wide: Rule, narrow: Rule) -> bool:
    """Whether all series of *narrow* are series of *wide*, and not mixed with other signals there."""
    more = {*narrow.match} - {*wide.match}
    apart = wide.group_by is None or {each.label for each in more} <= {*wide.group_by, *_FIELDS}
    return apart and {*wide.match} <= {*narrow.match}


def _as_severe(wide: object, narrow: object) -> bool:
    # 1 is the worst.
    if isinstance(wide, int) and isinstance(narrow, int):
        return wide <= narrow
    return wide == narrow


def _contradictions(rule: Rule) -> Iterator[Doubt]:
    asked = [each for each in rule.match if each.label == "service"]
    if rule.service and asked and not any(_all_accept(asked, name) for name in rule.service):
        listed = ", ".join(map(shown, asked))
        yield (
            "match",
            f"{listed} holds for none of the services it is about: {', '.join(rule.service)}; it can never fire",
        )
    excluded = exclusion(rule.match)
    if excluded is not None:
        one, other = map(shown, excluded)
        yield "match", f"{one} and {other} exclude each other; it can never fire"


def _severities(rule: Rule) -> Iterator[Doubt]:
    begins = rule.begins()
    if begins is None or not isinstance(rule.severity, Bands):
        return
    first = rule.severity.bands[0].beyond
    if first < begins if rule.rising() else first > begins:
        yield (
            "severity",
            f"default is never used: whenever it fires, the value is beyond {first:g}, where the first band begins",
        )


def _cardinality(rule: Rule) -> Iterator[Doubt]:
    if rule.group_by is None and "group_by" in rule.model_fields_set:
        yield (
            "group_by",
            "null counts every set of labels apart, however many there are; name the labels that matter",
        )
    for label in rule.group_by or ():
        if is_identity(label):
            yield (
                "group_by",
                f"{label!r} has another value with nearly every signal: each would be a series of its own; leave it out",
            )
    if rule.group:
        words, labels = named_by(rule.group)
        for word in _EVER_NEW:
            if word in words:
                yield "group", _ever_new(f"{{{{ {word} }}}}")
        for label in sorted(labels):
            if is_identity(label):
                yield "group", _ever_new(f"{{{{ labels.{label} }}}}")


def _ever_new(written: str) -> str:
    return f"{written} is another one with nearly every alert: each would open an incident of its own; leave it out"


def _all_accept(matchers: Sequence[Matcher], value: str) -> bool:
    return all(accepts(each, value) for each in matchers)
