"""``tocsin drill``: who is told of an incident, through what, and after how long; with real receivers."""

import asyncio
import logging
from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import click

from schemas.commands import CommandSource, Declare, Report, Resolve
from schemas.notices import Outcome
from streams.cli.asking import logged_in, pair
from streams.cli.commanding import REFUSED, UNANSWERED
from streams.errors import TocsinError
from streams.gateways import clock
from streams.gateways.drills import Followed, exercise
from streams.gateways.incidents import Done, Refused, Result, ask
from streams.settings import Settings, read_settings


@click.command("drill")
@click.option("--severity", type=click.IntRange(1, 4), required=True, help="Of the exercise.")
@click.option("--service", default="drill", show_default=True, help="The service it is about.")
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="Can be repeated.")
@click.option("--tenant", default="default", show_default=True, help="The tenant.")
@click.option("--author", envvar="TOCSIN_AUTHOR", default=logged_in, help="Who exercises.")
@click.option(
    "--within",
    type=click.FloatRange(min=1, max=3_600),
    default=60,
    show_default=True,
    help="Seconds after which who has not been told was not reached.",
)
@click.option("--keep", is_flag=True, help="Leave it open, to go on exercising.")
def drill(  # noqa: PLR0913, PLR0917 - one parameter for each option
    severity: int,
    service: str,
    labels: tuple[str, ...],
    tenant: str,
    author: str,
    within: float,
    *,
    keep: bool,
) -> None:
    """
    Tell everybody of an incident that is marked as an exercise, and say who was reached.

    It goes the whole way that a real one goes, to the real receivers, and counts in no report.
    """
    given = dict(pair(each) for each in labels)
    declare = Declare(
        occurred_at=clock.now(),
        command_id=str(uuid4()),
        tenant=tenant,
        author=author,
        source=CommandSource.CLI,
        severity=severity,
        service=service,
        labels=given,
        report=Report(summary="Exercise: nothing is broken", impact="none, this is an exercise"),
        drill=True,
    )
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        result, followed, ended = asyncio.run(
            _exercise(read_settings(), declare, within, keep=keep)
        )
    except TocsinError as error:
        raise click.ClickException(str(error)) from None
    if isinstance(result, Refused):
        click.echo(f"refused: {result.reason}", err=True)
        raise SystemExit(REFUSED)
    if not isinstance(result, Done):
        click.echo(
            f"nobody opened an incident within {within:g} s: does the incidents hop run?", err=True
        )
        raise SystemExit(UNANSWERED)
    for line in told(followed, result):
        click.echo(line)
    if not keep:
        click.echo("it is resolved" if isinstance(ended, Done) else "it could not be resolved")
    if not followed.notices or missed(followed):
        raise SystemExit(REFUSED)


def told(followed: Followed, opened: Done) -> Iterator[str]:
    """Yield what became of each notice, in lines."""
    began = opened.step.occurred_at
    incident = opened.step.incident
    yield f"{followed.incident_id} severity {incident.severity}, marked as an exercise"
    width = max((len(each.channel) for each in followed.notices.values()), default=0)
    for notice_id, notice in followed.notices.items():
        receipt = followed.receipts.get(notice_id)
        if receipt is None:
            yield f"  {notice.channel:<{width}}  no receipt: does the notify hop run?"
            continue
        after = (receipt.occurred_at - began).total_seconds()
        outcome = receipt.outcome.replace("_", " ")
        attempts = "" if receipt.attempt == 1 else f", attempt {receipt.attempt}"
        instead = f"; instead of {', '.join(notice.instead_of)}" if notice.instead_of else ""
        yield f"  {notice.channel:<{width}}  {outcome} after {after:.2f} s{attempts}: {receipt.reason}{instead}"
    count, late = len(followed.notices), len(missed(followed))
    if not count:
        yield "nobody was to be told: no route fits (`tocsin route test` says why)"
    else:
        yield f"{count - late} of {count} were told"


def missed(followed: Followed) -> list[str]:
    """Return the ids of notices that nobody has."""
    return [
        notice_id
        for notice_id in followed.notices
        if notice_id not in followed.receipts
        or followed.receipts[notice_id].outcome is not Outcome.DELIVERED
    ]


async def _exercise(
    settings: Settings, declare: Declare, within: float, *, keep: bool
) -> tuple[Result, Followed, Result | None]:
    span = timedelta(seconds=within)
    result, followed = await exercise(settings, declare, source="cli", within=span)
    if keep or not isinstance(result, Done):
        return result, followed, None
    resolve = Resolve(
        occurred_at=clock.now(),
        command_id=str(uuid4()),
        tenant=declare.tenant,
        incident_id=followed.incident_id,
        author=declare.author,
        source=CommandSource.CLI,
        root_cause="none, it was an exercise",
        resolution="The exercise is over.",
    )
    return result, followed, await ask(settings, resolve, source="cli")
