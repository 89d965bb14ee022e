"""`tocsin check`: one line when all is well, all problems and exit code 1 otherwise."""

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
