"""``python -m streams.laptop.warehouse --path FOLDER --port N --password-file FILE``."""

import asyncio
import logging
import signal
import sys
from pathlib import Path

import click

from streams.errors import SettingsError
from streams.laptop.warehouse.authentication import Passwords, read_passwords
from streams.laptop.warehouse.server import serve


@click.command()
@click.option("--path", type=click.Path(path_type=Path), required=True, help="Folder of the data.")
@click.option("--port", type=click.IntRange(0, 65535), required=True, help="0 takes a free one.")
@click.option(
    "--password-file",
    type=click.Path(path_type=Path),
    required=True,
    help="One `user:password` a line, for tocsin and reader.",
)
def main(path: Path, port: int, password_file: Path) -> None:
    """Serve an embedded ClickHouse engine over HTTP on 127.0.0.1 until SIGTERM."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    try:
        passwords = read_passwords(password_file)
        asyncio.run(_until_told(path.resolve(), port, passwords))
    except SettingsError as error:
        click.echo(f"warehouse: {error}", err=True)
        sys.exit(1)


async def _until_told(path: Path, port: int, passwords: Passwords) -> None:
    stop = asyncio.Event()
    for told in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(told, stop.set)
    await serve(path, port, passwords, stop)


if __name__ == "__main__":
    main()
