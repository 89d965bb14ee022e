"""What a notice of a shift says, and that it is taken for no incident's."""

from dataclasses import astuple

from schemas.lifecycle import CallV1
from schemas.notices import ShiftV1
from streams.notifications.rendering import render
from streams.notifications.shifts import said, shift_notices
from tests.told import AT, SHIFT, incident


def test_it_says_who_comes_and_what_is_open() -> None:
    """Whoever comes would have to look for it, at the moment at which least is known."""
    message = render(SHIFT)
    listed = (
        "1 incident is open:\nINC-2024-03-01-007 HIGH Database does not answer (nobody is on it)"
    )
    assert message.subject == "HANDOVER - primary: ada hands over to <grace>"
    assert message.text == f"{message.subject}\n\n{listed}"
    assert "ada hands over to &lt;grace&gt;" in message.html
    assert message.slack.startswith("HANDOVER - primary: ada hands over to &lt;grace&gt;")
    assert message.short == message.text.replace("\n\n", " ").replace("\n", " ")
    assert SHIFT.incident_id not in str(astuple(message))


def test_a_long_list_is_counted() -> None:
    """A message of a hundred incidents would be refused, and nobody told."""
    many = [incident(incident_id=f"INC-2024-03-01-{number:03}") for number in range(1, 101)]
    elsewhere = incident(tenant="other")
    calls = [CallV1(channel="chat", people=("ada",), reason="primary: ada goes off call")]
    shift = ShiftV1(schedule="primary", before="ada")
    [told] = shift_notices(shift, calls, [*many, elsewhere], AT)
    lines = told.update.splitlines()
    assert lines[0] == "100 incidents are open:"
    assert (len(lines), lines[-1]) == (22, "and 80 more")
    assert said(shift) == "primary: ada goes off call, nobody comes"


def test_handovers_of_one_moment_are_apart() -> None:
    """One of two schedules that change at midnight would be taken for a repeat of the other."""
    calls = [CallV1(channel="chat", reason="…")]
    first, second = (
        shift_notices(ShiftV1(schedule=name, now="ada"), calls, [], AT)[0] for name in "ab"
    )
    assert first.notice_id != second.notice_id
    assert first.incident_id != second.incident_id
    again = shift_notices(ShiftV1(schedule="a", now="ada"), calls, [], AT)[0]
    assert again == first
