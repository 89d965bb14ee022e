"""What explanations rest on: an incident with its steps and notices, and the alerts that nobody was told of, from the log."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from schemas.contract import Unreadable
from schemas.lifecycle import IncidentV1, StepKind, StepV1
from schemas.notices import NoticeV1, ReceiptV1
from schemas.topics import LIFECYCLE, NOTICES, RECEIPTS, WITHHELD
from schemas.withheld import WithheldV1
from streams.gateways import incidents
from streams.gateways.looking import READ_WITHIN, read_all, reading
from streams.settings import Settings

#: How far clocks of producers may be off when a beginning is looked for.
_SKEW: Final = timedelta(hours=1)


@dataclass(frozen=True)
class Told:
    """Why somebody was told of an incident."""

    incident: IncidentV1
    steps: list[StepV1]
    notices: list[NoticeV1]
    #: What became of each, one for each attempt, in order.
    receipts: Sequence[ReceiptV1] = ()


@dataclass(frozen=True)
class Untold:
    """What nobody was told of, and what was taken by an incident without a word."""

    withheld: list[WithheldV1]
    grouped: list[StepV1]


async def told(settings: Settings, tenant: str, incident_id: str) -> Told:
    """
    Return an incident, its steps, its notices and what became of them.

    Raises:
        NoIncident: There is no incident with this id.
        Unavailable: The broker does not answer in time.
    """
    incident = await incidents.one(settings, tenant, incident_id)
    steps = await incidents.timeline(settings, incident)
    notices: dict[str, NoticeV1] = {}
    receipts: dict[str, ReceiptV1] = {}
    contracts = {settings.topic(NOTICES.name): NoticeV1, settings.topic(RECEIPTS.name): ReceiptV1}

    def take(record: Any) -> None:
        said = _read(contracts[record.topic], record)
        if said is None or (said.tenant, said.incident_id) != (tenant, incident_id):
            return
        if isinstance(said, NoticeV1):
            notices[said.notice_id] = said
        else:
            # The same attempt again is known by its id.
            receipts[said.event_id] = said

    async with reading(settings, list(contracts)) as consumer:
        since = incident.started_at - _SKEW
        await read_all(consumer, take, since=since, within=READ_WITHIN)
    return Told(
        incident,
        steps,
        sorted(notices.values(), key=lambda each: each.occurred_at),
        sorted(receipts.values(), key=lambda each: (each.occurred_at, each.attempt)),
    )


async def untold(
    settings: Settings, since: datetime, *, tenant: str | None, incident_id: str | None
) -> Untold:
    """
    Return what nobody was told of since *since*; of one incident, where *incident_id* names it.

    Raises:
        Unavailable: The broker does not answer in time.
    """
    withheld: dict[str, WithheldV1] = {}
    grouped: dict[str, StepV1] = {}

    def wanted(message: WithheldV1 | StepV1) -> bool:
        return (
            message.occurred_at >= since
            and tenant in {None, message.tenant}
            and incident_id in {None, message.incident_id}
        )

    def take_withheld(record: Any) -> None:
        message = _read(WithheldV1, record)
        if message and wanted(message):
            withheld[message.event_id] = message

    def take_step(record: Any) -> None:
        step = _read(StepV1, record)
        if step and step.kind is StepKind.ALERT_ATTACHED and wanted(step):
            grouped[f"{step.tenant}/{step.step_id}"] = step

    for topic, take in ((WITHHELD, take_withheld), (LIFECYCLE, take_step)):
        async with reading(settings, [settings.topic(topic.name)]) as consumer:
            await read_all(consumer, take, since=since - _SKEW, within=READ_WITHIN)
    return Untold(
        sorted(withheld.values(), key=lambda each: each.occurred_at),
        sorted(grouped.values(), key=lambda each: each.occurred_at),
    )


def _read(contract: Any, record: Any) -> Any:
    try:
        return contract.from_wire(record.value)
    except Unreadable:
        return None  # A newer release may write what this one cannot read.
