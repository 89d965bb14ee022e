"""``tocsin explain``: why somebody was told of an incident, and why nobody was told of an alert."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, Final

import click
from pydantic import TypeAdapter

from schemas.lifecycle import StepV1
from schemas.notices import Outcome, ReceiptV1
from schemas.origin import Origin
from schemas.withheld import WithheldV1
from streams.backtest.nearness import Near
from streams.cli.asking import JSON, TENANT, print_json, run
from streams.cli.checklist import lines_of
from streams.cli.commanding import IncidentIdType
from streams.cli.silence import DurationType
from streams.gateways import clock, explaining, near_misses
from streams.gateways.explaining import Told, Untold
from streams.policy import read_policy

#: How far a notice came, by its last attempt.
_TOLD: Final = {
    Outcome.DELIVERED: "told",
    Outcome.RETRYING: "not yet told",
    Outcome.GIVEN_UP: "could not tell",
    Outcome.MERGED: "did not tell",
}
_NEAR: TypeAdapter[Near] = TypeAdapter(Near)


@click.command("explain")
@click.argument("incident_id", metavar="[INCIDENT]", type=IncidentIdType(), required=False)
@click.option("--not", "negative", is_flag=True, help="Why nobody was told.")
@click.option(
    "--since",
    type=DurationType(),
    default="24h",
    show_default=True,
    help="With --not: how far to look back.",
)
@click.option("--service", default=None, help="With --not: only alerts of this service.")
@click.option("--rule", default=None, help="With --not: only alerts of this rule.")
@TENANT
@JSON
def explain(  # noqa: PLR0913 - what can be asked
    *,
    incident_id: str | None,
    negative: bool,
    since: timedelta,
    service: str | None,
    rule: str | None,
    tenant: str,
    as_json: bool,
) -> None:
    """
    Say why: each step of an incident with reason, score and place in the log, who was told of it why, and what became of each attempt.

    With --not: which alerts were muted, grouped away or too few, and what saw to that. With --service or --rule besides: which signals of that time came
    near to the rules of the policy as it is now, and told nothing.
    """
    if negative:
        until = clock.now()
        begin = until - since
        found = run(
            lambda settings: explaining.untold(
                settings, begin, tenant=tenant, incident_id=incident_id
            )
        )
        chosen = narrowed(found, service, rule)
        below = None
        if (service or rule) and incident_id is None:
            below = run(
                lambda settings: near_misses.below(
                    settings,
                    read_policy(settings.policy),
                    begin,
                    until,
                    tenant=tenant,
                    service=service,
                    rule=rule,
                )
            )
        if as_json:
            print_json(
                {
                    "withheld": [each.model_dump(mode="json") for each in chosen.withheld],
                    "grouped": [
                        each.model_dump(mode="json", exclude={"incident"})
                        for each in chosen.grouped
                    ],
                    "below": [_NEAR.dump_python(each, mode="json") for each in below or ()],
                }
            )
        else:
            click.echo("\n".join(why_not(chosen, below)))
        return
    if incident_id is None:
        message = "name an incident, or ask with --not why nobody was told"
        raise click.UsageError(message)
    told = run(lambda settings: explaining.told(settings, tenant, incident_id))
    if as_json:
        print_json(
            {
                "incident": told.incident.model_dump(mode="json"),
                "timeline": [
                    each.model_dump(mode="json", exclude={"incident"}) for each in told.steps
                ],
                "notices": [
                    each.model_dump(mode="json", exclude={"incident"}) for each in told.notices
                ],
                "receipts": [each.model_dump(mode="json") for each in told.receipts],
            }
        )
    else:
        click.echo("\n".join(why(told)))


def why(told: Told) -> Iterator[str]:
    """Yield the lines that say why an incident is what it is."""
    incident = told.incident
    yield f"{incident.incident_id}: {_line(incident.summary)}"
    if incident.probable_cause:
        yield (
            f"  probable cause {incident.probable_cause}, score {incident.cause_score:.2f}: "
            f"{incident.cause_reason}"
        )
    for suspect in incident.suspects:
        yield f"  suspect {suspect.score:.3f}: {_line(suspect.summary)} ({suspect.service}) = {suspect.reason}"
    for line in lines_of(incident):
        yield f"  checklist {_line(line)}"
    became: dict[str, list[ReceiptV1]] = {}
    for receipt in told.receipts:
        became.setdefault(receipt.notice_id, []).append(receipt)
    notices: dict[str, list[str]] = {}
    for notice in told.notices:
        of = notice.notice_id.rpartition("/")[0]
        attempts = became.get(notice.notice_id, [])
        said = "told" if not attempts else _TOLD[attempts[-1].outcome]
        notices.setdefault(of, []).extend(
            [
                f"     {said} {notice.channel} ({notice.purpose}): {notice.reason}",
                *(f"       {_attempt(each)}" for each in attempts),
            ]
        )
    for step in told.steps:
        yield f"  #{step.sequence} {_at(step.occurred_at)} {step.kind.replace('_', ' ')} by {step.author} ({step.source}): {_line(step.reason)}"
        yield from _joined(step)
        if step.origins:
            yield f"     from {', '.join(_place(each) for each in step.origins)}"
        yield from notices.get(step.step_id, [])


def why_not(untold: Untold, below: Sequence[Near] | None = None) -> Iterator[str]:
    """Yield the lines that say why nobody was told; *below* is what came near to rules, None where that was not looked at."""
    if not (untold.withheld or untold.grouped):
        yield "nothing was muted, grouped away or too few"
    for each in untold.withheld:
        yield (
            f"{_at(each.occurred_at)} {each.withholding} by {each.by}: {each.rule} of {each.service} "
            f"({each.fingerprint}, {each.state}): {_line(each.reason)}"
        )
        place = f"from {_place(each.origin)}" if each.origin else ""
        within = f"in {each.incident_id}" if each.incident_id else ""
        if place or within:
            yield f"     {' '.join(filter(None, (place, within)))}"
    for step in untold.grouped:
        yield f"{_at(step.occurred_at)} grouped into {step.incident_id}: {_line(step.reason)}"
        yield from _joined(step)
    if below is None:
        yield "signals below a threshold: name a --service or a --rule"
    elif not below:
        yield "no signal came near to a rule and told nothing"
    for near in below or ():
        labels = "".join(f" {name}={_line(value)}" for name, value in sorted(near.labels.items()))
        yield f"{_at(near.at)} below {near.rule}: {near.service}/{near.environment}{labels}: {_line(near.reason)}"
        yield f"     from {_place(near.origin)}, the nearest of {near.count} signals"


def narrowed(untold: Untold, service: str | None, rule: str | None) -> Untold:
    """Return what of *untold* is about *service* and *rule*; None stands for all."""

    def wanted(each: Any) -> bool:
        return service in {None, each.service} and rule in {None, each.rule}

    withheld: list[WithheldV1] = [each for each in untold.withheld if wanted(each)]
    grouped = [
        step.model_copy(update={"joined": tuple(each for each in step.joined if wanted(each))})
        for step in untold.grouped
        if any(wanted(each) for each in step.joined)
    ]
    return Untold(withheld, grouped)


def _joined(step: StepV1) -> Iterator[str]:
    for each in step.joined:
        place = f" from {_place(each.origin)}" if each.origin else ""
        yield f"     {each.rule} of {each.service}: {each.bond} {each.score:.2f}, {_line(each.reason)}{place}"


def _attempt(receipt: ReceiptV1) -> str:
    after = (receipt.occurred_at - receipt.requested_at).total_seconds()
    outcome = receipt.outcome.replace("_", " ")
    known = f", their id {_line(receipt.provider_id)}" if receipt.provider_id else ""
    reason = _line(receipt.reason)
    if receipt.outcome is Outcome.MERGED:
        return f"{outcome} after {after:.2f} s: {reason}"
    took = receipt.took.total_seconds()
    return f"attempt {receipt.attempt} {outcome} after {after:.2f} s, took {took:.2f} s: {reason}{known}"


def _place(origin: Origin) -> str:
    return f"{origin.topic}-{origin.partition}-{origin.offset}"


def _line(text: str) -> str:
    # What a stranger wrote must not move the cursor.
    return "".join(mark if mark.isprintable() else " " for mark in text)


def _at(at: Any) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S %Z}"
