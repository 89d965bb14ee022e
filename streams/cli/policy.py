"""``tocsin policy``: put a policy in force while everything runs, and look at what is and was in force."""

import os
from collections.abc import Mapping
from pathlib import Path

import click

from schemas.contract import Line, Name, Part
from schemas.policies import PolicyV1
from streams.cli.asking import AUTHOR, print_json, run, valid
from streams.cli.check import counts
from streams.cli.choosing import Choice
from streams.errors import PolicyError, TocsinError
from streams.gateways import clock, policies
from streams.policy import refusal
from streams.releases import (
    Release,
    changed_lines,
    difference,
    digest,
    earlier,
    examine_files,
    overtaken,
    released,
    short,
    texts_of,
)
from streams.settings import Settings, read_settings

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_FOLDER = click.argument("folder", required=False, type=click.Path(path_type=Path))
_REASON = click.option("--reason", required=True, help="Why; it is kept with the policy.")
_NONE = "no policy was published: each worker uses its own folder"


class _Asked(Part):
    """Who publishes, and why."""

    author: Name
    reason: Line


@click.group("policy", cls=Choice)
def policy() -> None:
    """Put a policy in force while everything runs, and look at what is and was in force."""


@policy.command("publish")
@_FOLDER
@_REASON
@AUTHOR
def publish(folder: Path | None, *, reason: str, author: str) -> None:
    """
    Put the policy of FOLDER in force, for all workers, without a restart.

    It is checked first, and refused where it cannot be used. Values of the environment are not published: each worker puts in its
    own. Without FOLDER it is the one that the other commands would use.
    """
    asked = _asked(author, reason)
    path, files = _read(folder)
    told = _checked(str(path), files)
    click.echo(f"{path}: {_put(files, asked)}, {told}")


@policy.command("diff")
@_FOLDER
def diff(folder: Path | None) -> None:
    """
    Show what publishing the policy of FOLDER would change.

    Without FOLDER it is the one that the other commands would use. The exit code is 1 where it cannot be used.
    """
    path, files = _read(folder)
    _checked(str(path), files)
    latest = run(policies.published).latest
    if latest is not None and latest.sha256 == digest(files):
        click.echo(f"{path}: nothing is different, {short(latest.sha256)} was published last")
        return
    click.echo(difference(latest.files if latest else {}, files), nl=False)


@policy.command("rollback")
@click.argument("to", required=False, metavar="[DIGEST]")
@_REASON
@AUTHOR
def rollback(to: str | None, *, reason: str, author: str) -> None:
    """
    Put an earlier policy in force again: the one before the last, or the one whose digest begins with DIGEST.

    `tocsin policy log` lists them. It is checked as every policy that is published, and itself published, so that a rollback can be
    rolled back.
    """
    asked = _asked(author, reason)
    try:
        target = earlier(run(policies.published).releases, to)
    except TocsinError as error:
        raise click.ClickException(str(error)) from None
    name = f"policy {short(target.sha256)} by {target.author}"
    told = _checked(name, target.files)
    click.echo(f"{name}: {_put(target.files, asked)}, {told}")


def _asked(author: str, reason: str) -> _Asked:
    if not reason.strip():
        message = "--reason is empty: say why"
        raise click.UsageError(message)
    if not author.strip():
        message = "nobody is logged in by a name: say who publishes it by --author or TOCSIN_AUTHOR"
        raise click.UsageError(message)
    return valid(_Asked, author=author, reason=reason.strip())


def _read(folder: Path | None) -> tuple[Path, dict[str, str]]:
    try:
        path = folder or read_settings().policy
        return path, texts_of(path)
    except TocsinError as error:
        raise _refused(error) from None


def _checked(name: str, files: Mapping[str, str]) -> str:
    """Return how much of everything a policy has, or fail with all that is wrong with it; say what is doubtful."""
    examined = examine_files(name, files, os.environ)
    if examined.policy is None:
        raise _refused(PolicyError(refusal(name, examined.problems)))
    for doubt in examined.doubts:
        click.echo(f"  warning: {doubt}", err=True)
    return counts(examined.policy)


def _refused(error: TocsinError) -> SystemExit:
    click.echo(str(error), err=True)
    return SystemExit(1)


def _put(files: Mapping[str, str], asked: _Asked) -> str:
    """Put *files* in force unless they are, and return what was done."""
    release = Release(asked.author, asked.reason, clock.now())

    async def put(settings: Settings) -> str:
        history = await policies.published(settings)
        sha256 = digest(files)
        if history.holds_everywhere(sha256):
            return f"nothing to publish, {short(sha256)} is in force"
        messages = released(files, history.latest, release, settings.partitions)
        await policies.publish(settings, messages)
        added, removed = changed_lines(messages[0].diff)
        said = f"{short(sha256)} published, +{added} -{removed} lines"
        # Nobody waits for anybody: whether two met shows afterwards.
        history = await policies.published(settings)
        met = overtaken(history.by_partition, messages[0])
        if met is None:
            return said
        if not history.holds_everywhere(sha256):
            raise PolicyError(met)
        click.echo(f"  warning: {met}", err=True)
        return said

    return run(put)


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
    return f"{at}  {short(published.sha256)}  +{added} -{removed}  {published.author}: {published.reason}"
