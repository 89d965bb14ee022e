"""The `tocsin` command."""

from importlib import import_module
from typing import Final

import click

from streams.cli.choosing import Choice

#: Subcommand to its module in ``streams.cli`` and its help: modules are imported when they are asked for.
COMMANDS: Final = {
    "up": ("up", "Run everything on this machine."),
    "demo": ("demo", "Break a real service and watch the pipeline do its work."),
    "incident": ("incident", "Look at incidents and act on them."),
    "silence": ("silence", "Mute alerts for a while."),
    "change": ("change", "Tell of deployments and other changes."),
    "explain": ("explain", "Say why somebody was told, or nobody."),
    "report": ("report", "Ask the warehouse."),
    "schedule": ("schedule", "Say who is on call when."),
    "drill": ("drill", "Exercise: who is told, and after how long."),
    "route": ("route", "Ask who would be told."),
    "template": ("template", "Show what messages say."),
    "check": ("check", "Say everything that is wrong with a policy."),
    "test": ("testing", "Play test cases against a policy."),
    "policy": ("policy", "Put a policy in force while everything runs."),
    "worker": ("worker", "Run one hop."),
    "probe": ("probe", "Ask health endpoints and publish what they say."),
    "board": ("board", "Answer over HTTP: the status page, and providers that call back."),
    "intake": ("intake", "Take telemetry over HTTP: OpenTelemetry, Prometheus, webhooks."),
    "topics": ("worker", "Create the topics."),
    "migrate": ("migrate", "Bring the warehouse's tables up to date."),
    "warehouse": ("warehouse", "Make history anew, take it elsewhere."),
    "bench": ("bench", "Measure, on real parts."),
    "schemas": ("schemas", "Write the published contracts."),
}


class Commands(Choice):
    """Imports a subcommand's module only when it is used: typing `tocsin incident ack` should not load ClickHouse."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order in which people meet them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command called *cmd_name*."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"streams.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the subcommands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, told) for name, (_, told) in COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tocsin")
def main() -> None:
    """Telemetry in, incidents out: detection, correlation, lifecycle, notification and history on Kafka."""


if __name__ == "__main__":
    main()
