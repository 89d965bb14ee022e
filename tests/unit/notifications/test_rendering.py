"""What a notice says: the wording of the three messages, and what texts cannot do in them."""

import logging
from datetime import timedelta
from typing import Any

import pytest
from jinja2 import DictLoader

from schemas import limits
from schemas.lifecycle import StepKind
from schemas.notices import NoticeV1
from streams.notifications import rendering
from streams.notifications.rendering import duration, one_line, paragraphs, render, slack_escaped
from tests.told import AT, notice


def raised(**changed: Any) -> NoticeV1:
    """Return the first message to somebody whom a raised severity concerns."""
    told = notice(StepKind.SEVERITY_CHANGED, **changed)
    purpose = notice(StepKind.OPENED).purpose
    return told.model_copy(update={"purpose": purpose, "update": "severity 3 becomes 2"})


def test_the_initial_message() -> None:
    """Otherwise people would not read what the procedures promise them."""
    assert render(notice(StepKind.OPENED)).slack == (
        "🚨 *INCIDENT DETECTED* - HIGH\n"
        "\n"
        "*Incident ID*: INC-2024-03-01-007\n"
        "*Summary*: Database does not answer\n"
        "*Impact*: No orders\n"
        "*Assigned*: unassigned\n"
        "*Status*: Investigating\n"
        "*Runbook*: <https://runbooks.example.org/database>\n"
        "\n"
        "Thread for updates: 👇"
    )


def test_the_update() -> None:
    """Otherwise people would not read what is new, and when to expect more."""
    assert render(notice(StepKind.ACKNOWLEDGED)).slack == (
        "📊 *STATUS UPDATE* - 2024-03-01 12:30:15 UTC\n"
        "\n"
        "acknowledged by responder\n"
        "\n"
        "*Incident ID*: INC-2024-03-01-007\n"
        "*Current Status*: Investigating\n"
        "*Next Update*: 2024-03-01 13:00:15 UTC"
    )


def test_the_resolution() -> None:
    """Otherwise people would not read why it happened and what ended it."""
    assert render(notice(StepKind.RESOLVED)).slack == (
        "✅ *INCIDENT RESOLVED* - INC-2024-03-01-007\n"
        "\n"
        "*Duration*: 30 min\n"
        "*Root Cause*: The disk of the primary was full\n"
        "*Resolution*: Old backups were deleted\n"
        "\n"
        "Post-mortem will be conducted within 24 hours."
    )


def test_what_nobody_has_said_yet_is_said_so() -> None:
    """Otherwise a message would have holes that look like faults."""
    opened = render(notice(StepKind.OPENED, impact="", runbook=None)).slack
    assert "*Impact*: not stated yet\n" in opened
    assert "Runbook" not in opened
    end = render(notice(StepKind.RESOLVED, root_cause="", resolution="")).slack
    assert "*Root Cause*: under investigation\n*Resolution*: not stated yet\n" in end


@pytest.mark.parametrize(
    ("told", "headline", "subject", "short", "moment"),
    [
        (
            notice(StepKind.OPENED),
            "🚨 INCIDENT DETECTED - HIGH\n",
            "INCIDENT DETECTED - HIGH: ",
            "INCIDENT HIGH INC-2024-03-01-007: ",
            "\nDetected: 2024-03-01 12:30:15 UTC\nRunbook: ",
        ),
        (
            notice(StepKind.REOPENED),
            "🚨 INCIDENT DETECTED - HIGH (REOPENED)\n",
            "INCIDENT DETECTED again - HIGH: ",
            "INCIDENT HIGH REOPENED INC-2024-03-01-007: ",
            "\nReopened: 2024-03-01 12:30:15 UTC\nReason: database-health fires again\n",
        ),
        (
            raised(),
            "🚨 INCIDENT DETECTED - HIGH (RAISED)\n",
            "INCIDENT DETECTED - HIGH: ",
            "INCIDENT HIGH RAISED INC-2024-03-01-007: ",
            "\nRaised: 2024-03-01 12:30:15 UTC\nReason: severity 3 becomes 2\n",
        ),
        (
            notice(StepKind.OPENED, drill=True),
            "🚨 INCIDENT DETECTED - HIGH (DRILL)\n",
            "[DRILL] INCIDENT DETECTED - HIGH: ",
            "DRILL INCIDENT HIGH INC-2024-03-01-007: ",
            "\nDetected: ",
        ),
    ],
    ids=["opened", "reopened", "raised", "drill"],
)
def test_a_call_says_why_it_comes_now(
    told: NoticeV1, headline: str, subject: str, short: str, moment: str
) -> None:
    """Otherwise a call for an old incident, or for an exercise, would look like a new outage."""
    message = render(told)
    assert message.text.startswith(headline)
    assert message.subject.startswith(f"{subject}INC-2024-03-01-007 Database does not answer")
    assert message.short.startswith(f"{short}Database does not answer (database)")
    assert moment in message.text
    assert message.html.startswith(f"<h2>{headline.strip()}</h2>\n")


@pytest.mark.parametrize("told", [notice(StepKind.REOPENED), raised()], ids=["reopened", "raised"])
def test_every_form_of_a_later_call_has_its_reason(told: NoticeV1) -> None:
    """Otherwise those who are called late could not tell what changed."""
    message = render(told)
    assert f"\n*Reason*: {told.update}\n" in message.slack
    assert f">{told.update}</td>" in message.html


def test_an_html_message_escapes_and_a_plain_one_does_not() -> None:
    """Otherwise an alert's text could put pages into mails, or plain texts would be unreadable."""
    message = render(notice(StepKind.OPENED, summary="a < b & <b>c</b>"))
    assert "Summary: a < b & <b>c</b>\n" in message.text
    assert "<td>a &lt; b &amp; &lt;b&gt;c&lt;/b&gt;</td>" in message.html
    assert "*Summary*: a &lt; b &amp; &lt;b&gt;c&lt;/b&gt;\n" in message.slack
    assert message.subject.endswith("a < b & <b>c</b>")


def test_values_run_no_template() -> None:
    """Otherwise whoever writes a log line could read our settings."""
    message = render(notice(StepKind.OPENED, summary="{{ 7777*7 }}{% raw %}"))
    assert "Summary: {{ 7777*7 }}{% raw %}\n" in message.text


@pytest.mark.parametrize(
    ("runbook", "linked"),
    [
        ("https://example.org/a", True),
        ("http://example.org/a", True),
        ("javascript:alert(1)", False),
        ("https://example.org/ <!channel>", False),
        ("https://example.org/|text", False),
        ("https://example.org/" + "r" * 400, False),
    ],
)
def test_only_links_look_like_links(runbook: str, *, linked: bool) -> None:
    """Otherwise a rule could put a script into a mail, or half a link into a chat."""
    message = render(notice(StepKind.OPENED, runbook=runbook))
    assert (f"*Runbook*: <{runbook}>" in message.slack) is linked
    assert "javascript:" not in message.html


def test_many_services_are_counted() -> None:
    """Otherwise one outage would make a message that no receiver takes."""
    services = tuple(f"s{number}" for number in range(12))
    text = render(notice(StepKind.OPENED, services=services)).text
    assert "Services: s0, s1, s2, s3, s4, s5, s6, s7, s8, s9 and 2 more\n" in text
    assert "Services: database\n" in render(notice(StepKind.OPENED, services=())).text


def test_long_texts_leave_the_last_line_in_place() -> None:
    """Otherwise a long note would cut off when the next update comes."""
    told = notice(StepKind.ACKNOWLEDGED).model_copy(update={"update": "&" * limits.TEXT_LENGTH})
    slack = render(told).slack
    # An ampersand is five characters there.
    assert f"\n{'&amp;' * 199}...\n" in slack
    assert slack.endswith("*Next Update*: 2024-03-01 13:00:15 UTC")
    assert len(slack) < 3_000
    assert len(render(told).short) < 306


def test_a_template_that_fails_still_says_what_happened(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Otherwise a mistake in a template would silence a page."""
    environment = rendering._environment("slack")
    broken = environment.overlay(loader=DictLoader({"update.mrkdwn": "{{ nothing }}"}))
    before = rendering._environment
    monkeypatch.setattr(
        rendering, "_environment", lambda name: broken if name == "slack" else before(name)
    )
    with caplog.at_level(logging.ERROR):
        message = render(
            notice(StepKind.ACKNOWLEDGED).model_copy(update={"update": "<!channel> secret"})
        )
    assert message.slack == (
        "STATUS UPDATE - HIGH: INC-2024-03-01-007 Database does not answer\n&lt;!channel&gt; secret"
    )
    assert message.text.startswith("📊 STATUS UPDATE")
    assert caplog.messages == ["template failed template=update.mrkdwn fault=UndefinedError"]


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (timedelta(0), "0 s"),
        (timedelta(seconds=-5), "0 s"),
        (timedelta(milliseconds=999), "0 s"),
        (timedelta(seconds=59), "59 s"),
        (timedelta(seconds=60), "1 min"),
        (timedelta(minutes=61, seconds=5), "1 h 1 min"),
        (timedelta(hours=1, seconds=5), "1 h 5 s"),
        (timedelta(days=3, hours=2, minutes=1), "3 d 2 h"),
    ],
)
def test_durations_are_said_as_people_say_them(span: timedelta, said: str) -> None:
    """Otherwise a resolution would say seconds by the thousand."""
    assert duration(span) == said


def test_time_spent_resolved_is_not_part_of_the_duration() -> None:
    """Otherwise a message would contradict the report."""
    told = notice(
        StepKind.RESOLVED,
        started_at=AT - timedelta(hours=3),
        time_resolved=timedelta(hours=1),
        resolved_at=AT,
    )
    assert "*Duration*: 2 h\n" in render(told).slack


@pytest.mark.parametrize(
    ("text", "line", "lines"),
    [
        ("  a  b ", "a b", "a  b"),
        ("a\r\nBcc: b", "a Bcc: b", "a\nBcc: b"),
        ("a\x00\x1b[31mb\x7f", "a [31mb", "a  [31mb"),
        ("a\u2028b", "a b", "a\nb"),
        ("\u202eabc\u2066", "abc", "abc"),
        ("a\ud800b", "a b", "a b"),
        ("größe 🚨", "größe 🚨", "größe 🚨"),
    ],
)
def test_control_characters_control_nothing(text: str, line: str, lines: str) -> None:
    """Otherwise a text could forge a header, colour a terminal or read backwards."""
    assert one_line(text) == line
    assert paragraphs(text) == lines


def test_slack_texts_mention_nobody() -> None:
    """Otherwise a log line could call everybody in a channel."""
    assert slack_escaped("<!channel> & <@U1>") == "&lt;!channel&gt; &amp; &lt;@U1&gt;"
