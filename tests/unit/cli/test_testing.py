"""`tocsin test`: a line for each case, what differs below it, and exit codes for CI."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from streams.cli.testing import test as command

POLICY = "rules: [{name: busy, kind: threshold, metric: load, threshold: 5, severity: 2}]\n"
CASES = """
policy: rules
inputs: [{at: 1s, metric: {service: shop, name: load, value: 9}}]
expect: [{at: 0s, firing: []}, {at: 1s, firing: [busy]}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.yaml").write_text(POLICY)
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "good.yaml").write_text(
        CASES.replace("policy: rules", "policy: ../rules")
    )
    return tmp_path


def played(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(each) for each in arguments])


def told(result: Result, folder: Path) -> str:
    """What was printed, with a time that is always the same."""
    plain = re.sub(r"in \d+\.\d s", "in 0.0 s", result.stdout.replace(f"{folder}/", ""))
    # What a kind remembers is its own affair.
    return re.sub(r"remembers .+", "remembers …", plain)


def test_cases_that_hold_are_a_line_each(folder: Path) -> None:
    result = played(folder / "cases")
    assert told(result, folder) == ("ok    good  cases/good.yaml:2\n1 passed, 0 failed in 0.0 s\n")
    assert result.exit_code == 0


def test_a_case_that_does_not_hold_is_told_and_the_exit_code_is_1(folder: Path) -> None:
    """A changed rule would pass CI."""
    bad = (folder / "cases" / "good.yaml").read_text().replace("value: 9", "value: 5")
    (folder / "cases" / "bad.yaml").write_text(bad)
    result = played(folder / "cases")
    assert told(result, folder) == (
        "FAIL  bad  cases/bad.yaml:2\n"
        "  at 1s: firing\n"
        "    - busy: expected, does not fire\n"
        "        shop/production: quiet; last heard at 1s\n"
        "        nearest at 1s: 5 is not what the rule finds: metric load, threshold 5\n"
        "ok    good  cases/good.yaml:2\n"
        "1 passed, 1 failed in 0.0 s\n"
    )
    assert result.exit_code == 1


def test_a_file_or_a_policy_that_cannot_be_used_is_told_and_the_exit_code_is_2(
    folder: Path,
) -> None:
    """Cases that nobody plays are worse than none."""
    (folder / "cases" / "bad.yaml").write_text("inputs: []\nexpct: []\n")
    (folder / "cases" / "none.yaml").write_text(
        "policy: {rulez: []}\nexpect: [{at: 0s, firing: []}]"
    )
    result = played(folder / "cases")
    assert told(result, folder) == (
        "cases/bad.yaml cannot be used:\n"
        "  cases/bad.yaml:2: expct: is not known here; did you mean 'expect'?\n"
        "ok    good  cases/good.yaml:2\n"
        "FAIL  none  cases/none.yaml:1\n"
        "  the policy of cases/none.yaml cannot be used:\n"
        "    cases/none.yaml:1: rulez: is no part of a policy; did you mean 'rules'?\n"
        "1 passed, 0 failed, 2 cannot be used in 0.0 s\n"
    )
    assert result.exit_code == 2


def test_cases_are_chosen_by_name(folder: Path) -> None:
    """Somebody who works on one rule would wait for all."""
    (folder / "cases" / "other.yaml").write_text("expect: [{at: 0s, firing: [busy]}]")
    assert played(folder / "cases", "--filter", "GOO").stdout.count("good") == 2
    nothing = played(folder / "cases", "--filter", "god")
    assert nothing.stderr.endswith("Error: no case is called 'god'; did you mean 'good'?\n")
    assert nothing.exit_code == 2


def test_nothing_to_play_is_said(folder: Path) -> None:
    """A mistyped folder would be a success."""
    (folder / "empty").mkdir()
    result = played(folder / "empty")
    assert result.stderr.endswith(f"Error: {folder}/empty: has no .yaml files with cases\n")
    assert result.exit_code == 2
    gone = played(folder / "gone")
    assert told(gone, folder).startswith(
        "gone cannot be used:\n  gone: cannot be read: No such file"
    )
    assert gone.exit_code == 2


def test_cases_that_name_no_policy_get_the_one_of_the_option(folder: Path) -> None:
    """The same cases could not be played against the next policy."""
    (folder / "case.yaml").write_text(CASES.replace("policy: rules\n", ""))
    assert played(folder / "case.yaml", "--policy", folder / "rules").exit_code == 0
    monkey = played(folder / "case.yaml", "--policy", "deploy/policy")
    assert "the policy has no rule 'busy'" in monkey.stdout


def test_the_report_for_ci_says_the_same(folder: Path) -> None:
    """CI would show a red build without a word."""
    bad = (folder / "cases" / "good.yaml").read_text().replace("value: 9", "value: 5")
    (folder / "cases" / "bad.yaml").write_text(bad)
    (folder / "cases" / "unread.yaml").write_text("expct: [<>&]")
    played(folder / "cases", "--junit", folder / "report.xml")
    root = ET.fromstring((folder / "report.xml").read_text())  # noqa: S314 - our own
    assert {**root.attrib, "time": ""} == {"tests": "3", "failures": "1", "errors": "1", "time": ""}
    cases = {case.get("name"): case for case in root.iter("testcase")}
    assert list(cases["good"]) == []
    (failure,) = cases["bad"]
    assert (failure.tag, failure.get("message")) == ("failure", "at 1s: firing")
    assert str(failure.text).startswith(f"{folder}/cases/bad.yaml:2\nat 1s: firing\n")
    assert "- busy: expected, does not fire" in str(failure.text)
    (error,) = cases["unread"]
    assert error.tag == "error"
    assert "did you mean 'expect'?" in str(error.text)


def test_a_report_that_cannot_be_written_is_told_before_anything_is_played(folder: Path) -> None:
    """Minutes of play would end in a traceback."""
    result = played(folder / "cases", "--junit", folder / "nowhere" / "report.xml")
    assert result.stdout == ""
    assert result.stderr.endswith(f"Error: --junit: there is no folder {folder}/nowhere\n")
    assert result.exit_code == 2


def test_a_policy_that_cannot_be_used_is_told_once_for_all_cases(folder: Path) -> None:
    """Ten cases would say the same ten times."""
    (folder / "cases" / "good.yaml").write_text(
        "policy: {rulez: []}\n"
        "cases:\n"
        "  - {name: one, expect: [{at: 0s, firing: []}]}\n"
        "  - {name: two, expect: [{at: 0s, firing: []}]}\n"
    )
    result = played(folder / "cases")
    assert told(result, folder) == (
        "FAIL  good/one  cases/good.yaml:3\n"
        "  the policy of cases/good.yaml cannot be used:\n"
        "    cases/good.yaml:1: rulez: is no part of a policy; did you mean 'rules'?\n"
        "FAIL  good/two  cases/good.yaml:4\n"
        "  the policy of cases/good.yaml cannot be used, as told above\n"
        "0 passed, 0 failed, 2 cannot be used in 0.0 s\n"
    )
    assert result.exit_code == 2


def test_a_policy_that_is_nowhere_is_told_with_where_it_was_looked_for(folder: Path) -> None:
    (folder / "cases" / "good.yaml").write_text(CASES.replace("policy: rules", "policy: ../rulez"))
    assert told(played(folder / "cases"), folder) == (
        "FAIL  good  cases/good.yaml:2\n"
        "  there is no policy '../rulez': neither beside good.yaml, nor where the command is typed\n"
        "0 passed, 0 failed, 1 cannot be used in 0.0 s\n"
    )
