"""
Brokers that run on one machine.

* ``apache.py``    Apache Kafka, one KRaft node
* ``wheel.py``     a Kafka-compatible broker from a Python wheel, in memory
* ``address.py``   one that somebody else runs
* ``naming.py``    how one is asked for
* ``choosing.py``  which of them it is
* ``jars.py``      how Apache Kafka comes to this machine
"""

from collections.abc import Mapping
from typing import Protocol

from streams.laptop.children import Child


class Broker(Protocol):
    """What all of them have."""

    bootstrap: str
    #: Its process, where it is ours.
    child: Child | None

    #: Whether what was published is still there after a restart.
    keeps_state: bool

    @property
    def title(self) -> str:
        """What it is called."""

    @property
    def limits(self) -> tuple[str, ...]:
        """What people should know before they rely on it, a sentence each."""

    @property
    def client_settings(self) -> Mapping[str, object]:
        """Fields of ``Settings`` that its clients need."""

    async def start(self) -> None:
        """
        Start it and wait until it answers.

        Raises:
            SettingsError: Its port is taken.
            Unavailable: It ended, or did not answer in time; the text has the last lines of its log.
        """

    async def stop(self) -> None:
        """End it, within a time limit."""
