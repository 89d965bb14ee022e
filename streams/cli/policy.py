"""``tocsin policy``: put a policy in force while everything runs, and look at what is and was in force."""

import getpass
import os
from pathlib import Path

import click

from schemas.policies import PolicyV1
from streams.cli.asking import print_json, run
from streams.cli.check import counts
from streams.cli.choosing import Choice
from streams.errors import PolicyError, TocsinError
from streams.gateways import clock, policies
from streams.policy import refusal
from streams.releases import Release, changed_lines, digest, examine_files, released, texts_of
from streams.settings import Settings, read_settings

#: Characters of a digest that are shown: as many as tell policies apart.
_SHORT = 12
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_NONE = "no policy was published: each worker uses its own folder"


@click.group("policy", cls=Choice)
def policy() -> None:
    """Put a policy in force while everything runs, and look at what is and was in force."""


@policy.command("publish")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--reason", required=True, help="Why; it is kept with the policy.")
@click.option(
    "--author",
    envvar="TOCSIN_AUTHOR",
    default=getpass.getuser,
    show_default="TOCSIN_AUTHOR, else who is logged in",
    help="Who publishes it.",
)
@click.option("--dry-run", is_flag=True, help="Only show what would be different.")
def publish(folder: Path | None, *, reason: str, author: str, dry_run: bool) -> None:
    """
    Put the policy of FOLDER in force, for all workers, without a restart.

    It is checked first, and refused where it cannot be used. Values of the environment are not published: each worker puts in its
    own. Without FOLDER it is the one that the other commands would use.
    """
    try:
        path = folder or read_settings().policy
        files = texts_of(path)
        examined = examine_files(path.name, files, os.environ)
        if examined.policy is None:
            raise PolicyError(refusal(str(path), examined.problems))
    except TocsinError as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from None
    for doubt in examined.doubts:
        click.echo(f"  warning: {doubt}", err=True)
    release = Release(author, reason, clock.now())
    said = run(lambda settings: _publish(settings, files, release, dry_run=dry_run))
    click.echo(f"{path}: {said}, {counts(examined.policy)}")


async def _publish(
    settings: Settings, files: dict[str, str], release: Release, *, dry_run: bool
) -> str:
    """Put *files* in force unless they are, and say what was done."""
    history = await policies.published(settings)
    sha256 = digest(files)
    if history.holds_everywhere(sha256):
        return f"nothing to publish, {sha256[:_SHORT]} is in force"
    messages = released(files, history.latest, release, settings.partitions)
    added, removed = changed_lines(messages[0].diff)
    lines = f"+{added} -{removed} lines"
    if dry_run:
        click.echo(messages[0].diff, nl=False)
        return f"{sha256[:_SHORT]} would be published, {lines}"
    await policies.publish(settings, messages)
    await _check_alone(settings, sha256)
    return f"{sha256[:_SHORT]} published, {lines}"


async def _check_alone(settings: Settings, sha256: str) -> None:
    """
    Do nothing.

    Raises:
        TocsinError: Another policy was published at the same time, so partitions may differ.
    """
    history = await policies.published(settings)
    if not history.holds_everywhere(sha256):
        other = history.latest
        by = f" by {other.author}" if other else ""
        message = f"another policy was published{by} at the same time: agree, and publish again"
        raise TocsinError(message)


@policy.command("show")
@_JSON
def show(*, as_json: bool) -> None:
    """Show the policy that was published last, file by file."""
    history = run(policies.published)
    latest = history.latest
    if as_json:
        print_json(latest.model_dump(mode="json") if latest else None)
        return
    if latest is None:
        click.echo(_NONE)
        return
    click.echo(f"# {_told(latest)}")
    if not history.holds_everywhere(latest.sha256):
        click.echo("# not on all partitions: publish it again")
    for name, text in sorted(latest.files.items()):
        click.echo(f"# {name}")
        click.echo(text, nl=not text.endswith("\n"))


@policy.command("log")
@click.option("--diff", "with_diff", is_flag=True, help="Show what each changed.")
@_JSON
def log(*, with_diff: bool, as_json: bool) -> None:
    """List the policies that were published, the latest first."""
    releases = list(reversed(run(policies.published).releases))
    if as_json:
        print_json(
            [each.model_dump(mode="json", exclude={"files", "partition"}) for each in releases]
        )
        return
    if not releases:
        click.echo(_NONE)
    for each in releases:
        click.echo(_told(each))
        if with_diff:
            click.echo(each.diff, nl=False)


def _told(published: PolicyV1) -> str:
    added, removed = changed_lines(published.diff)
    at = published.occurred_at.strftime("%Y-%m-%d %H:%M:%S %Z")
    return f"{at}  {published.sha256[:_SHORT]}  +{added} -{removed}  {published.author}: {published.reason}"
