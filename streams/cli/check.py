"""``tocsin check``: say everything that is wrong with a policy, and what is hardly meant, before a deploy does."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import orjson

from streams.errors import TocsinError
from streams.policy import Examined, Policy, examine, refusal
from streams.policy_files import Problem
from streams.settings import read_settings


@click.command("check")
@click.argument("policy", required=False, type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Exit with 1 where there are warnings, too.")
@click.option(
    "--format", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def check(policy: Path | None, *, strict: bool, shape: str) -> None:
    """
    Say everything that is wrong with POLICY, a file or a folder; warn of what can be used but is hardly meant.

    Without POLICY it is the one that the other commands would use. The exit code is 1 where it cannot be used.
    """
    try:
        path = policy or read_settings().policy
    except TocsinError as error:
        raise click.ClickException(str(error)) from None
    examined = examine(path)
    if shape == "json":
        click.echo(orjson.dumps(document_of(path, examined), option=orjson.OPT_INDENT_2).decode())
    else:
        _tell(path, examined)
    if examined.problems or (strict and examined.doubts):
        raise SystemExit(1)


def _tell(path: Path, examined: Examined) -> None:
    if examined.policy is None:
        click.echo(refusal(str(path), examined.problems), err=True)
    else:
        warnings = f", {_several(len(examined.doubts), 'warning')}" if examined.doubts else ""
        click.echo(f"{path}: ok, {counts(examined.policy)}{warnings}")
    for doubt in examined.doubts:
        click.echo(f"  warning: {doubt}", err=True)


def document_of(path: Path, examined: Examined) -> dict[str, Any]:
    """Return what is said of a policy as JSON values."""
    return {
        "policy": str(path),
        "usable": examined.policy is not None,
        "counts": _counted(examined.policy) if examined.policy else {},
        "errors": _listed(examined.problems),
        "warnings": _listed(examined.doubts),
    }


def counts(policy: Policy) -> str:
    """Return how much of everything *policy* has."""
    return ", ".join(
        _several(count, name.removesuffix("s")) for name, count in _counted(policy).items()
    )


def _several(count: int, name: str) -> str:
    return f"{count} {name}{'' if count == 1 else 's'}"


def _counted(policy: Policy) -> dict[str, int]:
    return {
        "rules": len(policy.rules),
        "channels": len(policy.channels),
        "routes": len(policy.routes),
        "probes": len(policy.probes),
    }


def _listed(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    return [
        {"file": each.file, "line": each.line, "place": each.place, "text": each.text}
        for each in problems
    ]
