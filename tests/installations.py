"""An installation for each test, on the broker of the run."""

import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from pydantic import SecretStr

if TYPE_CHECKING:
    from tests.brokers import BrokerUnderTest
    from tests.integration.warehouse import RunningWarehouse
    from tests.pipeline import Pipeline
    from tests.receivers import Receivers


@pytest.fixture
def warehouse(tmp_path: Path) -> "Iterator[RunningWarehouse]":
    """An embedded engine of the test's own: it has one database."""
    from tests.integration.warehouse import running_warehouse  # noqa: PLC0415 - only where asked for

    with running_warehouse(tmp_path / "warehouse") as running:
        yield running


@pytest_asyncio.fixture
async def receivers() -> "AsyncIterator[Receivers]":
    """Receivers that stand for people's devices."""
    from tests.receivers import receiving  # noqa: PLC0415 - as above

    async with receiving() as running:
        yield running


@pytest_asyncio.fixture
async def pipeline(
    broker: "BrokerUnderTest",
    warehouse: "RunningWarehouse",
    receivers: "Receivers",
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> "AsyncIterator[Pipeline]":
    """An installation with topics of its own and empty tables; its hops are not started yet."""
    from streams.settings import Settings  # noqa: PLC0415 - as above
    from tests.pipeline import Pipeline, ending  # noqa: PLC0415 - as above
    from tests.world import write_policy  # noqa: PLC0415 - as above

    for name, value in receivers.environment().items():
        monkeypatch.setenv(name, value)
    settings = Settings(
        broker=broker.bootstrap,
        topic_prefix=f"t{secrets.token_hex(4)}.",
        warehouse=SecretStr(warehouse.url()),
        policy=write_policy(tmp_path / "policy"),
        state=tmp_path,
        **broker.client_settings,
    )
    running = Pipeline(settings, tmp_path)
    await running.prepare()
    with ending(running):
        yield running
