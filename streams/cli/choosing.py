"""A group of subcommands that answers a name it does not know with the one that was meant most likely."""

from typing import Any

import click


class Choice(click.Group):
    """A group whose refusal of an unknown subcommand says which there are."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[Any, Any, list[str]]:
        """
        Return the subcommand that *args* begin with.

        Raises:
            UsageError: There is none of that name.
        """
        known = self.list_commands(ctx)
        name = args[0]
        if name in known or name.startswith("-"):
            return super().resolve_command(ctx, args)
        from streams.policy_faults import meant  # noqa: PLC0415 - only for a typo

        message = f"there is no command {name!r}; {meant(name, known)}"
        raise click.UsageError(message, ctx)
