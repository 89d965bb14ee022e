"""``tocsin change``: tell of deployments, flags and configuration, which are the first suspects of an incident."""

from collections.abc import Sequence
from typing import Any, Final

import click

from schemas.changes import ChangeKind, ChangeV1
from schemas.contract import Unreadable
from streams.cli.asking import AUTHOR, JSON, TENANT, pair, print_json, run, valid
from streams.cli.choosing import Choice
from streams.gateways import changes, clock
from streams.telemetry.change_reading import read_changes, readers

SOURCE: Final = "cli"


@click.group("change", cls=Choice)
def change() -> None:
    """Tell of deployments, feature flags and configuration changes."""


@change.command("publish")
@click.option(
    "--from", "system", type=click.Choice(sorted(readers())), help="Read what this system says."
)
@click.option(
    "--file", "file", type=click.File("rb"), default="-", help="Where it stands; - for stdin."
)
@click.option("--service", help="The service that was changed.")
@click.option("--summary", help="What was changed, in one line.")
@click.option(
    "--kind",
    type=click.Choice([each.value for each in ChangeKind]),
    default=ChangeKind.DEPLOYMENT.value,
    show_default=True,
    help="What sort of change.",
)
@click.option("--id", "change_id", help="The deploying system's id: a repeat is the same change.")
@click.option("--version", help="Version or commit that is in force afterwards.")
@click.option("--url", help="Where a person can look at it.")
@click.option("--environment", help="Where; production where it is not said.")
@click.option("--at", metavar="ISO-8601", help="When; now where it is not said.")
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="What else is known.")
@AUTHOR
@TENANT
@JSON
def publish(  # noqa: PLR0913 - what can be said of a change
    *,
    system: str | None,
    file: Any,
    tenant: str,
    author: str,
    as_json: bool,
    labels: Sequence[str],
    **said: str | None,
) -> None:
    """
    Tell of one change by flags, or of what another system says.

    `tocsin change publish --service shop --summary "Deploy 2.14.0" --version 2.14.0`, or
    `kubectl get events -A -o json | tocsin change publish --from kubernetes`.
    """
    if system is None:
        told = [_told(said, tenant, author, dict(pair(each) for each in labels))]
    else:
        try:
            read = read_changes(system, file.read(), clock.now())
        except Unreadable as error:
            message = f"what {system} says cannot be read: {error}"
            raise click.ClickException(message) from None
        instead = {name: said[name] for name in ("service", "environment", "summary") if said[name]}
        told = [each.model_copy(update={"tenant": tenant} | instead) for each in read]
    if told:
        run(lambda settings: changes.publish(settings, told, source=SOURCE))
    if as_json:
        print_json([each.model_dump(mode="json") for each in told])
        return
    for each in told:
        click.echo(f"{each.change_id}: {each.kind} of {each.service}, {each.summary}")
    if not told:
        click.echo(f"nothing that {system} says is a change")


def _told(
    said: dict[str, str | None], tenant: str, author: str, labels: dict[str, str]
) -> ChangeV1:
    missing = [f"--{name}" for name in ("service", "summary") if not said[name]]
    if missing:
        message = f"a change needs {' and '.join(missing)}; or name a system by --from"
        raise click.UsageError(message)
    at = said.pop("at") or clock.now()
    fields = {name: value for name, value in said.items() if value}
    if "change_id" not in fields:
        what = fields.get("version") or f"{at}"
        fields["change_id"] = f"{fields['kind']}-{fields['service']}-{what}"[:255]
    return valid(ChangeV1, occurred_at=at, tenant=tenant, author=author, labels=labels, **fields)
