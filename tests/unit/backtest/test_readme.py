"""The example in the format's description is played as it stands."""

import re
from pathlib import Path

from streams.backtest.cases import EXPECTED, Expectation, policy_of, read_cases
from streams.backtest.inputs import Input
from streams.backtest.playing import play

TEXT = Path("streams/backtest/README.md").read_text(encoding="utf-8")
POLICY = """
rules: [{name: busy, kind: threshold, metric: load, threshold: "${LIMIT}", for: 30s, severity: 2}]
channels: {chat: {kind: slack, url: "http://127.0.0.1:1"}}
routes: [{channels: [chat]}]
"""


def test_the_example_holds(tmp_path: Path) -> None:
    """The first case that somebody copies would not work."""
    (example,) = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.yaml").write_text(POLICY)
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "a.yaml").write_text(example)
    read = read_cases(tmp_path / "cases" / "a.yaml")
    assert read.problems == []
    (case,) = read.cases
    assert play(case, policy_of(case, tmp_path)) == []


def test_everything_that_can_happen_and_be_expected_is_described() -> None:
    """Nobody would find it."""
    inputs, expectations = (
        [
            word
            for line in re.findall(r"^\| (`.+?) \|", part, re.MULTILINE)
            for word in re.findall(r"`(\w+)`", line)
        ]
        for part in TEXT.split("**Expectations**")
    )
    assert inputs == [name for name in Input.model_fields if name != "at"]
    assert expectations == [*EXPECTED]
    assert {"at", *EXPECTED} == Expectation.model_fields.keys()
