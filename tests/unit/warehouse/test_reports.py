"""Every report keeps the promises of its folder."""

import re
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import ValidationError
from rich.console import Console

from streams.cli.moments import when
from streams.cli.report import declared_reports, report
from streams.discovery import example_of
from streams.warehouse.answers import cleaned
from streams.warehouse.report import Account, Column, Report, Shape, Table
from streams.warehouse.reports.mttr import Mttr
from streams.warehouse.reports.sla import Sla
from streams.warehouse.reports.trends import Trends
from streams.warehouse.terminal import as_table
from streams.warehouse.wording import duration, shown
from streams.warehouse.writing import as_csv, as_json

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
    hostile = "' OR 1 -- {x:String}"
    asked = {
        name: hostile if name in {"service", "team", "tenant"} else value
        for name, value in example.items()
    }
    for question in kind(**asked).questions().values():
        assert hostile not in question.statement
        wanted = set(re.findall(r"\{(\w+):", question.statement))
        assert wanted <= set(question.parameters)
        assert "{where}" not in question.statement
        assert "{chosen}" not in question.statement


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


TABLE = Table(
    "severities",
    "How long",
    (
        Column("severity", "severity", Shape.COUNT),
        Column("measure", "measure"),
        Column("mean_seconds", "mean", Shape.SECONDS),
    ),
    [
        {"severity": 1, "measure": "TTD", "mean_seconds": 4.25, "percentiles": [1.0]},
        {"severity": 2, "measure": "[b]=1+1[/b]", "mean_seconds": None, "percentiles": []},
    ],
)


def test_a_report_as_a_table() -> None:
    """A person reads it at three in the morning; a hostile text is no markup."""
    paper = StringIO()
    Console(width=100, file=paper).print(as_table(TABLE))

    lines = [" ".join(line.split()) for line in paper.getvalue().splitlines()]
    assert "1 TTD 4.2 s" in lines
    assert "2 [b]=1+1[/b] -" in lines


def test_no_day_and_no_figure_is_cut_on_a_terminal_of_eighty_columns() -> None:
    """A day that reads 2026… is no day."""
    figures = [f"column {each}" for each in range(9)]
    columns = (Column("day", "day"), *(Column(name, name, Shape.COUNT) for name in figures))
    row = {"day": "2026-11-25"} | dict.fromkeys(figures, 1_000_000)
    paper = StringIO()
    Console(width=80, file=paper).print(as_table(Table("days", "By day", columns, (row,))))

    assert "…" not in paper.getvalue()


def test_a_report_for_programs() -> None:
    """Programs read values, not words."""
    asked = Mttr(since=NOON, until=NOON + timedelta(days=1), severity=(1,))
    text = as_json(asked, Account((TABLE,)))

    assert '"report": "mttr"' in text
    assert '"since": "2024-03-01T12:00:00Z"' in text
    assert '"mean_seconds": 4.25' in text
    assert "percentiles" not in text
    assert as_csv(TABLE) == "severity,measure,mean_seconds\r\n1,TTD,4.25\r\n2,[b]=1+1[/b],\r\n"


def test_a_spreadsheet_runs_nothing_of_a_table() -> None:
    """A summary that begins with ``=`` would be a formula."""
    table = Table("t", "t", (Column("what", "what"),), [{"what": "=HYPERLINK(1)"}])
    assert as_csv(table) == "what\r\n'=HYPERLINK(1)\r\n"


def test_the_mean_of_nothing_is_nothing() -> None:
    """``nan`` is no number in JSON, and no word in a table."""
    assert cleaned([{"mean": float("nan"), "count": 0}]) == [{"mean": None, "count": 0}]


@pytest.mark.parametrize(
    ("value", "shape", "text"),
    [
        (1234567, Shape.COUNT, "1,234,567"),
        (0.9994, Shape.SHARE, "99.9 %"),
        (-0.25, Shape.CHANGE, "-25 %"),
        (0.25, Shape.CHANGE, "+25 %"),
        (2.345, Shape.NUMBER, "2.3"),
        (NOON, Shape.MOMENT, "2024-03-01 12:00"),
        (NOON.date(), Shape.MOMENT, "2024-03-01"),
        (None, Shape.SECONDS, "-"),
        (90, Shape.SECONDS, "1 min 30 s"),
    ],
)
def test_values_are_shown_as_people_write_them(value: Any, shape: Shape, text: str) -> None:
    """Nobody reads 0.9994 as a share."""
    assert shown(value, shape) == text


@pytest.mark.parametrize(
    ("period", "until", "begin", "end"),
    [
        ("week", datetime(2024, 3, 6, 9, tzinfo=UTC), (2024, 2, 29), (2024, 3, 7)),
        ("week", datetime(2024, 3, 6, tzinfo=UTC), (2024, 2, 28), (2024, 3, 6)),
        ("month", datetime(2024, 3, 31, 23, 59, tzinfo=UTC), (2024, 3, 2), (2024, 4, 1)),
        ("quarter", datetime(2024, 3, 6, 9, tzinfo=UTC), (2023, 12, 11), (2024, 3, 11)),
        ("year", datetime(2024, 2, 29, tzinfo=UTC), (2023, 3, 1), (2024, 3, 1)),
        ("year", datetime(2024, 3, 1, tzinfo=UTC), (2023, 3, 1), (2024, 3, 1)),
    ],
)
def test_a_period_is_whole_days_weeks_or_months(
    period: Any, until: datetime, begin: tuple[int, ...], end: tuple[int, ...]
) -> None:
    """Half a day at one end would look like a quiet day."""
    assert Trends(period=period, until=until).window == (
        datetime(*begin, tzinfo=UTC),
        datetime(*end, tzinfo=UTC),
    )


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
                "From then on: 7d, 12h, or an ISO 8601 time; 30d where nothing is said.\n"
            ),
        ),
        (
            ["--severity", "1", "--severity", "5"],
            (
                "Error: --severity: '5' cannot be used. "
                "Only incidents of this severity, 1 to 4; can be repeated.\n"
            ),
        ),
        (
            ["--since", "2024-03-02", "--until", "2024-03-01"],
            (
                "Error: --since: 2024-03-02T00:00:00+00:00 is not before --until, "
                "2024-03-01T00:00:00+00:00: name an earlier one\n"
            ),
        ),
        (
            ["--since", "2024-03-01", "--until", "2024-03-01"],
            (
                "Error: --since: 2024-03-01T00:00:00+00:00 is not before --until, "
                "2024-03-01T00:00:00+00:00: name an earlier one\n"
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
    assert when("7d", NOON) == NOON - timedelta(days=7)
    assert when("90m", NOON) == NOON - timedelta(minutes=90)
    assert when("2024-03-01T12:00", NOON) == NOON
    assert when("2024-03-01T14:00:00+02:00", NOON) == NOON
    assert when("999999w", NOON) == "999999w"


def test_a_section_without_a_statement_is_put_together(kind: type[Report]) -> None:
    """A table that nobody asks for would be missing on the day it is needed."""
    asked = kind(**example_of(kind))
    own_rows = kind.rows is not Report.rows

    assert [it.name for it in asked.sections() if it.statement is None] == [] or own_rows
    assert {it.name for it in asked.sections() if it.statement} <= set(asked.questions())


def test_the_item_that_is_kept_least_is_named_where_there_is_enough_to_judge() -> None:
    """A team would automate what it does, and leave what it forgets."""

    def item(name: str, in_time: int, late: int, never: int) -> dict[str, Any]:
        judged = in_time + late + never
        return {
            "item": name,
            "in_time": in_time,
            "late": late,
            "never": never,
            "compliance": in_time / judged if judged else None,
        }

    items = [
        item("commander", 9, 1, 0),
        item("channel", 2, 1, 2),
        item("impact", 0, 0, 4),
        item("x", 0, 0, 0),
    ]
    asked = Sla(since=NOON - timedelta(days=7), until=NOON)
    [advice] = asked.recommendations({"severities": [], "missed": [], "checklist": items})
    assert (advice.advice.partition(",")[0], advice.because) == (
        "Let channel be done by itself",
        "2 of 5 in time (40 %)",
    )
    kept = [item("commander", 9, 1, 0)]
    assert not [*asked.recommendations({"severities": [], "missed": [], "checklist": kept})]
