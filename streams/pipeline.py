"""
Every hop on one page: what it reads, what decides, what it writes.

=========  ======================================  ================================================
hop        reads                                   writes
=========  ======================================  ================================================
detect     telemetry.*, clock.ticks                alerts
incidents  alerts, incidents.commands,             incidents.lifecycle, incidents.current,
           clock.ticks                             notices; clock.ticks (the leader)
notify     notices, clock.ticks                    receipts, and what channels are told
record     incidents.lifecycle, alerts, notices,   ClickHouse
           receipts
=========  ======================================  ================================================

Every hop puts what it cannot process into the dead-letter topic of where it came from.

``faust -A streams.pipeline:detect worker`` and ``tocsin worker detect`` are the same.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

import faust

from schemas.topics import DETECT_JOURNAL, INCIDENTS_JOURNAL, NOTIFY_JOURNAL
from streams.agents import detect, incidents, notify, record
from streams.agents.hop import Hop
from streams.agents.outgoing import Emitter
from streams.agents.tick import Ticker
from streams.agents.transport import ChunkTransport
from streams.agents.watching import watch
from streams.detection.evaluation import Detector
from streams.gateways.clickhouse import Warehouse
from streams.gateways.courier import Courier
from streams.incidents.register import Register
from streams.notifications.delivery import Deliveries
from streams.policy import Policy, read_policy
from streams.settings import Settings, read_settings

ROLES: Final = ("detect", "incidents", "notify", "record")


def build(role: str, settings: Settings) -> faust.App:
    """
    Return the Faust app of *role*; nothing runs before it is started.

    Raises:
        PolicyError: The policy cannot be used.
        ValueError: There is no such role.
    """
    if role not in ROLES:
        message = f"there is no role {role!r}: it is one of {', '.join(ROLES)}"
        raise ValueError(message)
    app = _app(role, settings)
    emitter = Emitter(settings)
    app.on_before_shutdown.connect(_logged("stopping"))
    _DECLARED[role](app, settings, emitter)
    return app


def _app(role: str, settings: Settings) -> faust.App:
    app = faust.App(
        f"{settings.topic_prefix}tocsin-{role}",
        broker=[f"kafka://{address}" for address in settings.broker.split(",")],
        topic_partitions=settings.partitions,
        topic_replication_factor=settings.replication,
        # Topics are created by `tocsin topics`, with their retention; the leader's is Faust's own.
        topic_allow_declare=True,
        consumer_auto_offset_reset="earliest",
        broker_session_timeout=settings.session_timeout.total_seconds(),
        broker_heartbeat_interval=settings.session_timeout.total_seconds() / 4,
        broker_commit_interval=1.0,
        # A hop finishes its work in hand itself, within a time limit: see agents/hop.py.
        stream_wait_empty=False,
        # Above zero Faust's own assignor is used, which gives one worker the same partition of all inputs.
        table_standby_replicas=1,
        web_bind=settings.web_host,
        web_host=settings.web_host,
        web_port=settings.web_port,
        loghandlers=[],
        logging_config=None,
    )
    app.transport = ChunkTransport(app.conf.broker_consumer, app)
    return app


def _detect(app: faust.App, settings: Settings, emitter: Emitter) -> None:
    policy = read_policy(settings.policy)
    hop = Hop(
        app,
        name=detect.NAME,
        inputs=detect.INPUTS,
        journal=DETECT_JOURNAL,
        desk=lambda _: detect.DetectDesk(Detector(policy.rules)),
        settings=settings,
        emitter=emitter,
    )
    watch(app, hop, settings, emitter)


def _incidents(app: faust.App, settings: Settings, emitter: Emitter) -> None:
    policy = read_policy(settings.policy)
    hop = Hop(
        app,
        name=incidents.NAME,
        inputs=incidents.INPUTS,
        journal=INCIDENTS_JOURNAL,
        desk=lambda _: _incidents_desk(policy),
        settings=settings,
        emitter=emitter,
    )
    watch(app, hop, settings, emitter)
    ticker = Ticker(settings, emitter)

    @app.task
    async def keep_ticking() -> None:
        await ticker.start()
        try:
            await ticker.keep_ticking(app.is_leader)
        finally:
            await ticker.stop()


def _incidents_desk(policy: Policy) -> incidents.IncidentsDesk:
    return incidents.IncidentsDesk(
        Register(policy.incidents), policy.routes, reopen_within=policy.incidents.reopen_within
    )


def _logged(event: str) -> Callable[..., Any]:
    async def log_it(*_: Any, **__: Any) -> None:
        logging.getLogger(__name__).info(event)

    return log_it


_DECLARED: Final[Mapping[str, Callable[[faust.App, Settings, Emitter], None]]] = {}


def __getattr__(name: str) -> Any:
    # `faust -A streams.pipeline:detect` asks for the app by its role.
    if name in ROLES:
        return build(name, read_settings())
    raise AttributeError(name)
