"""What Grafana asks the warehouse, asked of the warehouse."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from schemas.lifecycle import StepV1
from streams.gateways.clickhouse import ClickHouse
from streams.gateways.migrations import migrate
from streams.laptop.warehouse.authentication import User
from streams.warehouse.rows import rows_of
from tests.integration.warehouse import RunningWarehouse

#: All but the one that Prometheus answers.
DASHBOARDS = sorted(
    set(Path("deploy/grafana/dashboards").glob("*.json"))
    - {Path("deploy/grafana/dashboards/workers.json")}
)
EXAMPLE = StepV1.from_wire(
    Path("schemas/examples/tocsin.incident.step.v1/resolved.json").read_bytes()
)


def panels(dashboard: Path) -> list[dict[str, Any]]:
    """Those that ask the warehouse."""
    return [
        panel
        for panel in json.loads(dashboard.read_text())["panels"]
        if panel["datasource"]["uid"] == "tocsin"
    ]


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda path: path.stem)
async def test_every_panel_is_answered(dashboard: Path, warehouse: RunningWarehouse) -> None:
    """An analyst would see an error in the place of a figure."""
    assert panels(dashboard)
    client = ClickHouse(SecretStr(warehouse.url()))
    await migrate(client)
    for table, row in rows_of(EXAMPLE):
        await client.insert(table, [row])
    for panel in panels(dashboard):
        for target in panel["targets"]:
            # As the plugin's macro is written out.
            asked = re.sub(r"\$__timeFilter\((\w+)\)", r"\1 >= toDateTime(0)", target["rawSql"])
            assert "$__" not in asked
            answer = warehouse.ask(f"{asked} FORMAT JSON", User.READER, database="tocsin")
            assert answer.is_success, f"{panel['title']}: {answer.text}"
            if panel["title"] == "Incidents in this time":
                assert answer.json()["data"] == [{"incidents": 1}]
    await client.close()
