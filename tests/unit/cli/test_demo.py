"""``tocsin demo``: its last line and its exit code. What happens before is played by the test."""

import asyncio
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from streams.cli.bench import bench
from streams.cli.demo import demo
from streams.cli.up import up
from streams.errors import TocsinError
from streams.laptop.demo import performance
from streams.laptop.demo.story import Ending, answer_in
from streams.laptop.demo.telling import Telling

ENDING = Ending("INC-2026-03-01-001", "3.1", "3.9", notices=10, rows=27)
LAST = "demo: ok incident=INC-2026-03-01-001 detected_in=3.1s paged_in=3.9s notices=10 rows=27"


def run(monkeypatch: pytest.MonkeyPatch, end: Any, *arguments: str) -> Result:
    async def perform(
        broker: str, *, telling: Telling, keep: Callable[[Ending], None] | None
    ) -> Ending:
        telling.said(f"with {broker}")
        if keep is not None:
            keep(ENDING)
        if isinstance(end, BaseException):
            raise end
        return end

    monkeypatch.setattr(performance, "perform", perform)
    return CliRunner().invoke(demo, list(arguments))


def test_the_last_line_says_how_it_went(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise whoever runs it in CI would have to read all of it."""
    result = run(monkeypatch, ENDING, "--broker", "wheel")
    assert result.exit_code == 0
    first, last = result.stdout.splitlines()
    assert first.endswith("✓ with wheel")
    assert last == LAST


def test_a_failure_is_the_last_line_with_its_details_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise it would be buried in what a part wrote when it died."""
    error = TocsinError("`tocsin up` to run, it ended with code 1\n  up: port taken")
    result = run(monkeypatch, error)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[1:] == [
        "  up: port taken",
        "demo: failed expected `tocsin up` to run, it ended with code 1",
    ]


@pytest.mark.parametrize("command", [demo, up, bench.get_command(None, "idle")])
def test_a_mistyped_broker_is_said_once_before_anything_starts(command: Any) -> None:
    """It was said three times, after the stage had been set."""
    result = CliRunner().invoke(command, ["--broker", "apach"])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.splitlines()[-1] == (
        "Error: --broker: 'apach' is neither auto, apache, wheel nor an address HOST:PORT; did you mean 'apache'?"
    )


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), asyncio.CancelledError()])
def test_an_interruption_is_a_failure_until_the_story_is_told(
    monkeypatch: pytest.MonkeyPatch, interruption: BaseException
) -> None:
    """Otherwise half a demo would count as one, or Ctrl-C after --keep as a failure."""
    result = run(monkeypatch, interruption)
    assert result.exit_code == 130
    assert result.stdout.splitlines()[-1] == (
        "demo: failed expected to be played to the end, was interrupted"
    )
    kept = run(monkeypatch, interruption, "--keep")
    assert kept.exit_code == 0
    assert kept.stdout.splitlines()[-1] == LAST


def test_a_fault_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a bug of the demo would look like a failed expectation."""
    assert isinstance(run(monkeypatch, LookupError("a bug")).exception, LookupError)


def test_what_is_told_is_plain_where_nobody_watches() -> None:
    """Otherwise logs would be full of control characters, and hostile text could paint."""
    out = StringIO()
    telling = Telling(Console(file=out, highlight=False, width=40))
    telling.chapter("A [bold]chapter[/bold]")
    with telling.waiting("something"):
        telling.said("a line that is longer than the forty columns that there are", good=False)
    telling.quoted("  [red]as it is[/red]\n\n")
    said = out.getvalue()
    assert said.startswith("\nA [bold]chapter[/bold]\n")
    assert said.endswith("  [red]as it is[/red]\n")
    assert "· a line that is longer than the forty columns that there are\n" in said
    assert "\x1b" not in said


@pytest.mark.parametrize("output", ["", "Error: no broker", "[1]", '"done"'])
def test_an_answer_that_is_no_document_is_no_answer(output: str) -> None:
    """Otherwise a command that failed would end the demo in a traceback."""
    assert answer_in(output) == {}
