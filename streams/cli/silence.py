"""``tocsin silence``: mute alerts for a while, with a reason, and see what is muted."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from schemas.contract import Moment, Part
from schemas.silences import SilenceV1
from streams.cli import moments
from streams.cli.asking import AUTHOR, JSON, TENANT, print_json, run, valid
from streams.cli.choosing import Choice
from streams.durations import read_duration, written
from streams.gateways import clock, silences
from streams.gateways.silences import Ending
from streams.matchers import read_matchers

SOURCE: Final = "cli"


class DurationType(click.ParamType):
    """A duration as policies write it."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """Return the duration."""
        try:
            return read_duration(value)
        except ValueError as error:
            self.fail(f"{value!r} {error}", param, ctx)


class _Beginning(Part):
    """When a silence begins, as it was typed."""

    starts: Moment


@click.group("silence", cls=Choice)
def silence() -> None:
    """Mute alerts for a while: what is muted is recorded, with who and why."""


@silence.command("add")
@click.argument("matchers", metavar="MATCHER...", nargs=-1, required=True)
@click.option("--for", "lasts", type=DurationType(), required=True, help="How long: 30m, 2h.")
@click.option("--reason", required=True, help="Why.")
@click.option(
    "--starts",
    metavar="ISO-8601",
    help="From when, in UTC where no offset is said; now where nothing is.",
)
@click.option("--maintenance", is_flag=True, help="It is a planned maintenance window.")
@click.option("--title", default="", help="What the status page calls the maintenance.")
@click.option("--id", "silence_id", help="Its id; one with the same id is replaced.")
@AUTHOR
@TENANT
@JSON
def add(  # noqa: PLR0913 - what a silence has
    *,
    matchers: Sequence[str],
    lasts: timedelta,
    reason: str,
    starts: str | None,
    maintenance: bool,
    title: str,
    silence_id: str | None,
    author: str,
    tenant: str,
    as_json: bool,
) -> None:
    """Mute the alerts for which all MATCHERs hold: `service=shop`, `rule=~"slow-.*"`, `region!=eu`."""
    try:
        read = read_matchers(list(matchers))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if title and not maintenance:
        message = "--title is for --maintenance: other silences are on no status page"
        raise click.UsageError(message)
    at = clock.now()
    begins = valid(_Beginning, starts=moments.moment(starts)).starts if starts else at
    made = valid(
        SilenceV1,
        occurred_at=at,
        silence_id=silence_id or f"{author}-{at:%Y%m%d-%H%M%S}",
        tenant=tenant,
        matchers=read,
        starts_at=begins,
        ends_at=begins + lasts,
        author=author,
        reason=reason,
        maintenance=maintenance,
        title=title,
    )
    run(lambda settings: silences.add(settings, made, source=SOURCE))
    _say(made, f"{made.silence_id}: mutes until {_moment(made.ends_at)}", as_json=as_json)


@silence.command("list")
@click.option("--tenant", default=None, help="Only this tenant's.")
@JSON
def list_silences(*, tenant: str | None, as_json: bool) -> None:
    """List the silences that are in force or to come, those that end first before the others."""
    at = clock.now()
    found = run(lambda settings: silences.current(settings, at, tenant=tenant))
    if as_json:
        print_json([each.model_dump(mode="json") for each in found])
        return
    if not found:
        click.echo("nothing is silenced")
        return
    table = Table(box=None)
    for heading in ("silence", "matchers", "from", "until", "left", "by", "why"):
        # Ids are typed again, so they are never cut.
        table.add_column(heading, no_wrap=heading == "silence", overflow="fold")
    for each in found:
        left = timedelta(seconds=round((each.ends_at - at).total_seconds()))
        table.add_row(
            # Text takes no markup: what a stranger wrote colours nothing.
            *(
                Text(cell)
                for cell in (
                    each.silence_id,
                    ", ".join(f"{it.label}{it.operator}{it.value}" for it in each.matchers),
                    _moment(each.starts_at),
                    _moment(each.ends_at),
                    written(left),
                    each.author,
                    f"maintenance: {each.reason}" if each.maintenance else each.reason,
                )
            )
        )
    Console().print(table)


@silence.command("end")
@click.argument("silence_id", metavar="ID")
@click.option("--reason", default="", help="Why.")
@AUTHOR
@TENANT
@JSON
def end(*, silence_id: str, reason: str, author: str, tenant: str, as_json: bool) -> None:
    """End a silence before its time."""
    ending = Ending(author, clock.now(), reason)
    over = run(
        lambda settings: silences.end(settings, silence_id, ending, tenant=tenant, source=SOURCE)
    )
    _say(over, f"{silence_id}: ended, it mutes nothing any more", as_json=as_json)


def _say(made: SilenceV1, text: str, *, as_json: bool) -> None:
    if as_json:
        print_json(made.model_dump(mode="json"))
    else:
        click.echo(text)


def _moment(at: Any) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S %Z}"
