"""What all commands that ask for something have in common: options, validation, one event loop, one way to fail."""

import asyncio
import getpass
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click
import orjson
from pydantic import TypeAdapter, ValidationError

from schemas.contract import Part, faults
from streams.errors import TocsinError
from streams.settings import Settings, read_settings

T = TypeVar("T")
PartT = TypeVar("PartT", bound=Part)

JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
TENANT = click.option("--tenant", default="default", show_default=True, help="The tenant.")


def logged_in() -> str:
    """Return who is logged in; nobody where the machine does not know, as in a container with a user of its own."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


AUTHOR = click.option(
    "--author",
    envvar="TOCSIN_AUTHOR",
    default=logged_in,
    show_default="TOCSIN_AUTHOR, else who is logged in",
    help="Who gives the command.",
)


def valid(kind: type[PartT], /, **fields: Any) -> PartT:
    """Return a message of *kind*, or fail with what is wrong with its fields."""
    try:
        return TypeAdapter(kind).validate_python(fields)
    except ValidationError as error:
        raise click.UsageError(faults(error, kind)) from None


def run(what: Callable[[Settings], Awaitable[T]]) -> T:
    """Do *what* with this process's settings, or fail with one line."""

    async def doing() -> T:
        return await what(read_settings())

    # What the broker's client says of a broker that is away is said once, below.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        return asyncio.run(doing())
    except TocsinError as error:
        raise click.ClickException(str(error)) from None


def print_json(document: Any) -> None:
    """Print *document* as JSON for people and programs."""
    click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())


def pair(written: str) -> tuple[str, str]:
    """Return name and value of ``NAME=VALUE``, or fail."""
    name, is_pair, value = written.partition("=")
    if not is_pair:
        message = f"{written!r} is no label: write --label NAME=VALUE"
        raise click.UsageError(message)
    return name, value
