"""``--broker`` of the commands that run one: a slip is said before anything is started."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from streams.errors import SettingsError

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


class _Broker(click.ParamType):
    name = "broker"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return *value*, which asks for a broker."""
        del param
        from streams.laptop.brokers.naming import check_name  # noqa: PLC0415 - not for `--help`

        try:
            check_name(value)
        except SettingsError as error:
            raise click.UsageError(str(error), ctx) from None
        return value


def broker_option(told: str | None = None) -> Callable[[CommandT], CommandT]:
    """Return the option, which *told* explains."""
    return click.option(
        "--broker",
        type=_Broker(),
        default="auto",
        show_default=True,
        metavar="auto|apache|wheel|HOST:PORT",
        help=told,
    )
