"""The embedded warehouse as the process that `tocsin up` starts, for the tests of everything behind it."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from streams.laptop.warehouse.authentication import (
    Passwords,
    User,
    read_passwords,
    write_passwords,
)


@dataclass
class RunningWarehouse:
    """A warehouse that answers."""

    process: subprocess.Popen[str]
    port: int
    passwords: Passwords

    def password(self, user: User = User.TOCSIN) -> str:
        return self.passwords[user].get_secret_value()

    def url(self, user: User = User.TOCSIN) -> str:
        return f"http://{user}:{self.password(user)}@127.0.0.1:{self.port}/tocsin"

    def ask(self, statement: str | bytes, user: User = User.TOCSIN, **query: str) -> httpx.Response:
        """Send one statement as curl would."""
        return httpx.post(
            f"http://127.0.0.1:{self.port}/",
            params=query,
            content=statement,
            auth=(user, self.password(user)),
            timeout=30,
        )

    def until_busy(self) -> None:
        """Return when a statement is at work."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            running = self.ask("SELECT value FROM system.metrics WHERE metric = 'Query'")
            if int(running.text) > 1:
                return
        message = "no statement began in time"
        raise TimeoutError(message)

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def start_again(self, folder: Path) -> None:
        """Start it where it was, after a kill."""
        self.process = launch(folder, self.port)
        _port_of(self.process)

    def stop(self) -> int:
        """End it as `tocsin up` does, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)


def launch(folder: Path, port: int = 0) -> subprocess.Popen[str]:
    """Start the process without waiting for it."""
    passwords = folder / "passwords"
    if not passwords.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_passwords(passwords)
    command = [
        *(sys.executable, "-m", "streams.laptop.warehouse"),
        *("--path", str(folder), "--port", str(port), "--password-file", str(passwords)),
    ]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
    )


@contextmanager
def running_warehouse(folder: Path) -> Iterator[RunningWarehouse]:
    """Start a warehouse on a free port and end it afterwards."""
    running = RunningWarehouse(launch(folder), 0, read_passwords(folder / "passwords"))
    try:
        running.port = _port_of(running.process)
        yield running
    finally:
        # Not the first one, where it was started again.
        running.kill()


def _port_of(process: subprocess.Popen[str]) -> int:
    """Wait until it answers."""
    assert process.stdout is not None
    line = process.stdout.readline()
    ready = re.search(r"ready at http://127\.0\.0\.1:(\d+)", line)
    assert ready, line + process.stdout.read()
    return int(ready[1])
