"""``tocsin drill``: what it sends, what it says, how it exits. The broker is not there; a recorder is."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result

from schemas.commands import Command, Declare, Resolve
from schemas.notices import Outcome, ReceiptV1
from streams.cli import drill as under_test
from streams.errors import Unavailable
from streams.gateways.drills import Followed
from streams.gateways.incidents import Done, Refused, Unanswered
from streams.settings import Settings
from tests.told import AT, notice, step

ID = "INC-2024-03-01-007"


def receipt(
    channel: str, outcome: Outcome, attempt: int = 1, reason: str = "HTTP 200"
) -> ReceiptV1:
    of = notice(channel=channel)
    return ReceiptV1(
        occurred_at=AT + timedelta(seconds=attempt / 4),
        notice_id=of.notice_id,
        incident_id=ID,
        purpose=of.purpose,
        channel=channel,
        channel_kind="slack",
        attempt=attempt,
        outcome=outcome,
        reason=reason,
        requested_at=AT,
        took=timedelta(milliseconds=100),
    )


@dataclass
class Pipeline:
    """Stands for the broker and all hops behind it."""

    asked: list[Command] = field(default_factory=list)
    answer: Any = field(default_factory=lambda: Done(step(drill=True)))
    messages: list[Any] = field(default_factory=list)

    async def exercise(self, settings: Settings, command: Declare, **_: Any) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        self.asked.append(command)
        followed = Followed("default", ID)
        for message in self.messages:
            followed.hear(message)
        return self.answer, followed

    async def ask(self, settings: Settings, command: Command, **_: Any) -> Any:
        self.asked.append(command)
        return self.answer


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    made = Pipeline()
    monkeypatch.setattr(under_test, "exercise", made.exercise)
    monkeypatch.setattr(under_test, "ask", made.ask)
    monkeypatch.setattr(under_test, "read_settings", Settings)
    return made


def run(*arguments: str) -> Result:
    return CliRunner().invoke(under_test.drill, ["--author", "operator", *arguments])


def test_it_says_who_was_told_after_how_long_and_ends_the_exercise(pipeline: Pipeline) -> None:
    """Otherwise the first to learn that a channel is dead would be whoever waits for its page."""
    pipeline.messages = [
        notice(channel="chat"),
        receipt("chat", Outcome.RETRYING, 1, "HTTP 500"),
        receipt("chat", Outcome.DELIVERED, 2),
        notice(channel="pager"),
        receipt("pager", Outcome.DELIVERED),
    ]
    ran = run("--severity", "1", "--label", "team=payments")
    assert ran.output == (
        f"{ID} severity 2, marked as an exercise\n"
        "  chat   delivered after 0.50 s, attempt 2: HTTP 200\n"
        "  pager  delivered after 0.25 s: HTTP 200\n"
        "2 of 2 were told\n"
        "it is resolved\n"
    )
    assert ran.exit_code == 0
    declared, resolved = pipeline.asked
    assert isinstance(declared, Declare)
    assert (declared.drill, declared.severity, declared.labels) == (True, 1, {"team": "payments"})
    assert isinstance(resolved, Resolve)
    assert resolved.incident_id == ID


def test_what_failed_is_said_and_the_exit_code_shows_it(pipeline: Pipeline) -> None:
    """Otherwise a scheduled drill would find the dead pager, and nobody would read it."""
    pipeline.messages = [
        notice(channel="chat"),
        notice(channel="sms"),
        receipt("sms", Outcome.GIVEN_UP, 1, "HTTP 401: Twilio error 20003"),
        notice(channel="mail").model_copy(update={"instead_of": ("sms",)}),
        receipt("mail", Outcome.DELIVERED, 1, "SMTP 250"),
    ]
    ran = run("--severity", "1", "--keep")
    assert ran.output == (
        f"{ID} severity 2, marked as an exercise\n"
        "  chat  no receipt: does the notify hop run?\n"
        "  sms   given up after 0.25 s: HTTP 401: Twilio error 20003\n"
        "  mail  delivered after 0.25 s: SMTP 250; instead of sms\n"
        "1 of 3 were told\n"
    )
    assert ran.exit_code == 1
    assert len(pipeline.asked) == 1, "it stays open"


def test_an_exercise_of_which_nobody_is_told_fails(pipeline: Pipeline) -> None:
    """Otherwise an empty set of routes would pass every drill."""
    ran = run("--severity", "4")
    assert "nobody was to be told: no route fits (`tocsin route test` says why)\n" in ran.output
    assert ran.exit_code == 1


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (Refused("no"), 1, "refused: no"),
        (
            Unanswered(timedelta(seconds=60)),
            3,
            "nobody opened an incident within 60 s: does the incidents hop run?",
        ),
        (Unavailable("no broker answers"), 1, "Error: no broker answers"),
    ],
)
def test_what_keeps_it_from_beginning_is_said(
    pipeline: Pipeline, answer: Any, code: int, said: str
) -> None:
    """Otherwise a drill without a pipeline would look like one without receivers."""
    pipeline.answer = answer
    ran = run("--severity", "1")
    assert (ran.exit_code, ran.output.strip()) == (code, said)


def test_other_incidents_and_older_receipts_change_nothing() -> None:
    """Otherwise a real page of the same minute would count for the drill."""
    followed = Followed("default", ID)
    assert not followed.hear(notice(channel="chat", incident_id="INC-2024-03-01-008"))
    assert not followed.hear(notice(channel="chat", tenant="acme"))
    assert followed.hear(notice(channel="chat"))
    assert followed.open() == [notice(channel="chat").notice_id]
    followed.hear(receipt("chat", Outcome.DELIVERED, 2))
    followed.hear(receipt("chat", Outcome.RETRYING, 1))
    assert followed.open() == []
