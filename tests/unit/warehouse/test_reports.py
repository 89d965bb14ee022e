"""Every report keeps the promises of its folder."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import ValidationError
from rich.console import Console

from streams.cli.report import as_table, as_text, declared_reports, duration, moment, report
from streams.discovery import example_of
from streams.warehouse.report import Report
from streams.warehouse.reports.mttr import Mttr

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(params=list(declared_reports()), ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> type[Report]:
    found: type[Report] = request.param
    return found


@pytest.fixture
def example(kind: type[Report]) -> dict[str, Any]:
    return example_of(kind)


def test_the_example_is_valid_and_sets_everything(
    kind: type[Report], example: dict[str, Any]
) -> None:
    """An author copies it."""
    assert kind(**example)
    assert set(example) == set(kind.model_fields)


def test_values_travel_as_parameters(kind: type[Report], example: dict[str, Any]) -> None:
    """A service named ``' OR 1`` would be a statement."""
    question = kind(**example).question()

    assert set(question.parameters) == set(example)
    for name in example:
        assert f"{{{name}:" in question.statement
    assert "checkout" not in question.statement


def test_no_settings_ask_for_everything(kind: type[Report]) -> None:
    """`tocsin report NAME` alone must answer."""
    question = kind().question()

    assert question.parameters == {}
    assert "{" not in question.statement


def test_unknown_settings_are_refused(kind: type[Report]) -> None:
    """A typing error would widen the report in silence."""
    with pytest.raises(ValidationError):
        kind.model_validate({"servce": "api"})


def test_each_setting_is_an_option_with_help(kind: type[Report]) -> None:
    """Nobody finds an option without help."""
    shown = CliRunner().invoke(report, [kind.name, "--help"]).output

    for name, setting in kind.model_fields.items():
        assert f"--{name}" in shown
        assert setting.description


def row(severity: int, measure: str, seconds: float | None) -> dict[str, Any]:
    return {
        "severity": severity,
        "severity_name": "critical" if severity == 1 else "high",
        "measure": measure,
        "incidents": 3,
        "counted": 0 if seconds is None else 2,
        "mean_seconds": seconds,
        "p50_seconds": seconds,
        "p90_seconds": seconds,
    }


def test_a_report_as_a_table() -> None:
    """A person reads it at three in the morning."""
    paper = StringIO()
    Console(width=100, file=paper).print(
        as_table(Mttr(), [row(1, "TTD", 4.25), row(1, "TTA", None), row(2, "TTD", 3700)])
    )

    lines = [" ".join(line.split()) for line in paper.getvalue().splitlines()]
    assert "│ 1 │ critical │ TTD │ 3 │ 2 │ 4.2 s │ 4.2 s │ 4.2 s │" in lines
    assert "│ 1 │ critical │ TTA │ 3 │ 0 │ - │ - │ - │" in lines
    assert "│ 2 │ high │ TTD │ 3 │ 2 │ 1 h 01 min │ 1 h 01 min │ 1 h 01 min │" in lines


def test_a_report_as_json() -> None:
    """Programs read it."""
    text = as_text(Mttr(since=NOON, severity=(1,)), [row(1, "TTD", 4.25)])

    assert '"report": "mttr"' in text
    assert '"since": "2024-03-01T12:00:00Z"' in text
    assert '"mean_seconds": 4.25' in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (59.94, "59.9 s"),
        (60, "1 min 00 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 00 min"),
        (86_399, "23 h 59 min"),
        (86_400, "1 d 00 h"),
        (59.96, "1 min 00 s"),
        (3599.6, "1 h 00 min"),
    ],
)
def test_durations_have_two_units(seconds: float, text: str) -> None:
    """``60.0 s`` and ``60 min`` are no durations."""
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--since", "blue"],
            (
                "Error: --since: 'blue' cannot be used. "
                "Only incidents detected then or later: 7d, 12h, or an ISO 8601 time.\n"
            ),
        ),
        (
            ["--severity", "1", "--severity", "5"],
            (
                "Error: --severity: '5' cannot be used. "
                "Only incidents of this severity, 1 to 4; can be repeated.\n"
            ),
        ),
    ],
)
def test_wrong_options_are_named(options: list[str], message: str) -> None:
    """A report over the wrong time is worse than none."""
    result = CliRunner().invoke(report, ["mttr", *options])

    assert result.exit_code == 2
    assert result.output.endswith(message)


def test_since_takes_durations_and_times() -> None:
    """People say seven days; scripts say when."""
    assert moment("7d", NOON) == NOON - timedelta(days=7)
    assert moment("90m", NOON) == NOON - timedelta(minutes=90)
    assert moment("2024-03-01T12:00", NOON) == NOON
    assert moment("2024-03-01T14:00:00+02:00", NOON) == NOON
    assert moment("999999w", NOON) == "999999w"
