"""`tocsin check`: one line when all is well, all problems and exit code 1 otherwise."""

import json

from click.testing import CliRunner

from streams.cli.check import check


def test_a_usable_policy_is_one_line(tmp_path):
    (tmp_path / "a.yaml").write_text(
        "rules: [{name: a, kind: health, severity: 1}]\n"
        "probes: [{name: A, service: s, url: 'http://127.0.0.1:1'}]\n"
    )
    result = CliRunner().invoke(check, [str(tmp_path)])
    assert result.output == f"{tmp_path}: ok, 1 rule, 0 channels, 0 routes, 1 probe\n"
    assert result.exit_code == 0


def test_all_problems_are_said_and_the_exit_code_is_1(tmp_path):
    (tmp_path / "a.yaml").write_text("rulez: []\nprobez: []\n")
    result = CliRunner().invoke(check, [str(tmp_path)])
    assert result.stderr == (
        f"{tmp_path} cannot be used:\n"
        "  a.yaml:1: rulez: is no part of a policy; did you mean 'rules'?\n"
        "  a.yaml:2: probez: is no part of a policy; did you mean 'probes'?\n"
    )
    assert result.stdout == ""
    assert result.exit_code == 1


def test_without_a_path_it_is_the_policy_of_the_settings(tmp_path, monkeypatch):
    (tmp_path / "a.yaml").write_text("incidents: {}\n")
    monkeypatch.setenv("TOCSIN_POLICY", str(tmp_path))
    result = CliRunner().invoke(check, [])
    assert result.output == f"{tmp_path}: ok, 0 rules, 0 channels, 0 routes, 0 probes\n"


DOUBTFUL = "rules: [{name: a, kind: log_pattern, level: info, severity: 1}]\n"
WARNING = (
    "a.yaml:1: rules[0].level: every record from this level on counts, good news too; add a pattern"
)


def test_warnings_are_said_and_only_strict_fails(tmp_path):
    """A gate that cannot be closed step by step is not used."""
    (tmp_path / "a.yaml").write_text(DOUBTFUL)
    result = CliRunner().invoke(check, [str(tmp_path)])
    assert result.stdout == f"{tmp_path}: ok, 1 rule, 0 channels, 0 routes, 0 probes, 1 warning\n"
    assert result.stderr == f"  warning: {WARNING}\n"
    assert result.exit_code == 0
    assert CliRunner().invoke(check, [str(tmp_path), "--strict"]).exit_code == 1


def test_warnings_stand_below_what_is_wrong(tmp_path):
    """Otherwise they would be found out one deploy later."""
    (tmp_path / "a.yaml").write_text(DOUBTFUL + "rulez: []\n")
    result = CliRunner().invoke(check, [str(tmp_path)])
    assert result.stderr == (
        f"{tmp_path} cannot be used:\n"
        "  a.yaml:2: rulez: is no part of a policy; did you mean 'rules'?\n"
        f"  warning: {WARNING}\n"
    )
    assert result.exit_code == 1


def test_a_machine_reads_the_same(tmp_path):
    """CI would have to parse sentences."""
    (tmp_path / "a.yaml").write_text(DOUBTFUL + "rulez: []\n")
    result = CliRunner().invoke(check, [str(tmp_path), "--format", "json"])
    assert json.loads(result.stdout) == {
        "policy": str(tmp_path),
        "usable": False,
        "counts": {},
        "errors": [
            {
                "file": "a.yaml",
                "line": 2,
                "place": "rulez",
                "text": "is no part of a policy; did you mean 'rules'?",
            }
        ],
        "warnings": [
            {
                "file": "a.yaml",
                "line": 1,
                "place": "rules[0].level",
                "text": WARNING.partition("level: ")[2],
            }
        ],
    }
    assert result.exit_code == 1
    (tmp_path / "a.yaml").write_text("incidents: {}\n")
    said = json.loads(CliRunner().invoke(check, [str(tmp_path), "--format", "json"]).stdout)
    assert said["usable"] is True
    assert said["counts"] == {"rules": 0, "channels": 0, "routes": 0, "probes": 0}
