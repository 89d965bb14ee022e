"""``tocsin template preview``: what a message says, before anybody is woken by it."""

from importlib.resources import files
from pathlib import Path
from typing import Final

import click

from schemas.contract import Unreadable
from schemas.notices import NoticeV1, Purpose
from streams.cli.choosing import Choice
from streams.errors import TocsinError
from streams.notifications.rendering import render
from streams.policy import read_policy
from streams.settings import read_settings

FORMS: Final = ("subject", "text", "slack", "html", "short")


@click.group("template", cls=Choice)
def template() -> None:
    """Show what messages say."""


@template.command("preview")
@click.argument("message", type=click.Choice([str(each) for each in Purpose]))
@click.option("--form", type=click.Choice(FORMS), help="This form only.")
@click.option(
    "--policy",
    type=click.Path(path_type=Path),
    help="Folder or file with the templates; without it the one that the other commands would use.",
)
@click.option(
    "--notice",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A notice as the topic carries it, in JSON; without it an example.",
)
def preview(message: str, form: str | None, policy: Path | None, notice: Path | None) -> None:
    """Show what MESSAGE says of an example, or of a notice."""
    purpose = Purpose(message)
    try:
        wordings = read_policy(policy or read_settings().policy).templates
        told = _example(purpose) if notice is None else NoticeV1.from_wire(notice.read_bytes())
    except Unreadable as error:
        raise click.ClickException(f"{notice} holds no notice: {error}") from None
    except TocsinError as error:
        raise click.ClickException(str(error)) from None
    rendered = render(told.model_copy(update={"purpose": purpose}), wordings)
    if form is not None:
        click.echo(getattr(rendered, form))
        return
    wording = wordings.get(purpose)
    for name in FORMS:
        whose = "the policy's" if getattr(wording, name, None) else "built in"
        click.echo(f"--- {name} ({whose})\n{getattr(rendered, name)}\n")


def _example(purpose: Purpose) -> NoticeV1:
    name = purpose.replace("_", "-")
    found = files("schemas") / "examples" / NoticeV1.event_type / f"{name}-slack.json"
    return NoticeV1.model_validate_json(found.read_bytes())
