import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from streams.cli.schemas import schemas

METRIC = "tocsin.telemetry.metric.v1.schema.json"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    assert CliRunner().invoke(schemas, ["--folder", str(tmp_path)]).exit_code == 0
    return tmp_path


def test_what_was_written_is_up_to_date(folder: Path) -> None:
    """CI would fail on what a developer has just written."""
    result = CliRunner().invoke(schemas, ["--folder", str(folder), "--check"])
    assert (result.exit_code, result.output) == (
        0,
        f"{folder}: up to date, {len([*folder.iterdir()])} files\n",
    )


def test_a_file_that_is_behind_is_named_and_not_touched(folder: Path) -> None:
    """A change would be published that nobody saw."""
    behind = (folder / METRIC).read_text().replace("One measured value.", "A value.")
    (folder / METRIC).write_text(behind)
    result = CliRunner().invoke(schemas, ["--folder", str(folder), "--check"])
    assert result.exit_code == 1
    assert result.output == (
        f"Error: {folder} is not up to date ({METRIC}): run `tocsin schemas`\n"
    )
    assert (folder / METRIC).read_text() == behind


def test_a_breaking_change_is_published_by_force_only(folder: Path) -> None:
    """Yesterday's producers would end as dead letters without warning."""
    before = json.loads((folder / METRIC).read_text())
    before["properties"]["rack"] = {"type": "string"}
    before["properties"]["name"]["maxLength"] = 500
    (folder / METRIC).write_text(json.dumps(before))

    refused = CliRunner().invoke(schemas, ["--folder", str(folder)])

    assert refused.exit_code == 1
    assert refused.output == (
        "Error: these changes would break who reads or writes these messages:\n"
        "  tocsin.telemetry.metric.v1: name: maxLength was 500 and is 128\n"
        "  tocsin.telemetry.metric.v1: rack: is gone, and the previous release may need it\n"
        "add a field with a default instead, or make a new class on a new topic\n"
        "(--force publishes all the same)\n"
    )
    assert "rack" in (folder / METRIC).read_text()
    forced = CliRunner().invoke(schemas, ["--folder", str(folder), "--force"])
    assert (forced.exit_code, forced.output) == (
        0,
        f"{folder}: 1 of {len([*folder.iterdir()])} files written\n",
    )
    assert "rack" not in (folder / METRIC).read_text()
