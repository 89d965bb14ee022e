"""A Faust app with what every worker of ours has: chunked transport, a producer, vital signs, a bounded stop."""

import logging
import os
import threading
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any, Final, Protocol

import faust
from mode.supervisors import CrashingSupervisor
from prometheus_client import REGISTRY

from streams.agents.outgoing import Emitter
from streams.agents.transport import ChunkTransport
from streams.gateways.connecting import access
from streams.gateways.vital_signs import vital_signs
from streams.settings import Settings

log = logging.getLogger(__name__)

#: Seconds that stopping may take in all. What is not finished then is not acknowledged, and will be done again.
STOP_WITHIN: Final = 5.0
#: Seconds between two heartbeats to the group's coordinator.
HEARTBEAT: Final = 1.0


class Needed(Protocol):
    """A connection of a worker."""

    async def start(self) -> None:
        """Connect."""

    async def stop(self) -> None:
        """Disconnect."""


class HopApp(faust.App):
    """The app of one role."""

    settings: Settings
    emitter: Emitter

    @classmethod
    def for_role(cls, role: str, settings: Settings) -> "HopApp":
        """Return the app of *role*, without agents."""
        session = settings.session_timeout.total_seconds()
        app = cls(
            f"{settings.topic_prefix}tocsin-{role}",
            broker=[f"kafka://{address}" for address in settings.broker.split(",")],
            broker_credentials=credentials(settings),
            topic_partitions=settings.partitions,
            topic_replication_factor=settings.replication,
            # Topics are made with their retention by gateways/topics.py; Faust adds its leader topic.
            topic_allow_declare=True,
            consumer_auto_offset_reset="earliest",
            broker_session_timeout=session,
            # How soon a worker hears that another one came or went.
            broker_heartbeat_interval=HEARTBEAT,
            broker_commit_interval=1.0,
            # Bytes of one partition that one fetch brings: what is read while the next one is under way.
            consumer_max_fetch_size=4 * 1024 * 1024,
            # An agent that raises stops its worker: Faust's other supervisors acknowledge what it was given, and go on.
            agent_supervisor=CrashingSupervisor,
            # A hop finishes the work in hand itself, within a time limit: see hop.py.
            stream_wait_empty=False,
            # Above zero, Faust's own assignor is used: it gives one worker the same partition of all inputs.
            table_standby_replicas=1,
            # /livez, /readyz and /metrics are ours.
            web_enabled=False,
            logging_config=logging_config(settings.log_level),
            worker_redirect_stdouts=False,
        )
        app.settings = settings
        app.emitter = Emitter(settings)
        app._held = AsyncExitStack()
        app._needed = [app.emitter]
        app._awaited = []
        app._joined = False
        app.on_partitions_assigned.connect(app._on_assigned)
        app.transport = ChunkTransport(app.conf.broker_consumer, app)
        return app

    _held: AsyncExitStack
    _needed: list[Needed]
    _awaited: list[Callable[[], str | None]]
    #: Whether the group has told this worker what is its own, be it nothing.
    _joined: bool

    async def _on_assigned(self, _app: Any, _assigned: Any, **_: Any) -> None:
        self._joined = True

    def ready_when(self, missing: Callable[[], str | None]) -> None:
        """Say that this worker is not ready as long as *missing* names something."""
        self._awaited.append(missing)

    def need(self, connection: Needed) -> None:
        """Start *connection* before the first record is read, and stop it after the last."""
        self._needed.append(connection)

    def unready(self) -> str | None:
        """Return what this worker waits for; None when it works."""
        if self.rebalancing or not self.started or not self._joined:
            return "partitions are being assigned"
        return next(filter(None, (missing() for missing in self._awaited)), None)

    async def on_first_start(self) -> None:
        """Connect the producer and answer for ourselves, before anything is read."""
        held, settings = self._held, self.settings
        for connection in self._needed:
            await connection.start()
            held.push_async_callback(connection.stop)
        await held.enter_async_context(
            vital_signs(
                settings.web_host, settings.web_port, unready=self.unready, registry=REGISTRY
            )
        )
        # Faust's own part only makes data folders, for tables that we do not have.

    async def on_stop(self) -> None:
        """Stop within ``STOP_WITHIN`` seconds, whatever the broker does."""
        overdue = threading.Timer(STOP_WITHIN, _leave)
        overdue.daemon = True
        overdue.start()
        await super().on_stop()
        await self._held.aclose()


def credentials(settings: Settings) -> faust.SASLCredentials | faust.SSLCredentials | None:
    """Return what lets Faust's own clients in; None in the clear."""
    how = access(settings)
    context = how.get("ssl_context")
    if settings.authenticates:
        return faust.SASLCredentials(
            username=how["sasl_plain_username"],
            password=how["sasl_plain_password"],
            mechanism=how["sasl_mechanism"],
            ssl_context=context,
        )
    return None if context is None else faust.SSLCredentials(context)


def logging_config(level: str) -> dict[str, Any]:
    """Return the logging of a worker: one line for each event, on standard error."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        # Faust and aiokafka tell of every request at INFO.
        "loggers": {name: {"level": "WARNING"} for name in ("faust", "mode", "aiokafka")},
    }


def _leave() -> None:
    log.error("not stopped in time: unfinished work is given back")
    os._exit(1)
