"""The README's examples, typed into an installation that runs."""

import asyncio
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from streams.laptop.demo.installation import Installation
from tests.brokers import BrokerUnderTest
from tests.pipeline import eventually

pytestmark = [pytest.mark.broker, pytest.mark.slow]

REPOSITORY = Path.cwd()
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
DICTIONARY = REPOSITORY / "streams/warehouse/DICTIONARY.md"
WITHIN = 60.0


class Folder:
    """A folder in which `tocsin up` runs, and commands are typed."""

    def __init__(self, folder: Path, ports: dict[str, str]) -> None:
        self.folder = folder
        #: What listens on other ports here than in the README.
        self._ports = ports
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(REPOSITORY),
            "COLUMNS": "200",
        }

    async def typed(self, *command: str, until: str | None = None) -> str:
        """Run *command*, with the ports that hold here, to its end or until it prints *until*; return what it printed."""
        here = [self._with_ports(word) for word in command]
        process = await asyncio.create_subprocess_exec(
            *here,
            cwd=self.folder,
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        assert process.stdout is not None
        said = ""
        try:
            async with asyncio.timeout(WITHIN):
                async for line in process.stdout:
                    said += line.decode()
                    if until and re.search(until, said):
                        return said
                assert await process.wait() == 0, said
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert not until, said
        return said

    def _with_ports(self, word: str) -> str:
        for written, real in self._ports.items():
            word = word.replace(f"127.0.0.1:{written}", f"127.0.0.1:{real}")
        return word


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def block(language: str, holding: str) -> str:
    (found,) = (each for each in blocks(language) if holding in each)
    return str(found)


@pytest_asyncio.fixture
async def folder(broker: BrokerUnderTest, tmp_path: Path) -> AsyncIterator[Folder]:
    settings = {
        f"TOCSIN_{name.upper()}": str(
            value.total_seconds() if isinstance(value, timedelta) else value
        )
        for name, value in broker.client_settings.items()
    }
    async with Installation(
        tmp_path / ".tocsin", broker=broker.bootstrap, given=settings, hear=print
    ) as installation:
        running = await installation.ready(timedelta(seconds=WITHIN))
        warehouse = urlsplit(running.warehouse.get_secret_value())
        posts = json.loads((tmp_path / ".tocsin/run.json").read_text())["ports"]["posts"]
        ports = {
            "7060": running.broker.rpartition(":")[2],
            "7061": str(warehouse.port),
            "7070": str(posts),
        }
        yield Folder(tmp_path, ports)


async def test_what_the_readme_tells_to_type_works(folder: Folder) -> None:
    """The first thing that a newcomer tries would fail."""
    await folder.typed(sys.executable, "-c", block("python", "AIOKafkaProducer"))
    said = await folder.typed(
        sys.executable, "-c", block("python", "AIOKafkaConsumer"), until=r"opened .*\n"
    )
    assert re.search(r"INC-\d{4}-\d\d-\d\d-\d{3} opened Database of shop fails", said)

    said = await folder.typed("sh", "-ec", block("sh", "tocsin incident"))
    assert "Checkout is slow for some users" in said
    assert "Database of shop fails" in said

    said = await folder.typed("sh", "-ec", block("sh", "/v1/signals/"))
    assert said.count('{"accepted":1}') == 2, said

    async def posted_is_heard() -> bool:
        return "Database of till fails" in await folder.typed("tocsin", "incident", "list")

    await eventually(posted_is_heard, "what was posted is an incident")

    async def recorded() -> bool:
        return "severity_name" in await folder.typed(
            "sh", "-ec", block("sh", "FORMAT PrettyCompact")
        )

    await eventually(recorded, "the warehouse has the incidents")
    named = re.findall(r"^### `([a-z_]+)`", DICTIONARY.read_text(), re.MULTILINE)
    assert "mttr_by_month" in named
    for view in named:
        asked = block("sh", "FORMAT PrettyCompact").replace("mttr_by_severity", view)
        assert "Exception" not in await folder.typed("sh", "-ec", asked), view

    if shutil.which("kcat"):
        publish, subscribe = block("sh", "kcat").rsplit("kcat -C", 1)
        await folder.typed("sh", "-ec", publish)
        await folder.typed("sh", "-c", f"kcat -C {subscribe}", until="INC-")


@pytest.mark.parametrize(
    "command",
    [
        line
        for line in "".join(blocks("console")).splitlines()
        if re.search("tocsin (check|test)", line)
    ],
)
async def test_what_the_readme_shows_of_a_command_is_what_it_prints(command: str) -> None:
    """A reader would think that something is wrong."""
    shown = README[README.index(command) + len(command) :].splitlines()[1]
    here = Folder(REPOSITORY, {})
    said = await here.typed("sh", "-ec", command.removeprefix("$ "))
    assert said.splitlines()[0].strip() == shown
