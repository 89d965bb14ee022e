"""`tocsin up` as a person meets it: the real command, on the broker under test, with parts that are killed."""

import asyncio
import json
import os
import re
import signal
import sys
from pathlib import Path

import httpx
import pytest

from streams.laptop.ports import is_free

pytestmark = [
    pytest.mark.broker,
    pytest.mark.skipif(sys.platform != "linux", reason="children are looked up in /proc"),
]

WITHIN = 90.0
POLICY = """\
probes:
  - name: Nothing
    service: nothing
    url: http://127.0.0.1:9/health
    every: 60s
  - name: Elsewhere
    service: nothing
    url: ${NOT_SET_ANYWHERE:-}/health
"""


class Up:
    """A running `tocsin up`."""

    def __init__(self, folder, broker, *, ports="0"):
        self.state = folder / "state"
        policy = folder / "policy"
        policy.mkdir(exist_ok=True)
        (policy / "probes.yaml").write_text(POLICY)
        self._command = [
            *(sys.executable, "-m", "streams", "up", "--port-base", ports),
            *(
                "--broker",
                broker.bootstrap if broker.kind in {"address", "docker"} else broker.kind,
            ),
            *("--state", str(self.state), "--policy", str(policy)),
        ]
        self.said = ""

    async def __aenter__(self):
        self.process = await asyncio.create_subprocess_exec(
            *self._command,
            env={k: v for k, v in os.environ.items() if not k.startswith("TOCSIN_")},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        return self

    async def __aexit__(self, *_):
        if self.process.returncode is None:
            self.process.kill()
        await self.ended()

    async def hear(self, wanted):
        """Read on until a line has *wanted*."""
        async with asyncio.timeout(WITHIN):
            while line := (await self.process.stdout.readline()).decode():
                self.said += line
                if re.search(wanted, line):
                    return line
        raise AssertionError(f"it ended without saying {wanted!r}:\n{self.said}")

    async def ended(self):
        async with asyncio.timeout(WITHIN):
            rest, _ = await self.process.communicate()
        self.said += rest.decode()
        return self.process.returncode

    def children(self):
        """Return what it runs: the command lines by process id."""
        found = {}
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                command = (folder / "cmdline").read_text().replace("\0", " ")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == self.process.pid and command:
                found[int(folder.name)] = command
        return found

    def kill(self, part):
        [pid] = [pid for pid, command in self.children().items() if part in command]
        os.kill(pid, signal.SIGKILL)

    def broker(self):
        """Return the process id of its broker."""
        return self.run()["broker_pid"]

    async def typed(self, *arguments):
        """Return what a `tocsin` command says that is typed beside it."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "streams", *arguments),
            env={**os.environ, "TOCSIN_STATE": str(self.state), "COLUMNS": "200"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(WITHIN):
            said, _ = await process.communicate()
        return said.decode()

    async def declared(self, summary):
        """Report an incident and return its number."""
        said = await self.typed(
            *("incident", "declare", "--severity", "3", "--service", "shop", "--summary", summary)
        )
        return re.search(r"INC-\d{4}-\d\d-\d\d-(\d{3}): opened", said)[1]

    def run(self):
        return json.loads((self.state / "run.json").read_text())


async def until(holds):
    async with asyncio.timeout(WITHIN):
        # What it looks at are other processes: nothing tells of them.
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(0.1)


@pytest.fixture
def installation(broker, tmp_path):
    if broker.kind in {"address", "docker"}:
        pytest.skip("topics of another run may be on this broker")
    return lambda **how: Up(tmp_path, broker, **how)


async def test_a_worker_that_dies_is_told_of_and_started_again(installation):
    """A laptop's user looks at a quiet screen: a dead part must not be quiet."""
    async with installation() as up:
        await up.hear("^ready: ")
        run = up.run()
        assert (up.state / "run.json").stat().st_mode & 0o077 == 0
        assert set(run["ready"]) >= {"warehouse", "detect", "incidents", "notify", "record"}
        # Nobody who calls back without a signature is heard.
        async with httpx.AsyncClient(trust_env=False) as client:
            board = f"http://127.0.0.1:{run['ports']['page']}"
            assert (await client.post(f"{board}/callbacks/chat", content=b"x")).status_code == 401
            # Nor does a public page tell what the process says of itself.
            assert (await client.get(f"{board}/metrics")).status_code == 404
            # Producers on this machine post without a token, where none is set.
            posts = f"http://127.0.0.1:{run['ports']['posts']}/v1/signals/health"
            assert (await client.post(posts, content=b"[]")).json() == {"accepted": 0}

        up.kill("worker detect")
        told = await up.hear("detect .*ended")
        assert str(up.state / "logs" / "detect.log") in told

        async def ready():
            async with httpx.AsyncClient(trust_env=False) as client:
                try:
                    return (await client.get(run["ready"]["detect"])).is_success
                except httpx.HTTPError:
                    return False

        await until(ready)

        async with installation() as second:
            assert await second.ended() == 1
        assert second.said == (
            f"Error: the state folder {up.state} is in use by another `tocsin up`: "
            "stop that one, or choose another folder by --state\n"
        )

        children = up.children()
        up.process.send_signal(signal.SIGTERM)
        assert await up.ended() == 0
        assert not [pid for pid in children if _runs(pid)]
        assert not (up.state / "run.json").exists()


async def test_started_again_it_goes_on_where_it_was(installation, broker):
    """Somebody who closes the laptop would lose incidents, or find two with one number."""
    async with installation() as up:
        await up.hear("^ready: ")
        assert await up.declared("Checkout is slow") == "001"
        up.process.send_signal(signal.SIGINT)
        assert await up.ended() == 0

    async with installation() as again:
        await again.hear("^ready: ")
        number = await again.declared("Checkout is slow again")
        listed = await again.typed("incident", "list")
        if broker.kind == "apache":
            assert number == "002"
            assert "slow again" in listed
            assert "-001" in listed
        else:
            # The broker has forgotten everything: history begins anew too, and the old one is kept.
            assert number == "001"
            assert "set aside: " in again.said
            assert (again.state / "warehouse-of-wheel.1").is_dir()

        # Without its warehouse the pipeline goes on, and history catches up.
        again.kill("streams.laptop.warehouse")
        await again.hear("warehouse .*ended")
        await again.hear("warehouse .*started again")

        async def recorded():
            said = await again.typed("report", "mttr", "--json")
            return f'"incidents": {int(number)}' in said

        await until(recorded)


async def test_without_its_broker_everything_stops(installation):
    """It would look as if it ran."""
    async with installation() as up:
        await up.hear("^ready: ")
        assert "off: probes without an address (Elsewhere)" in up.said
        children = up.children()

        os.kill(up.broker(), signal.SIGKILL)

        assert await up.ended() == 1
        assert str(up.state / "logs" / "broker.log") in up.said
        assert not [pid for pid in children if _runs(pid)]


async def test_a_killed_supervisor_leaves_nothing_behind_and_can_be_started_again(installation):
    """Children that live on would hold the ports and the state that the next start needs."""
    async with installation() as up:
        await up.hear("^ready: ")
        passwords = (up.state / "passwords").read_text()
        children = up.children()
        assert len(children) >= 6
        up.process.kill()
        await up.ended()

        async def all_gone():
            return not any(_runs(pid) for pid in children)

        await until(all_gone)

    async with installation() as again:
        await again.hear("^ready: ")
        assert (again.state / "passwords").read_text() == passwords
        again.process.send_signal(signal.SIGINT)
        assert await again.ended() == 0


async def test_a_taken_port_is_told_with_its_number_and_ends_what_was_started(installation):
    # Below those that the system gives out: nobody else takes one meanwhile.
    base = next(port for port in range(21_000, 30_000) if is_free(port) and is_free(port + 1))
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", base + 1)
    async with server, installation(ports=str(base)) as up:
        assert await up.ended() == 1
        assert f"127.0.0.1:{base + 1} cannot be listened on by the warehouse" in up.said
        assert is_free(base)


def _runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
