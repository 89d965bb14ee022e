"""The demo's own installation: ``tocsin up`` on a folder that is thrown away, and the `tocsin` commands beside it."""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Self

import httpx

from streams.errors import TocsinError
from streams.laptop.children import Child
from streams.setting_files import variable
from streams.settings import RUN_FILE, Settings, read_settings

#: How long `tocsin up` may take to end everything it started.
_ENDS_WITHIN: Final = 40.0
#: Errors of one log that are repeated where the story fails.
_ERRORS: Final = 3
_LOOK_EVERY: Final = 0.2


class InstallationFailed(TocsinError):
    """`tocsin up` did not come up, or went away."""


@dataclass(frozen=True)
class Said:
    """What a command said."""

    code: int
    output: str
    errors: str


class Installation:
    """A running `tocsin up`; leaving the block ends it and everything it started."""

    def __init__(
        self,
        state: Path,
        *,
        broker: str,
        given: Mapping[str, str],
        hear: Callable[[str], None],
    ) -> None:
        self.state = state
        self._hear = hear
        self._heard = 0
        # Nothing of an installation that this shell is set up for, but how a broker that runs already is let into.
        self._environment = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith("TOCSIN_") or name.startswith(variable("broker_"))
            },
            **given,
            "TOCSIN_STATE": str(state),
            "TOCSIN_PORT_BASE": "0",
            "PYTHONUNBUFFERED": "1",
        }
        command = [sys.executable, "-m", "streams", "up", "--broker", broker]
        self._up = Child("tocsin up", command, state / "logs" / "up.log", self._environment)

    @property
    def pid(self) -> int | None:
        """Process id of `tocsin up`; None before it was started."""
        return self._up.pid

    @property
    def passwords(self) -> Path:
        """The file with the warehouse's passwords."""
        return self.state / "passwords"

    async def __aenter__(self) -> Self:
        await self._up.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._up.stop(_ENDS_WITHIN)

    async def ready(self, within: timedelta) -> Settings:
        """
        Wait until every part answers, and return the settings that find them.

        Raises:
            InstallationFailed: It ended, or took longer.
        """
        waiting_for = "its addresses"
        try:
            async with (
                asyncio.timeout(within.total_seconds()),
                httpx.AsyncClient(timeout=2, trust_env=False) as client,
            ):
                while True:
                    self.listen()
                    self.still_runs()
                    run = self._run()
                    if run is not None:
                        waiting_for = await _unready(client, run)
                        if not waiting_for:
                            return read_settings(**run["settings"], state=self.state)
                    await asyncio.sleep(_LOOK_EVERY)
        except TimeoutError:
            message = (
                f"`tocsin up` ready within {within.total_seconds():g} s, waiting for {waiting_for}"
            )
            raise InstallationFailed(message) from None

    def still_runs(self) -> None:
        """
        Do nothing.

        Raises:
            InstallationFailed: `tocsin up` has ended.
        """
        if not self._up.running:
            message = f"`tocsin up` to run, it ended with code {self._up.code}"
            # What it said last is told before that, and once.
            self.listen()
            raise InstallationFailed(message)

    async def command(self, *arguments: str, within: timedelta = timedelta(seconds=30)) -> Said:
        """
        Run a `tocsin` command as a person would type it beside the installation.

        Raises:
            InstallationFailed: It did not end in time.
        """
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "streams", *arguments),
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(within.total_seconds()):
                output, errors = await process.communicate()
        except TimeoutError:
            message = f"`tocsin {' '.join(arguments)}` to end within {within.total_seconds():g} s"
            raise InstallationFailed(message) from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return Said(process.returncode or 0, output.decode(), errors.decode())

    def _run(self) -> dict[str, Any] | None:
        try:
            run = json.loads((self.state / RUN_FILE).read_text())
        except (OSError, ValueError):
            return None
        return run if isinstance(run, dict) and isinstance(run.get("settings"), dict) else None

    def listen(self) -> None:
        """Hand on the lines that `tocsin up` wrote since the last call."""
        with self._up.log.open(encoding="utf-8", errors="replace") as log:
            log.seek(self._heard)
            for line in log.readlines():
                self._hear(line.rstrip())
            self._heard = log.tell()

    def complaints(self) -> list[str]:
        """Return the latest errors in the logs of all parts."""
        found: list[str] = []
        for log in sorted((self.state / "logs").glob("*.log")):
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
            errors = [line for line in lines if " ERROR " in line or "Error:" in line]
            found.extend(f"{log.stem}: {line}" for line in errors[-_ERRORS:])
        return found


async def _unready(client: httpx.AsyncClient, run: Mapping[str, Any]) -> str:
    """Return the parts that are not ready, or nothing."""
    missing = []
    for part, address in run.get("ready", {}).items():
        try:
            response = await client.get(address)
            if response.is_success:
                continue
        except httpx.HTTPError:
            pass
        missing.append(part)
    return ", ".join(missing)
