"""How commands ask the broker: once, to the end, with failures told in a sentence."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click
import orjson

from streams.errors import TocsinError
from streams.settings import Settings, read_settings

T = TypeVar("T")


def run(what: Callable[[Settings], Awaitable[T]]) -> T:
    """
    Return what became of *what*.

    Raises:
        ClickException: It failed; the text is for a person.
    """

    async def asked() -> T:
        return await what(read_settings())

    # What the broker's client says of a broker that is away is said once, below.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        return asyncio.run(asked())
    except TocsinError as error:
        raise click.ClickException(str(error)) from None


def print_json(document: Any) -> None:
    """Print *document* for a machine."""
    click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
