"""``tocsin check``: say everything that is wrong with a policy, before a deploy does."""

from pathlib import Path

import click

from streams.errors import TocsinError
from streams.policy import Policy, read_policy
from streams.settings import read_settings


@click.command("check")
@click.argument("policy", required=False, type=click.Path(path_type=Path))
def check(policy: Path | None) -> None:
    """
    Say everything that is wrong with POLICY, a file or a folder.

    Without POLICY it is the one that the other commands would use.
    """
    try:
        path = policy or read_settings().policy
        click.echo(f"{path}: ok, {counts(read_policy(path))}")
    except TocsinError as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from None


def counts(policy: Policy) -> str:
    """Return how much of everything *policy* has."""
    parts = {
        "rule": len(policy.rules),
        "channel": len(policy.channels),
        "route": len(policy.routes),
        "probe": len(policy.probes),
    }
    return ", ".join(f"{count} {name}{'' if count == 1 else 's'}" for name, count in parts.items())
