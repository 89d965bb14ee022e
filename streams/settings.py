"""
The environment as settings: addresses, credentials, sizes.

What decides (rules, routes, channels) is the policy and stands in files; see ``policy.py``.
"""

import json
import logging
import os
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from streams.broker_access import BrokerAccess, Fault, doubts, faults, none_if_empty
from streams.durations import read_duration
from streams.errors import SettingsError
from streams.policy_faults import nearest
from streams.setting_files import Unusable, trusting, variable

log = logging.getLogger(__name__)

#: Where a running `tocsin up` writes its addresses, below its state folder.
RUN_FILE = "run.json"
_PREFIX: Final = "TOCSIN_"
#: What commands read from the environment beside settings.
_READ_ELSEWHERE: Final = ("AUTHOR", "PORT_BASE")
#: How alike two names are of which one is taken for a slip of the other.
_ALIKE: Final = 0.85


def _span(given: Any) -> Any:
    """Read a number as seconds, and everything else as policies write durations."""
    try:
        return timedelta(seconds=float(given))
    except (TypeError, ValueError):
        return read_duration(given)


Span = Annotated[timedelta, BeforeValidator(_span)]


class Settings(BrokerAccess, BaseSettings):
    """
    Settings of one process.

    Each is read from ``TOCSIN_<NAME>``. Where ``TOCSIN_STATE`` (or ``./.tocsin``) holds the addresses of a running
    ``tocsin up``, those are the defaults, so that commands typed beside it find it.
    """

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, frozen=True, use_attribute_docstrings=True, extra="ignore"
    )

    topic_prefix: Annotated[str, Field(pattern=r"^([A-Za-z0-9_-]+\.)*$")] = ""
    """Put before every topic and group name: several installations can share a broker. Ends in a dot."""
    partitions: Annotated[int, Field(ge=1, le=256)] = 4
    """Partitions of every topic. All topics have the same number; it cannot be changed later."""
    replication: Annotated[int, Field(ge=1, le=9)] = 1
    """Replicas of every topic."""
    linger: Annotated[Span, Field(ge=timedelta(0), le=timedelta(seconds=1))] = timedelta(0)
    """How long a producer waits to fill a batch: seconds, or ``100ms``."""
    idempotent: bool = True
    """Whether producers ask the broker to drop their own repeats."""
    session_timeout: Annotated[Span, Field(ge=timedelta(seconds=6))] = timedelta(seconds=10)
    """After how long a silence a worker loses its partitions to others: seconds, or ``10s``."""
    warehouse: SecretStr = SecretStr("http://tocsin:@127.0.0.1:8123/tocsin")
    """ClickHouse, as ``http[s]://USER:PASSWORD@HOST:PORT/DATABASE``."""
    warehouse_ca: Annotated[Path | None, BeforeValidator(none_if_empty)] = None
    """PEM file with the authorities whose ClickHouse is trusted; without it, those that the machine trusts."""
    policy: Path = Path("deploy/policy")
    """Folder (or file) of the policy."""
    web_host: str = "127.0.0.1"
    """Address that ``/livez``, ``/readyz`` and ``/metrics`` listen on."""
    web_port: Annotated[int, Field(ge=1, le=65535)] = 6066
    """Port that they listen on."""
    state: Path = Path(".tocsin")
    """State folder of ``tocsin up``."""
    log_level: Annotated[str, Field(pattern=r"^(DEBUG|INFO|WARNING|ERROR)$")] = "INFO"
    """Lowest level that is logged."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put a running installation's addresses behind arguments and environment."""
        folder = init_settings().get("state") or env_settings().get("state") or cls.default_state()
        running = _running(Path(folder))
        if "broker" in init_settings() or "broker" in env_settings():
            # What its broker is told is not for another one: a password least of all.
            running = {name: running[name] for name in running if not name.startswith("broker")}
        return init_settings, env_settings, InitSettingsSource(settings_cls, running)

    @classmethod
    def default_state(cls) -> Path:
        """Return the state folder that is looked at where none is named."""
        return Path(cls.model_fields["state"].default)

    def topic(self, name: str) -> str:
        """Return the name on the broker of the topic called *name*."""
        return f"{self.topic_prefix}{name}"


def _running(folder: Path) -> dict[str, Any]:
    """Return the settings that a running `tocsin up` left in *folder*; nothing where there is none."""
    try:
        left = json.loads((folder / RUN_FILE).read_text())
    except (OSError, ValueError):
        return {}
    settings = left.get("settings", {}) if isinstance(left, dict) else {}
    return settings if isinstance(settings, dict) else {}


def read_settings(**given: Any) -> Settings:
    """
    Return the settings of this process.

    Raises:
        SettingsError: A setting is wrong, or its name is; the text names each one, and never its value.
    """
    problems = list(_misnamed(os.environ))
    try:
        settings = Settings(**given)
    except ValidationError as error:
        problems += [
            f"{variable('_'.join(str(step) for step in fault['loc']))}: "
            # What a check of ours says begins with pydantic's word for it.
            f"{fault['msg'].removeprefix('Value error, ')}"
            for fault in error.errors(include_input=False, include_url=False)
        ]
    else:
        problems += [f"{variable(name)}: {fault}" for name, fault in _faults(settings)]
        if not problems:
            for name, doubt in doubts(settings):
                log.warning("%s: %s", variable(name), doubt)
            return settings
    said = [f"  {problem}" for problem in problems]
    raise SettingsError("\n".join(["the environment cannot be used:", *said]))


def _faults(settings: Settings) -> Iterator[Fault]:
    """Yield what does not fit together, or names a file that cannot be used."""
    yield from faults(settings)
    if settings.warehouse_ca is not None:
        if not settings.warehouse.get_secret_value().startswith("https:"):
            yield (
                "warehouse_ca",
                "is not used with http: leave it out, or write https:// in TOCSIN_WAREHOUSE",
            )
        try:
            trusting("warehouse_ca", settings.warehouse_ca)
        except Unusable as error:
            yield error.setting, error.reason


def _misnamed(environment: Iterable[str]) -> Iterator[str]:
    """Yield what is wrong with names that are nearly a setting's; others of our prefix are somebody else's."""
    known = [variable(name) for name in (*Settings.model_fields, *_READ_ELSEWHERE)]
    for name in sorted(environment):
        if name.startswith(_PREFIX) and name not in known:
            close = nearest(name, known, _ALIKE)
            if close is not None:
                yield f"{name}: there is no such setting; did you mean {close}?"
