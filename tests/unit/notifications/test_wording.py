"""What templates of the policy may do, and what becomes of them."""

import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from schemas.notices import Purpose
from streams.notifications.rendering import MESSAGE_LENGTH, Message, render
from streams.notifications.wording import TEMPLATE_LENGTH, WORDS, Wording
from tests.told import AT_PURPOSE, notice

GOLDEN = Path(__file__).parents[2] / "golden" / "messages"


def said(**forms: str) -> Message:
    return render(notice(), {Purpose.INITIAL: Wording(**forms)})


@pytest.mark.parametrize("purpose", Purpose)
def test_every_message_is_its_golden_file(purpose: Purpose) -> None:
    """A changed wording would go unseen. Delete a golden file to have it written again."""
    message = render(AT_PURPOSE[purpose])
    forms = ("subject", "text", "slack", "html", "short")
    text = "".join(f"--- {form}\n{getattr(message, form)}\n\n" for form in forms)
    golden = GOLDEN / f"{purpose}.txt"
    if not golden.exists():
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text)
        pytest.fail(f"{golden} was written: look at it and commit it")
    assert text == golden.read_text()


def test_the_policys_words_take_the_place_of_ours() -> None:
    """Otherwise a template would be accepted and do nothing."""
    message = said(
        subject="{{ severity }}: {{ summary }}",
        slack="*{{ id }}* {{ impact }}",
        html="<b>{{ summary|upper }}</b>",
        short="{{ id }}",
    )
    assert message.subject == "HIGH: Database does not answer"
    assert message.slack == "*INC-2024-03-01-007* No orders"
    assert message.html == "<b>DATABASE DOES NOT ANSWER</b>"
    assert message.short == "INC-2024-03-01-007"
    assert message.text == render(notice()).text, "what the policy leaves out stays as it is"


def test_values_are_escaped_in_templates_of_the_policy_too() -> None:
    """Otherwise a log line could put links into a page through an operator's template."""
    wording = Wording(html="{{ summary }} {{ labels['a'] }}", slack="{{ summary }}")
    told = notice(summary="<b>&<!channel>", labels={"a": "<i>"})
    message = render(told, {Purpose.INITIAL: wording})
    assert message.html == "&lt;b&gt;&amp;&lt;!channel&gt; &lt;i&gt;"
    assert message.slack == "&lt;b&gt;&amp;&lt;!channel&gt;"


def test_conditions_filters_and_labels() -> None:
    """Otherwise a template could not say more than a fixed text."""
    text = (
        "{% if severity == 'HIGH' and not drill %}urgent{% else %}calm{% endif %} "
        "{{ runbook|default('none')|truncate(12) }} {{ 'a' ~ id|lower }} "
        "{% for name in labels %}{{ loop.index }} {{ name }}={{ labels[name] }}{% endfor %}"
    )
    assert said(text=text).text == "urgent https://r... ainc-2024-03-01-007 1 region=eu"


def test_every_word_is_there_for_every_message() -> None:
    """Otherwise a template that was checked would fail when somebody must be told."""
    source = " ".join(f"{{{{ {word} }}}}" for word in WORDS if word != "labels")
    for purpose, told in AT_PURPOSE.items():
        message = render(told, {purpose: Wording(subject=source, short=source)})
        assert "INC-2024-03-01-007" in message.short
        assert message.subject != render(told).subject


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("{{ sumary }}", "line 1: 'sumary' is no word; did you mean 'summary'?"),
        ("a\n{{ summary|uper }}", "line 2: there is no filter 'uper'; did you mean 'upper'?"),
        ("{% if summary %}", "line 1: Unexpected end of template."),
        ("{{ summary.upper() }}", "line 1: a template has no calls"),
        ("{{ range(9) }}", "line 1: a template has no calls"),
        ("{{ summary * 9 }}", "line 1: a template has no arithmetic: join texts by ~"),
        ("{% set x = 1 %}", "line 1: a template has no variables of its own"),
        ("{% include 'x' %}", "line 1: a template has no other templates"),
        ("{% macro m() %}{% endmacro %}", "line 1: a template has no macros"),
        (
            "{{ summary.__class__ }}",
            "line 1: a template has no attributes: write labels['__class__']",
        ),
        ("{{ summary is odd }}", "line 1: there is no test 'odd'; "),
        ("{{ summary|safe }}", "line 1: there is no filter 'safe'; "),
        ("{{ summary|center(9) }}", "line 1: there is no filter 'center'; "),
        (
            "{% for c in update %}{% endfor %}",
            "line 1: a loop goes over labels, and is in no other",
        ),
        (
            "{% for a in labels %}{% for b in labels %}{% endfor %}{% endfor %}",
            "line 1: a loop goes over labels, and is in no other",
        ),
        ("x" * (TEMPLATE_LENGTH + 1), f"at most {TEMPLATE_LENGTH} characters"),
    ],
)
def test_what_a_template_cannot_do_is_said_when_it_is_checked(source: str, fault: str) -> None:
    """Otherwise it would fail, or never end, in the night of the outage."""
    with pytest.raises(ValidationError) as refused:
        Wording(text=source)
    assert fault in str(refused.value)


@pytest.mark.parametrize(
    "source", ["{{ labels['none'] }}", "{{ severity < 3 }}", "{% if drill %}x{% endif %}"]
)
def test_a_template_that_fails_or_says_nothing_gives_a_plain_message(
    source: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Otherwise a mistake in a template would silence a page."""
    message = said(text=source, subject=source)
    plain = "INCIDENT DETECTED - HIGH: INC-2024-03-01-007 Database does not answer"
    assert message.text == f"{plain}\nfirst alert of its group"
    assert message.subject == plain
    assert "template failed template=initial.txt of the policy" in caplog.messages[0]


def test_the_worst_template_ends_soon_and_makes_no_more_than_is_taken() -> None:
    """Otherwise one template could hold up everybody's pages, or fill the memory."""
    inside = "{{ update|upper|title|lower|capitalize|trim }}"
    loop = "{% for name in labels %}" + inside * (3_900 // len(inside)) + "{% endfor %}"
    silent = inside.replace("{{ ", "{% if ").replace(" }}", " == 'x' %}{% endif %}")
    hidden = "{% for name in labels %}" + silent * (3_900 // len(silent)) + "{% endfor %}x"
    told = notice(labels={f"l{number}": "v" for number in range(32)}).model_copy(
        update={"update": "x" * 16_000}
    )
    started = time.monotonic()
    message = render(told, {Purpose.INITIAL: Wording(text=loop, short=hidden)})
    assert time.monotonic() - started < 5, "a hundred times what it takes"
    assert len(message.text) <= MESSAGE_LENGTH
    assert message.text.startswith("INCIDENT DETECTED"), "it was too long, so it is plain"
    assert message.short == "x"
