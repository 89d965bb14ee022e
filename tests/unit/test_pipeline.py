"""What a role runs is what its policy asks for."""

from pathlib import Path

import pytest

from streams.agents.app import HopApp
from streams.agents.rollups import NAME
from streams.pipeline import ROLES
from streams.settings import Settings


@pytest.mark.parametrize(("wanted", "agents"), [("true", [NAME]), ("false", [])])
async def test_telemetry_is_counted_where_the_policy_wants_it(
    tmp_path: Path, wanted: str, agents: list[str]
) -> None:
    """Who switched it off would still pay for a second reading of all telemetry."""
    (tmp_path / "policy.yaml").write_text(f"history:\n  count_signals: {wanted}\n")
    app = HopApp.for_role("record", Settings(policy=tmp_path))
    ROLES["record"](app)

    assert [name for name in app.agents if name.endswith(NAME)] == agents
