"""What came near to the policy's rules and told nothing, from the telemetry in the log."""

from datetime import datetime
from functools import partial
from typing import Any, Final

from schemas.contract import Unreadable
from schemas.topics import TELEMETRY, TopicDeclaration
from streams.agents.detect import origin_of
from streams.backtest.nearness import Heard, Near, near_misses
from streams.errors import Rejected, TocsinError
from streams.gateways.looking import READ_WITHIN, read_all, reading
from streams.policy import Policy
from streams.policy_faults import meant
from streams.settings import Settings
from streams.telemetry.reading import Formats, read_signals

#: Signals that are heard again at most.
LARGEST: Final = 200_000


class NotAnswered(TocsinError):
    """What was asked for cannot be looked at; the text says what can."""


async def below(  # noqa: PLR0913 - what can be asked
    settings: Settings,
    policy: Policy,
    since: datetime,
    until: datetime,
    *,
    tenant: str,
    service: str | None,
    rule: str | None,
) -> list[Near]:
    """
    Return what signals of *service* from *since* to *until* came near to *rule* and told nothing; None stands for all.

    Raises:
        NotAnswered: The policy has no such rule, or there are too many signals.
        Unavailable: The broker does not answer in time.
    """
    names = [each.name for each in policy.rules]
    if rule is not None and rule not in names:
        message = f"the policy has no rule {rule!r}; {meant(rule, names)}"
        raise NotAnswered(message)
    formats = Formats(policy.formats)
    found: list[tuple[int, str, int, int, list[Heard]]] = []
    count = 0

    def take(topic: TopicDeclaration, record: Any) -> None:
        nonlocal count
        try:
            signals = read_signals(
                topic, record.value, record.headers, stamped=record.timestamp, formats=formats
            )
        except (Unreadable, Rejected):
            return  # It is a dead letter, and no rule heard it.
        origin = origin_of(record).model_copy(update={"topic": topic.name})
        heard = [
            Heard(signal, origin)
            for signal in signals
            if signal.tenant == tenant and service in {None, signal.service}
        ]
        count += len(heard)
        if count > LARGEST:
            message = (
                f"more than {LARGEST} signals since {since:%Y-%m-%d %H:%M:%S %Z}: "
                "name a --service, or a shorter --since"
            )
            raise NotAnswered(message)
        if heard:
            found.append((record.timestamp, topic.name, record.partition, record.offset, heard))

    for topic in TELEMETRY:
        async with reading(settings, [settings.topic(topic.name)]) as consumer:
            await read_all(consumer, partial(take, topic), since=since, within=READ_WITHIN)
    found.sort(key=lambda each: each[:4])
    heard = [each for _, _, _, _, signals in found for each in signals]
    chosen = names if rule is None else [rule]
    return near_misses(policy.rules, heard, until, chosen)
