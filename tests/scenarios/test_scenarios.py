"""Scenarios: each YAML file of this folder is one or more cases for ``tocsin test``, played as that plays them."""

from pathlib import Path

import pytest

from streams.backtest.cases import Case, case_files, policy_of, read_cases
from streams.backtest.playing import play

READ = [read_cases(file) for file in case_files([Path(__file__).parent])]
CASES = [case for each in READ for case in each.cases]


def test_every_scenario_can_be_read() -> None:
    """One that cannot would not be played, and nobody would know."""
    assert [str(problem) for each in READ for problem in each.problems] == []
    assert len(CASES) >= len(READ) >= 4


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_scenario(case: Case) -> None:
    assert play(case, policy_of(case, Path("deploy/policy"))) == []
