"""``tocsin incident publish``: tell people outside something about an incident."""

from collections.abc import Sequence
from typing import Any

import click

from schemas.commands import Publish
from schemas.public import PublicImpact, PublicStatus
from streams.cli.commanding import INCIDENT, as_command, tell


@click.command("publish")
@INCIDENT
@click.option("--message", required=True, help="What they are told.")
@click.option("--title", help="What the incident is called outside; needed the first time.")
@click.option("--status", type=click.Choice([each.value for each in PublicStatus]))
@click.option("--impact", type=click.Choice([each.value for each in PublicImpact]))
@click.option("--impact-text", help="Who notices what, in words for people outside.")
@click.option(
    "--component",
    "components",
    multiple=True,
    help="What they notice it in; can be given several times. First those of the affected services.",
)
@click.option("--expected", metavar="ISO-8601", help="When it is expected to be over.")
@as_command
def publish(  # noqa: PLR0913 - what can be said outside
    *,
    incident_id: str,
    message: str,
    title: str | None,
    status: str | None,
    impact: str | None,
    impact_text: str | None,
    components: Sequence[str],
    expected: str | None,
    **how: Any,
) -> None:
    """
    Tell people outside: the status page, its feeds, and the channels under status_page.tells.

    What is left out stays as it was. Nothing of what the incident says inside is told.
    """
    tell(
        Publish,
        how,
        incident_id=incident_id,
        message=message,
        title=title,
        status=status,
        impact=impact,
        impact_text=impact_text,
        components=tuple(components) or None,
        expected_at=expected,
    )
