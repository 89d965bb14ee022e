"""Apache Kafka as one KRaft node, bounded in memory, for one machine."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from streams.broker_access import IN_THE_CLEAR, BrokerAccess
from streams.errors import Unavailable
from streams.laptop.brokers.answering import wait_for_answer
from streams.laptop.brokers.jars import KAFKA, find_jars, find_java
from streams.laptop.children import Child, check_free, free_port

_STARTS_WITHIN: Final = 60.0
_FORMATS_WITHIN: Final = 60.0
_STOPS_WITHIN: Final = 15.0

#: Any 16 bytes in URL-safe base64: a folder that was formatted with another id is refused.
_CLUSTER: Final = "dG9jc2luLWxhcHRvcC0xMQ"

#: One core is enough for a laptop: the plain collector and the first compiler start and idle cheapest.
_JVM: Final = (
    "-Xms64m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    "-XX:-UsePerfData",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
)


class ApacheBroker:
    """Apache Kafka, its state below one folder."""

    keeps_state = True
    title = f"Apache Kafka {KAFKA}"
    limits: tuple[str, ...] = (
        "one broker: what it keeps is lost with its disk, and what is not flushed yet with the power",
        "512 MB of heap",
    )
    client_settings: Mapping[str, object] = IN_THE_CLEAR
    #: What the tool that formats its folder is told beside.
    formatted_with: tuple[str, ...] = ()

    def __init__(self, state: Path, port: int, log: Path) -> None:
        """
        Find Java and the jars.

        Raises:
            SettingsError: They are not there.
        """
        self._java = find_java()
        self._classes = f"{find_jars()}/*"
        self._state = state
        self._port = port
        self._log = log
        self.bootstrap = f"127.0.0.1:{port}"
        self.child: Child | None = None

    async def start(self) -> None:
        """Format the folder where it is new, start, and wait until it answers."""
        check_free(self._port, "broker")
        self._state.mkdir(parents=True, exist_ok=True)
        properties = self._state / "server.properties"
        settings = self.properties(free_port(), self._state / "log")
        properties.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        await self._format(properties)
        self.child = Child(
            "broker",
            [self._java, *_JVM, "-cp", self._classes, "kafka.Kafka", str(properties)],
            self._log,
        )
        await self.child.start()
        try:
            await wait_for_answer(BrokerAccess(broker=self.bootstrap), _STARTS_WITHIN, self.child)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End it; it flushes what it keeps."""
        if self.child is not None:
            await self.child.stop(_STOPS_WITHIN)

    def properties(self, controller_port: int, log: Path) -> dict[str, str]:
        """Return its configuration."""
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "listeners": f"PLAINTEXT://127.0.0.1:{self._port},CONTROLLER://127.0.0.1:{controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self._port}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller_port}",
            "log.dirs": str(log),
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "6000",
            "auto.create.topics.enable": "false",
            # Small machine: few threads, small buffers, small files.
            "num.network.threads": "1",
            "num.io.threads": "2",
            "background.threads": "2",
            "log.cleaner.dedupe.buffer.size": "4194304",
            "log.cleaner.threads": "1",
            "log.segment.bytes": "67108864",
            "log.index.size.max.bytes": "1048576",
            # An idle controller writes nothing.
            "metadata.max.idle.interval.ms": "0",
        }

    async def _format(self, properties: Path) -> None:
        if (self._state / "log" / "meta.properties").exists():
            return
        formatting = Child(
            "formatting of the broker's folder",
            [
                *(self._java, *_JVM, "-cp", self._classes, "kafka.tools.StorageTool", "format"),
                *("--standalone", "--ignore-formatted", "-t", _CLUSTER, "-c", str(properties)),
                *self.formatted_with,
            ],
            self._log,
        )
        await formatting.start()
        try:
            async with asyncio.timeout(_FORMATS_WITHIN):
                code = await formatting.wait()
        except TimeoutError:
            await formatting.stop(0)
            code = -1
        if code:
            lines = "\n".join(f"  {line}" for line in formatting.last_lines())
            message = f"the broker's folder {self._state} could not be formatted:\n{lines}"
            raise Unavailable(message)
