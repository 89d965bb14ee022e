"""What a step carries of an escalation."""

from schemas import limits
from streams.incidents.escalation import Call
from streams.incidents.promises import as_calls


def test_calls_of_every_length_fit_beside_the_largest_incident() -> None:
    """Nobody downstream could read a step that calls half the company."""
    name = "€" * limits.NAME_LENGTH
    people = tuple(f"{number}{name}"[: limits.NAME_LENGTH] for number in range(80))
    calls = as_calls(tuple(Call(f"{each}{name}"[:128], people, name * 20) for each in range(200)))
    assert 1 <= len(calls) < limits.CHANNELS_CALLED
    assert sum(len(each.model_dump_json().encode()) for each in calls) < limits.TEXT_LENGTH * 6


def test_a_company_of_ordinary_names_is_called_as_a_whole() -> None:
    calls = tuple(Call(f"sms-{each}", (f"engineer-{each}",), "is on call") for each in range(100))
    assert [each.channel for each in as_calls(calls)] == [each.channel for each in calls]
