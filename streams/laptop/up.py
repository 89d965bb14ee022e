"""
`tocsin up`: a broker, the embedded warehouse, every role, on one machine.

They are started in the order in which they need each other and stopped in the reverse one. State is under one folder;
started again, everything goes on where it was, as far as the broker keeps it.
"""

import asyncio
import fcntl
import json
import os
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx
from pydantic import SecretStr

from streams.broker_access import as_texts
from streams.errors import SettingsError, TocsinError, Unavailable
from streams.gateways import clock
from streams.gateways.clickhouse import ClickHouse
from streams.gateways.history import tell_policy
from streams.gateways.migrations import migrate
from streams.gateways.topics import create_topics
from streams.laptop.brokers import Broker
from streams.laptop.brokers.choosing import choose
from streams.laptop.children import Child, check_free, free_port
from streams.laptop.restarts import GiveUp, after_exit
from streams.laptop.warehouse.authentication import User, read_passwords, write_passwords
from streams.policy import read_policy
from streams.settings import RUN_FILE, Settings, read_settings

ROLES: Final = ("detect", "incidents", "notify", "record", "probe", "board", "intake")
#: How a role is started that is no worker.
_COMMANDS: Final[Mapping[str, str]] = {
    "probe": "probe",
    "board": "board --port {page}",
    "intake": "intake --port {posts}",
}
#: What people outside reach of the board, and where producers post; what operators ask stands beside that of the other roles.
_PAGE: Final = "page"
_POSTS: Final = "posts"
_OUTSIDE: Final[Mapping[str, str]] = {"board": _PAGE, "intake": _POSTS}
DATABASE: Final = "tocsin"

_READY_WITHIN: Final = 60.0
_WAREHOUSE_WITHIN: Final = 30.0
_WORKER_STOPS_WITHIN: Final = 7.0
_WAREHOUSE_STOPS_WITHIN: Final = 10.0
_LOOK_EVERY: Final = 0.2
#: Bytes of a broker that keeps everything in memory, and seconds between two looks at them.
_MEMORY_WARNED: Final = 1_000_000_000
_MEMORY_EVERY: Final = 30.0

Say = Callable[[str], None]


class Installation:
    """One running `tocsin up`."""

    def __init__(self, *, broker: str, state: Path, policy: Path, port_base: int, say: Say) -> None:
        self._wanted = broker
        self._state = state
        self._policy = policy
        self._say = say
        names = ("broker", "warehouse", *ROLES, _PAGE, _POSTS)
        self._ports = {
            name: port_base + place if port_base else free_port()
            for place, name in enumerate(names)
        }
        self._logs = state / "logs"
        self._stop = asyncio.Event()
        self._failed: str | None = None
        #: Probes that are not asked.
        self._off: list[str] = []
        self._ends: dict[str, list[timedelta]] = defaultdict(list)

    async def run(self) -> int:
        """
        Start everything, watch it until told to stop, stop everything; return the exit code.

        Raises:
            TocsinError: Something could not be started; what was started is stopped.
        """
        loop = asyncio.get_running_loop()
        for told in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(told, self._stop.set)
        with _locked(self._state):
            self._off = [probe.name for probe in read_policy(self._policy).probes if not probe.url]
            async with AsyncExitStack() as running:
                starting = asyncio.create_task(self._start(running))
                stopping = asyncio.create_task(self._stop.wait())
                await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not starting.done():
                    starting.cancel()
                with suppress(asyncio.CancelledError):
                    await starting
                    self._say("ready: Ctrl-C stops everything")
                await stopping
                self._say("stopping")
            if self._failed:
                self._say(f"stopped: {self._failed}")
                return 1
            self._say("stopped")
            return 0

    async def _start(self, running: AsyncExitStack) -> None:
        broker = await running.enter_async_context(self._broker())
        warehouse = await running.enter_async_context(self._warehouse(self._history(broker)))
        settings = self._settings(broker, warehouse)
        created = await create_topics(settings)
        client = ClickHouse(settings.warehouse, settings.warehouse_ca)
        try:
            applied = await migrate(client)
            policy = read_policy(self._policy)
            await tell_policy(client, policy.promises(), policy.history, clock.now())
        finally:
            await client.close()
        self._say(f"topics     {len(created)} created; {len(applied)} migrations applied")
        await running.enter_async_context(self._published(settings, broker))
        await running.enter_async_context(self._workers(settings))
        self._say(f"{_PAGE:10} ready  http://127.0.0.1:{self._ports[_PAGE]}/status")
        self._say(f"{_POSTS:10} ready  http://127.0.0.1:{self._ports[_POSTS]}")
        if self._off:
            self._say(f"           off: probes without an address ({', '.join(self._off)})")

    def _history(self, broker: Broker) -> Path:
        """Return the warehouse's folder: the history of a broker that forgets is not continued, its numbers begin anew."""
        if broker.keeps_state:
            return self._state / "warehouse"
        folder = self._state / "warehouse-of-wheel"
        if folder.exists():
            before = [int(each.suffix[1:]) for each in self._state.glob(f"{folder.name}.[0-9]*")]
            aside = folder.with_suffix(f".{max(before, default=0) + 1}")
            folder.rename(aside)
            self._say(
                f"           set aside: {aside}, because the broker has forgotten what led to it"
            )
        return folder

    # -- parts ------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _broker(self) -> AsyncIterator[Broker]:
        broker, why = choose(
            self._wanted, self._state / "broker", self._ports["broker"], self._logs / "broker.log"
        )
        await broker.start()
        self._say(f"broker     ready  {broker.bootstrap}  {broker.title}: {why}")
        for limit in broker.limits:
            self._say(f"           limit: {limit}")
        watching = []
        if broker.child is not None:
            watching.append(self._watch("broker", broker.child, restartable=False))
            watching.append(self._watch_memory(broker))
        tasks = [asyncio.create_task(each) for each in watching]
        try:
            yield broker
        finally:
            await _cancelled(*tasks)
            await broker.stop()

    @asynccontextmanager
    async def _warehouse(self, folder: Path) -> AsyncIterator[SecretStr]:
        port = self._ports["warehouse"]
        check_free(port, "warehouse")
        passwords = self._state / "passwords"
        known = read_passwords(passwords) if passwords.exists() else write_passwords(passwords)
        child = Child(
            "warehouse",
            [
                *(sys.executable, "-m", "streams.laptop.warehouse"),
                *("--path", str(folder), "--port", str(port)),
                *("--password-file", str(passwords)),
            ],
            self._logs / "warehouse.log",
            dict(os.environ),
        )
        await child.start()
        try:
            await _answers(f"http://127.0.0.1:{port}/ping", child, _WAREHOUSE_WITHIN)
            self._say(f"warehouse  ready  127.0.0.1:{port}  ClickHouse engine, embedded")
            watching = asyncio.create_task(self._watch("warehouse", child, restartable=True))
            try:
                secret = known[User.TOCSIN].get_secret_value()
                yield SecretStr(f"http://{User.TOCSIN}:{secret}@127.0.0.1:{port}/{DATABASE}")
            finally:
                await _cancelled(watching)
        finally:
            await child.stop(_WAREHOUSE_STOPS_WITHIN)

    @asynccontextmanager
    async def _workers(self, settings: Settings) -> AsyncIterator[None]:
        """Run every role; they are started and stopped side by side."""
        children = {role: self._worker(role, settings) for role in ROLES}
        watching: list[asyncio.Task[None]] = []
        try:
            async with asyncio.TaskGroup() as starting:
                for child in children.values():
                    starting.create_task(self._ready(child))
            watching.extend(
                asyncio.create_task(self._watch(role, child, restartable=True))
                for role, child in children.items()
            )
            yield
        finally:
            await _cancelled(*watching)
            await asyncio.gather(*[child.stop(_WORKER_STOPS_WITHIN) for child in children.values()])

    def _worker(self, role: str, settings: Settings) -> Child:
        port = self._ports[role]
        check_free(port, role)
        outside = _OUTSIDE.get(role)
        if outside is not None:
            check_free(self._ports[outside], outside)
        command = _COMMANDS.get(role, f"worker {role}").format(**self._ports).split()
        return Child(
            role,
            [sys.executable, "-m", "streams", *command],
            self._logs / f"{role}.log",
            {**os.environ, **_environment(settings), "TOCSIN_WEB_PORT": str(port)},
        )

    async def _ready(self, child: Child) -> None:
        port = self._ports[child.name]
        await child.start()
        await _answers(f"http://127.0.0.1:{port}/readyz", child, _READY_WITHIN)
        self._say(f"{child.name:10} ready  127.0.0.1:{port}  {child.log}")

    @asynccontextmanager
    async def _published(self, settings: Settings, broker: Broker) -> AsyncIterator[None]:
        """Tell commands that are typed on this machine where everything is."""
        said = {
            "pid": os.getpid(),
            "broker": broker.title,
            "broker_pid": broker.child.pid if broker.child else None,
            "ports": self._ports,
            "ready": {
                "warehouse": f"http://127.0.0.1:{self._ports['warehouse']}/ping",
                **{role: f"http://127.0.0.1:{self._ports[role]}/readyz" for role in ROLES},
            },
            "settings": _plain(settings),
        }
        path = self._state / RUN_FILE
        # It holds passwords.
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_text(json.dumps(said, indent=2))
        try:
            yield
        finally:
            path.unlink(missing_ok=True)

    # -- watching ---------------------------------------------------------------------------------

    async def _watch(self, name: str, child: Child, *, restartable: bool) -> None:
        loop = asyncio.get_running_loop()
        while True:
            code = await child.wait()
            lines = [f"           | {line}" for line in child.last_lines()]
            self._say("\n".join([f"{name:10} ended with code {code}; {child.log} says:", *lines]))
            self._ends[name].append(timedelta(seconds=loop.time()))
            follows = after_exit(self._ends[name], restartable=restartable)
            if isinstance(follows, GiveUp):
                self._failed = f"{name} ended with code {code}, and {follows.reason}"
                self._stop.set()
                return
            self._say(f"{name:10} starts again in {follows.wait.total_seconds():g} s")
            await asyncio.sleep(follows.wait.total_seconds())
            await child.start()
            self._say(f"{name:10} started again")

    async def _watch_memory(self, broker: Broker) -> None:
        """Say once that a broker which forgets nothing has grown too large."""
        statm = Path(f"/proc/{broker.child.pid}/statm") if broker.child else None
        if broker.keeps_state or statm is None or not statm.exists():
            return
        page = os.sysconf("SC_PAGE_SIZE")
        # The kernel tells nobody of it.
        while int(statm.read_text().split()[1]) * page < _MEMORY_WARNED:  # noqa: ASYNC110
            await asyncio.sleep(_MEMORY_EVERY)
        self._say(
            "broker     uses 1 GB: everything published is still in it; restart, or use Apache Kafka"
        )

    def _settings(self, broker: Broker, warehouse: SecretStr) -> Settings:
        return read_settings(
            broker=broker.bootstrap,
            warehouse=warehouse,
            # Ours speaks HTTP, whatever is said about another one.
            warehouse_ca=None,
            policy=self._policy.resolve(),
            state=self._state,
            web_host="127.0.0.1",
            **broker.client_settings,
        )


def _plain(settings: Settings) -> dict[str, Any]:
    """Return what other processes need to be told, as JSON values."""
    return {
        "broker": settings.broker,
        **as_texts(settings),
        "topic_prefix": settings.topic_prefix,
        "partitions": settings.partitions,
        "linger": settings.linger.total_seconds(),
        "idempotent": settings.idempotent,
        "session_timeout": settings.session_timeout.total_seconds(),
        "warehouse": settings.warehouse.get_secret_value(),
        "warehouse_ca": "",
        "policy": str(settings.policy),
    }


def _environment(settings: Settings) -> Mapping[str, str]:
    values = {**_plain(settings), "state": str(settings.state), "log_level": settings.log_level}
    return {f"TOCSIN_{name.upper()}": str(value) for name, value in values.items()}


async def _answers(url: str, child: Child, within: float) -> None:
    try:
        async with (
            asyncio.timeout(within),
            httpx.AsyncClient(timeout=2.0, trust_env=False) as client,
        ):
            while True:
                with suppress(httpx.HTTPError):
                    if (await client.get(url)).is_success:
                        return
                if not child.running:
                    message = f"the {child.name} ended with code {child.code} while it started"
                    raise Unavailable(_with_log(message, child))
                await asyncio.sleep(_LOOK_EVERY)
    except TimeoutError:
        message = f"the {child.name} was not ready within {within:g} s"
        raise Unavailable(_with_log(message, child)) from None


def _with_log(message: str, child: Child) -> str:
    lines = [f"  {line}" for line in child.last_lines()]
    return "\n".join([f"{message}; the end of {child.log}:", *lines])


async def _cancelled(*tasks: "asyncio.Task[None]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def _locked(state: Path) -> Iterator[None]:
    """
    Hold the state folder for this process alone.

    Raises:
        SettingsError: It cannot be used, or another `tocsin up` uses it.
    """
    try:
        state.mkdir(parents=True, exist_ok=True)
        lock = (state / "lock").open("a")
    except OSError as error:
        message = (
            f"the state folder {state} cannot be used ({error.strerror}): choose another by --state"
        )
        raise SettingsError(message) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            message = (
                f"the state folder {state} is in use by another `tocsin up`: "
                "stop that one, or choose another folder by --state"
            )
            raise SettingsError(message) from None
        yield


async def run(**given: Any) -> int:
    """
    Run an installation; see ``Installation``.

    Raises:
        TocsinError: Something could not be started.
    """
    try:
        return await Installation(**given).run()
    except* TocsinError as errors:
        # Roles start side by side: the first that failed says why.
        raise errors.exceptions[0] from None
