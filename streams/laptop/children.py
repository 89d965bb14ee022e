"""
Processes that this one starts, watches and ends.

A child has a session of its own, so that Ctrl-C reaches only the supervisor, and a log file. On Linux the kernel ends it when
its supervisor dies without a word; elsewhere it then runs on and is to be ended by hand.
"""

import asyncio
import ctypes
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from streams.errors import SettingsError

#: Bytes of a log that are kept when its process is started again.
LOG_BYTES: Final = 5_000_000
#: Lines of a log that are shown when its process died.
LINES_SHOWN: Final = 12

_PR_SET_PDEATHSIG: Final = 1


class Child:
    """One process."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._environment = None if environment is None else dict(environment)
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """Its process id; None before it was started."""
        return None if self._process is None else self._process.pid

    @property
    def code(self) -> int | None:
        """Its exit code; None while it runs."""
        return None if self._process is None else self._process.returncode

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it; its output is appended to its log."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        _shorten(self.log)
        with self.log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment,
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )

    async def wait(self) -> int:
        """Wait until it ends and return its exit code; negative is the number of the signal that ended it."""
        if self._process is None:
            message = f"{self.name} was not started"
            raise RuntimeError(message)
        return await self._process.wait()

    async def stop(self, within: float) -> bool:
        """Ask it to end, and end it after *within* seconds; return whether it ended by itself."""
        process = self._process
        if process is None or process.returncode is not None:
            return True
        process.terminate()
        try:
            async with asyncio.timeout(within):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
            return False
        return True

    def last_lines(self, count: int = LINES_SHOWN) -> list[str]:
        """Return the end of its log."""
        try:
            return self.log.read_text(errors="replace").splitlines()[-count:]
        except OSError:
            return []


def free_port() -> int:
    """Return a port of the loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def check_free(port: int, what: str) -> None:
    """
    Do nothing where *port* can be listened on.

    Raises:
        SettingsError: It can't; *what* names who wanted it.
    """
    with socket.socket() as probe:
        # As servers do: a port whose last connections linger is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            message = (
                f"127.0.0.1:{port} cannot be listened on by the {what} ({error.strerror}): "
                "end what uses it, or choose other ports by --port-base"
            )
            raise SettingsError(message) from None


def die_with_parent() -> Callable[[], None] | None:
    """Return what a child calls before it becomes its program, so that the kernel ends it with its parent; None but on Linux."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    parent = os.getpid()

    def ask_the_kernel() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # It died before it was asked.
            os._exit(1)

    return ask_the_kernel


def _shorten(log: Path) -> None:
    """Keep the end of a log that has grown too long."""
    try:
        if log.stat().st_size <= LOG_BYTES:
            return
        with log.open("rb") as whole:
            whole.seek(-LOG_BYTES // 2, os.SEEK_END)
            end = whole.read()
        log.write_bytes(end)
    except FileNotFoundError:
        return
