"""Routes that name schedules: whoever is on call then is told."""

from datetime import datetime, timedelta

import pytest

from schemas.lifecycle import StepKind
from schemas.notices import NoticeV1, Purpose
from streams.notifications.duty import OnDuty
from streams.notifications.routing import Route, told
from tests.life import NOON, Life, alert, policy
from tests.told import AT, step

BEGAN = AT - timedelta(minutes=29)
PAGES = Route(schedules=("primary",))
CHAT = Route(channels=("chat",))


def duty(name: str, at: datetime) -> OnDuty | None:
    """Ada until the incident is ten minutes old, then Bob; nobody in ``empty``."""
    if name == "empty":
        return None
    person = "ada" if at < BEGAN + timedelta(minutes=10) else "bob"
    return OnDuty(person, (f"{person}-sms", f"{person}-mail"), f"{person} is on call in {name}")


def who(notices: list[NoticeV1]) -> dict[str, tuple[str, ...] | None]:
    return {each.channel: each.people for each in notices}


def test_whoever_is_on_call_then_is_told_and_why() -> None:
    """Otherwise whoever had the week before would be woken."""
    notices = told(step(occurred_at=BEGAN), [PAGES], duty)
    assert who(notices) == {"bob-sms": ("bob",), "bob-mail": ("bob",)}
    assert notices[0].reason == (
        "routes[0]: severity 2, initial message; bob is on call in primary"
    )
    early = step().model_copy(update={"occurred_at": BEGAN})
    assert who(told(early, [PAGES], duty)) == {"ada-sms": ("ada",), "ada-mail": ("ada",)}


def test_whoever_was_called_hears_of_the_end_after_the_handover() -> None:
    """Otherwise a pager would stay open after the shift."""
    notices = told(step(StepKind.RESOLVED), [PAGES], duty)
    assert who(notices) == {
        "bob-sms": ("bob",),
        "bob-mail": ("bob",),
        "ada-sms": ("ada",),
        "ada-mail": ("ada",),
    }
    assert {each.purpose for each in notices} == {Purpose.RESOLUTION}


def test_a_route_without_anybody_on_call_leaves_it_to_the_next() -> None:
    """Otherwise a gap in a schedule would be silence."""
    gap = Route(schedules=("empty",))
    assert who(told(step(), [gap, CHAT], duty)) == {"chat": None}
    assert told(step(), [gap], duty) == []
    # What names nobody at all is a decision, and stands as it did.
    assert told(step(), [Route(routes=(Route(severities=(4,)),)), CHAT], duty) == []


def test_a_gap_is_said_to_those_who_are_told_besides() -> None:
    """Otherwise nobody would know that nobody else comes."""
    both = Route(channels=("chat",), schedules=("empty",))
    (notice,) = told(step(), [both], duty)
    assert notice.reason == ("routes[0]: severity 2, initial message; nobody is on call in empty")


@pytest.mark.parametrize(
    ("branch", "channels"),
    [
        (Route(), {"chat", "bob-sms", "bob-mail"}),
        (Route(channels=("mail",)), {"mail"}),
        (Route(schedules=("other",)), {"bob-sms", "bob-mail"}),
    ],
)
def test_branches_inherit_receivers_together(branch: Route, channels: set[str]) -> None:
    """Otherwise a branch for one team would page another one's on-call as well."""
    top = Route(channels=("chat",), schedules=("primary",), routes=(branch,))
    assert who(told(step(), [top], duty)).keys() == channels


def test_a_channel_that_is_named_twice_is_told_once() -> None:
    """Otherwise people would be called twice for one step."""
    both = Route(channels=("bob-sms",), schedules=("primary",))
    assert who(told(step(), [both], duty)) == {"bob-sms": None, "bob-mail": ("bob",)}


def test_the_hop_asks_the_schedules_of_its_policy() -> None:
    """Otherwise routes would know nobody."""
    life = Life(
        policy(
            people={"ada": {"channels": ["pager"]}},
            schedules={"primary": {"layers": [{"rotation": ["ada"], "begins": NOON}]}},
            routes=[{"schedules": ["primary"]}],
        )
    )
    life.happen(alert())
    (notice,) = life.notices
    assert (notice.channel, notice.people) == ("pager", ("ada",))
    assert notice.reason.endswith("; ada is on call in primary by layer 1 of 1")
