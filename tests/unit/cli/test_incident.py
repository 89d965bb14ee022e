"""``tocsin incident``: what is sent, what is said, how it exits. The broker is not there; a recorder is."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from schemas.alerts import AlertState
from schemas.commands import Command, CommandV1
from schemas.lifecycle import AttachedAlert, IncidentV1, Status, StepKind, StepV1
from streams.cli import incident as under_test
from streams.cli import reporting
from streams.cli.reporting import read_report
from streams.errors import Unavailable
from streams.gateways.incidents import Done, Refused, Unanswered
from streams.settings import Settings

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
ID = "INC-2026-03-01-001"
OTHER = "INC-2026-03-01-002"


def incident(**changes: Any) -> IncidentV1:
    values: dict[str, Any] = {
        "occurred_at": AT,
        "incident_id": ID,
        "sequence": 2,
        "status": Status.INVESTIGATING,
        "severity": 1,
        "severity_first": 1,
        "severity_peak": 1,
        "summary": "Database [bold]is down",
        "service": "shop",
        "services": ("shop",),
        "group_key": "shop/production",
        "alerts": (
            AttachedAlert(
                fingerprint="0123456789abcdef",
                sequence=1,
                state=AlertState.FIRING,
                rule="health",
                severity=1,
                service="shop",
                summary="Database is down",
                since=AT,
                changed_at=AT,
            ),
        ),
        "alert_count": 1,
        "firing_count": 1,
        "started_at": AT,
        "detected_at": AT + timedelta(seconds=3),
    }
    return IncidentV1(**{**values, **changes})


def step(kind: StepKind = StepKind.ACKNOWLEDGED, **changes: Any) -> StepV1:
    values: dict[str, Any] = {
        "occurred_at": AT + timedelta(seconds=9),
        "step_id": f"{ID}.2",
        "incident_id": ID,
        "sequence": 2,
        "kind": kind,
        "author": "operator",
        "source": "cli",
        "reason": "acknowledged by operator",
        "trigger_id": "c-1",
        "before": Status.INVESTIGATING,
        "incident": incident(),
    }
    return StepV1(**{**values, **changes})


@dataclass
class Pipeline:
    """Stands for the broker and the incidents hop behind it."""

    asked: list[Command] = field(default_factory=list)
    within: list[timedelta] = field(default_factory=list)
    answer: Any = field(default_factory=lambda: Done(step()))
    incidents: list[IncidentV1] = field(default_factory=list)
    steps: list[StepV1] = field(default_factory=list)

    async def ask(self, _: Settings, command: Command, *, source: str, within: timedelta) -> Any:
        assert source == "cli"
        # As the incidents hop will read it.
        self.asked.append(CommandV1.from_wire(command.to_wire()))
        self.within.append(within)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def current(self, _: Settings, *, tenant: str | None = None) -> list[IncidentV1]:
        return [each for each in self.incidents if tenant in {None, each.tenant}]

    async def timeline(self, _: Settings, of: IncidentV1) -> list[StepV1]:
        return [each for each in self.steps if each.incident_id == of.incident_id]


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    made = Pipeline()
    monkeypatch.setattr(under_test.incidents, "ask", made.ask)
    monkeypatch.setattr(under_test.incidents, "current", made.current)
    monkeypatch.setattr(under_test.incidents, "timeline", made.timeline)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("TOCSIN_AUTHOR", raising=False)
    return made


def run(*arguments: str) -> Result:
    return CliRunner().invoke(under_test.incident, list(arguments))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["ack", ID], {"action": "acknowledge"}),
        (
            ["assign", ID, "on-call"],
            {"action": "assign", "assignee": "on-call", "role": "commander"},
        ),
        (
            ["assign", ID, "on-call", "--role", "responder"],
            {"action": "assign", "assignee": "on-call", "role": "responder"},
        ),
        (["note", ID, "disk is full"], {"action": "note", "text": "disk is full"}),
        (
            ["status", ID, "identified", "--text", "the disk"],
            {"action": "status", "status": "identified", "text": "the disk"},
        ),
        (
            ["severity", ID, "2", "--reason", "half of it works"],
            {"action": "severity", "severity": 2, "reason": "half of it works"},
        ),
        (["mitigate", ID, "--text", "moved"], {"action": "mitigate", "text": "moved"}),
        (
            ["resolve", ID, "--root-cause", "disk", "--resolution", "larger disk"],
            {"action": "resolve", "root_cause": "disk", "resolution": "larger disk"},
        ),
        (["reopen", ID, "--reason", "again"], {"action": "reopen", "reason": "again"}),
        (["close", ID], {"action": "close"}),
        (["unack", ID, "--reason", "ill"], {"action": "unacknowledge", "reason": "ill"}),
        (["merge", ID, OTHER], {"action": "merge", "into": OTHER}),
        (["split", ID, "aa", "bb"], {"action": "split", "fingerprints": ["aa", "bb"]}),
        (
            ["correct", ID, "started", "2026-03-01T11:00:00Z", "--reason", "the graph"],
            {
                "action": "correct",
                "milestone": "started",
                "moment": "2026-03-01T11:00:00Z",
                "reason": "the graph",
            },
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_each_command_sends_what_it_says(
    pipeline: Pipeline, arguments: list[str], expected: dict[str, Any]
) -> None:
    """Otherwise a person's words would arrive as another command."""
    result = run(*arguments, "--author", "operator")
    assert result.exit_code == 0, result.output
    (sent,) = pipeline.asked
    document = sent.model_dump(mode="json")
    command_id, at = document.pop("command_id"), document.pop("occurred_at")
    assert document == {
        **expected,
        "incident_id": ID,
        "tenant": "default",
        "author": "operator",
        "source": "cli",
    }
    assert len(command_id) == 36
    assert datetime.fromisoformat(at).tzinfo is not None


def test_declare_sends_the_whole_report(pipeline: Pipeline) -> None:
    """Otherwise parts of the seed's incident report would be lost on the way."""
    result = run(
        "declare", "--severity", "2", "--service", "shop", "--summary", "orders fail",
        "--symptoms", "error 503", "--impact", "all users", "--actions-taken", "restarted",
        "--next-steps", "look at disks", "--label", "region=eu", "--author", "operator",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    (sent,) = pipeline.asked
    assert sent.model_dump(mode="json", exclude={"command_id", "occurred_at"}) == {
        "action": "declare",
        "tenant": "default",
        "author": "operator",
        "source": "cli",
        "severity": 2,
        "service": "shop",
        "environment": "production",
        "labels": {"region": "eu"},
        "drill": False,
        "report": {
            "summary": "orders fail",
            "symptoms": "error 503",
            "impact": "all users",
            "actions_taken": "restarted",
            "next_steps": "look at disks",
        },
    }


REPORT = """\
# Incident Report

**Incident ID**: INC-2026-03-01-009
**Reporter**: Ada, ada@example.org
**Date/Time**: 2026-03-01T11:30:00Z
**Service**: shop
**Severity**: 2 (high)

## Summary

Orders fail
for most users.

## Symptoms Observed

- error 503
<!-- more to come -->

## Impact Assessment

## Initial Actions Taken

restarted

## Next Steps

look at disks
"""


def test_a_report_is_read_from_its_template(pipeline: Pipeline, tmp_path: Path) -> None:
    """Otherwise who wrote the report would have to type it again."""
    (tmp_path / "report.md").write_text(REPORT)
    result = run("declare", "--file", str(tmp_path / "report.md"), "--severity", "1")
    assert result.exit_code == 0, result.output
    (sent,) = pipeline.asked
    document = sent.model_dump(mode="json")
    # A flag says more than the file.
    assert (document["author"], document["severity"]) == ("Ada, ada@example.org", 1)
    assert (document["service"], document["occurred_at"]) == ("shop", "2026-03-01T11:30:00Z")
    assert document["report"] == {
        "summary": "Orders fail for most users.",
        "symptoms": "- error 503",
        "impact": "",
        "actions_taken": "restarted",
        "next_steps": "look at disks",
    }


def test_the_template_that_is_printed_is_the_one_that_is_read() -> None:
    """Otherwise a filled-in template could be refused."""
    assert read_report(run("template").stdout) == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("## Colour", "line 1: 'Colour' is no part of a report; there are Summary, Symptoms Obs"),
        ("**Mood**: bad", "line 1: 'Mood' is no fact of a report; there are Reporter, Date/Time"),
        ("**Severity:** high", "line 1: the severity is 1, 2, 3 or 4, not 'high'"),
        ("## Summary\nx", "a report needs --severity, --service; on a terminal they are asked for"),
    ],
)
def test_a_report_that_cannot_be_read_is_refused(
    pipeline: Pipeline, tmp_path: Path, text: str, said: str
) -> None:
    """Otherwise half a report would be sent."""
    (tmp_path / "report.md").write_text(text)
    result = run("declare", "--file", str(tmp_path / "report.md"))
    assert result.exit_code == 2
    assert said in result.stderr
    assert not pipeline.asked


def test_on_a_terminal_each_part_is_asked_for(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise somebody in a hurry would have to know all flags."""
    monkeypatch.setattr(reporting, "_somebody_there", lambda: True)
    answers = "9\n2\nshop\norders fail\n\nerror 503\nall users\n\nlook at disks\n"
    result = CliRunner().invoke(under_test.incident, ["declare"], input=answers)
    assert result.exit_code == 0, result.output
    (sent,) = pipeline.asked
    document = sent.model_dump(mode="json")
    assert (document["severity"], document["service"]) == (2, "shop")
    assert document["report"] == {
        "summary": "orders fail",
        "symptoms": "error 503",
        "impact": "all users",
        "actions_taken": "",
        "next_steps": "look at disks",
    }


def test_what_became_of_a_command_is_said(pipeline: Pipeline) -> None:
    """Otherwise a person would not know whether the incident is theirs."""
    result = run("ack", ID, "--author", "operator")
    assert result.stdout == (
        f"{ID}: acknowledged by operator (step 2; now investigating, severity 1)\n"
    )


def test_a_refused_command_says_what_is_accepted_and_fails(pipeline: Pipeline) -> None:
    """Otherwise a script would take a refusal for success."""
    pipeline.answer = Refused(f"incident {ID} is closed: it cannot acknowledge, it accepts reopen")
    result = run("ack", ID)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"refused: incident {ID} is closed: it cannot acknowledge, it accepts reopen\n"
    )


def test_a_command_nobody_answered_says_that_it_is_kept(pipeline: Pipeline) -> None:
    """Otherwise it would be given twice while the incidents worker is away."""
    pipeline.answer = Unanswered(timedelta(seconds=2))
    result = run("ack", ID, "--within", "2")
    (sent,) = pipeline.asked
    assert pipeline.within == [timedelta(seconds=2)]
    assert result.exit_code == 3
    assert result.stderr == (
        f"no answer within 2 s: command {sent.command_id} is kept and will be carried out once "
        "`tocsin worker incidents` runs\n"
    )


@pytest.mark.parametrize(
    ("answer", "code", "expected"),
    [
        (Done(step()), 0, {"result": "done", "step": step().model_dump(mode="json")}),
        (Refused("no"), 1, {"result": "refused", "reason": "no"}),
        (Unanswered(timedelta(seconds=2)), 3, {"result": "unanswered", "within": 2.0}),
    ],
    ids=["done", "refused", "unanswered"],
)
def test_json_says_the_same(
    pipeline: Pipeline, answer: Any, code: int, expected: dict[str, Any]
) -> None:
    """Otherwise scripts would have to read sentences."""
    pipeline.answer = answer
    result = run("ack", ID, "--json")
    assert result.exit_code == code
    assert orjson.loads(result.stdout) == {"command_id": pipeline.asked[0].command_id, **expected}


def test_a_broker_that_is_away_is_one_line(pipeline: Pipeline) -> None:
    """Otherwise the first thing a responder sees in an outage would be a traceback."""
    pipeline.answer = Unavailable("no broker answers at 127.0.0.1:1 (KafkaConnectionError)")
    result = run("ack", ID)
    assert (result.exit_code, result.stderr) == (
        1,
        "Error: no broker answers at 127.0.0.1:1 (KafkaConnectionError)\n",
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["ack", "nonsense"],
            "'nonsense' is not an incident's id; one looks like INC-2026-01-31-001",
        ),
        (["note", ID, ""], "text: string should have at least 1 character"),
        (["severity", ID, "5", "--reason", "x"], "5 is not in the range 1<=x<=4"),
        (["severity", ID, "2"], "Missing option '--reason'"),
        (["status", ID, "resolved"], "'resolved' is not one of 'identified', 'investigating'"),
        (["ack", ID, "--author", " "], "author: string should have at least 1 character"),
        (
            ["declare", "--severity", "1", "--service", "s", "--summary", "x", "--label", "region"],
            "'region' is no label: write --label NAME=VALUE",
        ),
    ],
    ids=["id", "note", "severity", "reason", "status", "author", "label"],
)
def test_what_cannot_be_sent_is_said_and_not_sent(
    pipeline: Pipeline, arguments: list[str], said: str
) -> None:
    """Otherwise a typing error would end among the dead letters, unseen by who made it."""
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert not pipeline.asked


def test_an_id_may_be_typed_in_any_case(pipeline: Pipeline) -> None:
    """Otherwise somebody who was woken up would fight the shift key."""
    assert run("ack", ID.lower()).exit_code == 0
    assert pipeline.asked[0].model_dump()["incident_id"] == ID


def test_the_author_is_who_is_logged_in_unless_said(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the timeline would not know who did it."""
    monkeypatch.setenv("LOGNAME", "someone")
    run("ack", ID)
    monkeypatch.setenv("TOCSIN_AUTHOR", "rotation")
    run("ack", ID)
    run("ack", ID, "--author", "operator")
    assert [command.author for command in pipeline.asked] == ["someone", "rotation", "operator"]


def test_list_shows_what_is_open(pipeline: Pipeline) -> None:
    """Otherwise a responder would look for the open one among hundreds."""
    pipeline.incidents = [
        incident(),
        incident(incident_id="INC-2026-03-01-002", status=Status.RESOLVED, resolved_at=AT),
    ]
    result = run("list")
    assert ID in result.stdout
    assert "INC-2026-03-01-002" not in result.stdout
    # What a stranger wrote is printed, not obeyed.
    assert "Database [bold]is down" in result.stdout
    assert "INC-2026-03-01-002" in run("list", "--all").stdout
    assert [each["incident_id"] for each in orjson.loads(run("list", "--json").stdout)] == [ID]


def test_list_says_where_the_others_are(pipeline: Pipeline) -> None:
    """Otherwise an empty answer could mean anything."""
    assert run("list").stdout == "no open incidents\n"
    pipeline.incidents = [incident(status=Status.CLOSED)]
    assert run("list").stdout == "no open incidents; 1 are over (--all shows them)\n"


def test_show_gives_facts_and_timeline(pipeline: Pipeline) -> None:
    """Otherwise a responder would not see what was done already."""
    pipeline.incidents = [incident()]
    pipeline.steps = [step()]
    shown = run("show", ID)
    assert shown.exit_code == 0, shown.output
    for part in ("Database [bold]is down", "1 firing of 1", "acknowledged by operator"):
        assert part in shown.stdout
    document = orjson.loads(run("show", ID, "--json").stdout)
    assert document["incident"]["incident_id"] == ID
    assert [each["kind"] for each in document["timeline"]] == ["acknowledged"]


def test_show_of_an_unknown_incident_says_where_to_look(pipeline: Pipeline) -> None:
    """Otherwise a wrong digit would look like an empty incident."""
    result = run("show", ID)
    assert (result.exit_code, result.stderr) == (
        1,
        f"Error: there is no {ID} in tenant default; `tocsin incident list --all` has all\n",
    )


@pytest.mark.parametrize(
    ("elapsed", "said"),
    [
        (timedelta(seconds=-1), "0s"),
        (timedelta(seconds=59), "59s"),
        (timedelta(seconds=60), "1m"),
        (timedelta(minutes=59, seconds=59), "59m"),
        (timedelta(hours=1), "1h"),
        (timedelta(days=2), "2d"),
    ],
)
def test_ages_are_told_in_one_unit(elapsed: timedelta, said: str) -> None:
    """Otherwise the table would not fit a terminal."""
    table = under_test.table_of([incident(started_at=AT)], AT + elapsed)
    (age,) = table.columns[5].cells
    assert str(age) == said
