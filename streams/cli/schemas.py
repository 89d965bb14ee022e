"""``tocsin schemas``: write what the contracts look like from outside."""

from pathlib import Path

import click

from streams.errors import TocsinError
from streams.publishing.documents import (
    EXAMPLES,
    PUBLISHED,
    check_compatible,
    documents,
    published,
)


@click.command("schemas")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=PUBLISHED,
    show_default=True,
    help="Where the published files stand.",
)
@click.option(
    "--examples",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=EXAMPLES,
    show_default=True,
    help="Where the example messages stand.",
)
@click.option("--check", is_flag=True, help="Write nothing; fail where a file is not up to date.")
@click.option("--force", is_flag=True, help="Publish although it breaks who uses the contracts.")
def schemas(*, folder: Path, examples: Path, check: bool, force: bool) -> None:
    """Write a JSON Schema for each contract, and an AsyncAPI 3 document of all topics."""
    before, after = published(folder), documents(examples)
    try:
        if not force:
            check_compatible(before, after)
    except TocsinError as error:
        raise click.ClickException(f"{error}\n(--force publishes all the same)") from None
    changed = sorted(name for name in before | after if before.get(name) != after.get(name))
    if check:
        if changed:
            names = ", ".join(changed)
            message = f"{folder} is not up to date ({names}): run `tocsin schemas`"
            raise click.ClickException(message)
        click.echo(f"{folder}: up to date, {len(after)} files")
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name in changed:
        if name in after:
            (folder / name).write_text(after[name], encoding="utf-8")
        else:
            (folder / name).unlink()
    click.echo(f"{folder}: {len(changed)} of {len(after)} files written")
