"""``tocsin schedule``: what is said, what is printed for calendars and policies, how it exits."""

from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
import yaml
from click.testing import CliRunner, Result

from streams.cli.schedule import schedule
from streams.gateways import clock

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
POLICY = """
channels: {pager: {kind: pagerduty, routing_key: a-routing-key}}
people: {ada: {channels: [pager]}, grace: {channels: [pager]}}
schedules:
  primary:
    time_zone: Europe/Berlin
    layers: [{rotation: [ada, grace], begins: "2026-03-02 09:00"}]
  office:
    layers: [{rotation: [ada], begins: "2026-03-02 09:00", hours: {mon-fri: "09:00-17:00"}}]
"""


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    return file


def run(policy: Path, *words: str) -> Result:
    return CliRunner().invoke(schedule, [*words, "--policy", str(policy)])


def test_who_is_on_call_now_and_at_any_time(policy: Path) -> None:
    now = run(policy, "who")
    assert (now.output, now.exit_code) == ("primary: ada\noffice: ada\n", 0)
    # On the schedule's clocks.
    assert run(policy, "who", "primary", "--at", "2026-03-09 08:59:59").output == "primary: ada\n"
    assert run(policy, "who", "primary", "--at", "2026-03-09 09:00").output == "primary: grace\n"
    assert run(policy, "who", "primary", "--at", "2026-03-09T08:00Z").output == "primary: grace\n"


def test_nobody_is_said_and_can_be_told_by_a_script(policy: Path) -> None:
    nobody = run(policy, "who", "--at", "2026-03-03 20:00", "--json")
    assert orjson.loads(nobody.output) == {"primary": "ada", "office": None}
    assert nobody.exit_code == 1
    assert "office: nobody" in run(policy, "who", "--at", "2026-03-03 20:00").output


def test_turns_are_listed(policy: Path) -> None:
    shown = run(policy, "show", "primary", "--from", "2026-03-02 09:00", "--for", "14d")
    assert shown.exit_code == 0
    assert "primary (Europe/Berlin)" in shown.output
    assert "Mon 2026-03-09 09:00" in shown.output
    listed = run(policy, "show", "primary", "--for", "1d", "--json")
    assert orjson.loads(listed.output) == [
        {
            "schedule": "primary",
            "person": "ada",
            "from": "2026-03-02T12:00:00+00:00",
            "until": "2026-03-03T12:00:00+00:00",
        }
    ]


def test_gaps_are_listed_and_can_be_told_by_a_script(policy: Path) -> None:
    none = run(policy, "gaps", "primary")
    assert (none.output, none.exit_code) == ("primary: no gaps\n", 0)
    some = run(policy, "gaps", "--for", "12h")
    assert some.exit_code == 1
    assert "primary: no gaps" in some.output
    assert "Mon 2026-03-02 17:00" in some.output


def test_what_is_exported_can_be_imported_as_a_schedule(policy: Path, tmp_path: Path) -> None:
    file = tmp_path / "primary.ics"
    file.write_text(run(policy, "export", "primary", "--for", "14d").output)
    printed = run(policy, "import", str(file), "--name", "copy", "--time-zone", "Europe/Berlin")
    assert printed.exit_code == 0
    (tmp_path / "copy.yaml").write_text(printed.output)
    read = yaml.safe_load(printed.output)["schedules"]["copy"]["layers"][0]["shifts"]
    assert read[0] == {
        "person": "ada",
        "from": "2026-03-02T12:00:00+00:00",
        "until": "2026-03-09T08:00:00+00:00",
    }
    for at in ("2026-03-09 08:59:59", "2026-03-09 09:00"):
        original = run(policy, "who", "primary", "--at", at).output
        assert run(tmp_path, "who", "copy", "--at", at).output == original.replace(
            "primary", "copy"
        )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["who", "primry"],
            "Error: 'primry' is not defined under schedules; did you mean 'primary'?",
        ),
        (
            ["who", "primary", "--at", "tomorrow"],
            "Error: --at: 'tomorrow' is no date and time: write 2026-01-05 09:00, or with an offset 2026-01-05T09:00+01:00",
        ),
        (
            ["who", "primary", "--at", "0001-01-01"],
            "Error: --at: '0001-01-01' is not in the years 1900 to 9000",
        ),
        (
            ["gaps", "primary", "--for", "0d"],
            "Error: --for: '0d' is no time at all: write a longer one, such as 28d",
        ),
        (
            ["show", "primary", "--for", "long"],
            "Error: --for: 'long' is not a duration: write a number and a unit, such as 30s, 5m, 1h or 7d",
        ),
    ],
)
def test_a_wrong_word_is_answered_with_what_would_be_right(
    policy: Path, words: list[str], said: str
) -> None:
    result = run(policy, *words)
    assert result.exit_code != 0
    assert result.output.strip().splitlines()[-1] == said


def test_an_import_says_what_is_wrong_with_the_file(policy: Path, tmp_path: Path) -> None:
    file = tmp_path / "x.ics"
    file.write_text("no calendar")
    result = run(policy, "import", str(file), "--name", "x")
    assert result.output == (
        f"Error: {file} is no iCalendar that can be read (ValueError); such a file begins with BEGIN:VCALENDAR\n"
    )
    result = run(policy, "import", str(file), "--name", "x", "--time-zone", "Berlin")
    assert "--time-zone: 'Berlin' is no time zone" in result.output
    event = "BEGIN:VEVENT\nUID:{0}\nSUMMARY:{0}\nDTSTART:20260303T080000Z\nDTEND:20260304T080000Z\nEND:VEVENT\n"
    events = event.format("ada") + event.format("grace")
    file.write_text(f"BEGIN:VCALENDAR\nVERSION:2.0\n{events}END:VCALENDAR\n")
    result = run(policy, "import", str(file), "--name", "x")
    assert "has two shifts at 2026-03-03 08:00:00+00:00 in one layer" in result.output
