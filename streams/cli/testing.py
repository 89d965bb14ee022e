"""``tocsin test``: play cases against a policy, and say what was not as its author expected."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter

import click

from streams.backtest.cases import Case, case_files, policy_of, read_cases
from streams.backtest.junit import Result, junit
from streams.backtest.playing import play
from streams.errors import PolicyError, TocsinError
from streams.policy_faults import meant
from streams.policy_files import Problem
from streams.settings import read_settings

#: Exit code where cases were played and one failed.
FAILED = 1
#: Exit code where something could not be played.
UNUSABLE = 2


@click.command("test")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--policy",
    type=click.Path(path_type=Path),
    help="The policy of cases that name none; otherwise the one that the other commands would use.",
)
@click.option("--filter", "chosen_by", default="", help="Play cases whose name holds this text.")
@click.option(
    "--junit",
    "report",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the results to this file, too, as JUnit's XML.",
)
def test(paths: tuple[Path, ...], policy: Path | None, chosen_by: str, report: Path | None) -> None:
    """
    Play the cases of PATHS, files or folders, against their policies.

    The exit code is 0 where everything was as expected, 1 where something was not, 2 where a case or a policy cannot be used.
    """
    files = case_files(paths)
    read = [read_cases(file) for file in files]
    problems = [problem for each in read for problem in each.problems]
    cases = [case for each in read for case in each.cases]
    chosen = [case for case in cases if chosen_by.lower() in case.name.lower()]
    if report is not None and not report.parent.is_dir():
        raise click.UsageError(f"--junit: there is no folder {report.parent}")
    results = [*_unread(problems), *_played(chosen, policy)]
    if report is not None:
        report.write_text(junit(results), encoding="utf-8")
    if not chosen and not problems:
        raise click.UsageError(_nothing(paths, cases, chosen_by))
    passed = sum(each.passed for each in results)
    failed = sum(bool(each.failure) for each in results)
    unusable = len(results) - passed - failed
    seconds = sum(each.seconds for each in results)
    told = f"{passed} passed, {failed} failed" + (
        f", {unusable} cannot be used" if unusable else ""
    )
    click.echo(f"{told} in {seconds:.1f} s")
    if unusable:
        raise SystemExit(UNUSABLE)
    if failed:
        raise SystemExit(FAILED)


def _nothing(paths: Sequence[Path], cases: Sequence[Case], chosen_by: str) -> str:
    if cases:
        return f"no case is called {chosen_by!r}; {meant(chosen_by, [each.name for each in cases])}"
    return f"{', '.join(map(str, paths))}: has no .yaml files with cases"


def _unread(problems: Sequence[Problem]) -> Iterator[Result]:
    by_file: dict[str, list[Problem]] = {}
    for problem in problems:
        by_file.setdefault(problem.file, []).append(problem)
    for file, found in by_file.items():
        found.sort(key=lambda each: each.line)
        lines = [str(each) for each in found]
        told = "\n".join([f"{file} cannot be used:", *(f"  {line}" for line in lines)])
        click.echo(told)
        yield Result(file, Path(file).stem, found[0].line or 1, 0.0, error=told)


def _played(cases: Sequence[Case], policy: Path | None) -> Iterator[Result]:
    #: Why policies cannot be used: of several cases once.
    before: set[str] = set()
    for case in cases:
        began = perf_counter()
        failure = error = ""
        try:
            otherwise = policy or read_settings().policy
            failure = "\n".join(map(str, play(case, policy_of(case, otherwise))))
        except PolicyError as refused:
            error = str(refused)
        except TocsinError as refusal:
            raise click.ClickException(str(refusal)) from None
        told = failure or error
        if error and error in before:
            told = f"{error.partition(chr(10))[0].rstrip(':')}, as told above"
        before.add(error)
        click.echo(f"{'FAIL' if told else 'ok  '}  {case.name}  {case.file}:{case.line}")
        for line in told.splitlines():
            click.echo(f"  {line}")
        yield Result(str(case.file), case.name, case.line, perf_counter() - began, failure, error)
