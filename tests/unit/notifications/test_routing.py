"""Who is told of a step, by which message, and why."""

from typing import Any

import pytest
from pydantic import ValidationError

from schemas import limits
from schemas.lifecycle import CallV1, Status, StepKind, StepV1
from schemas.notices import NoticeV1, Purpose
from streams.notifications.routing import TOLD, UPDATE_EVERY, Route, notice_id, told
from tests.told import AT, step

#: The example policy's shape: the worse, the more people.
ROUTES = [
    Route(severities=(1,), channels=("pager", "sms", "chat", "mail")),
    Route(severities=(2,), channels=("pager", "chat", "mail")),
    Route(severities=(3,), channels=("chat", "mail")),
    Route(severities=(4,), channels=("chat",)),
]


def at_severity(severity: int, kind: StepKind = StepKind.OPENED, **changed: Any) -> StepV1:
    severities = {
        "severity": severity,
        "severity_first": severity,
        "severity_peak": severity,
    }
    return step(kind, **severities | changed)


def moved(before: int, now: int, **changed: Any) -> StepV1:
    """Return the step that makes an incident that began with severity *before* one of *now*."""
    severities = {"severity_first": before, "severity_peak": min(before, now)}
    changed_step = at_severity(now, StepKind.SEVERITY_CHANGED, **severities | changed)
    return changed_step.model_copy(update={"severity_before": before})


def told_whom(notices: list[NoticeV1]) -> dict[str, Purpose]:
    assert len({each.channel for each in notices}) == len(notices)
    return {each.channel: each.purpose for each in notices}


@pytest.mark.parametrize(
    ("severity", "channels"),
    [
        (1, ["pager", "sms", "chat", "mail"]),
        (2, ["pager", "chat", "mail"]),
        (3, ["chat", "mail"]),
        (4, ["chat"]),
    ],
)
def test_severity_chooses_the_channels(severity: int, channels: list[str]) -> None:
    """Otherwise cosmetic faults would wake people, or outages would not."""
    notices = told(at_severity(severity), ROUTES)
    assert [each.channel for each in notices] == channels
    assert {each.reason for each in notices} == {
        f"routes[{severity - 1}]: severity {severity}, initial message"
    }


def test_a_notice_holds_what_happened() -> None:
    """Otherwise receivers would be told of another moment or another incident."""
    of = step(StepKind.ACKNOWLEDGED, sequence=3, tenant="acme", detail="I look at it")
    (notice,) = told(of, [Route(channels=("chat",))])
    assert notice == NoticeV1(
        occurred_at=AT,
        notice_id="acme/INC-2024-03-01-007.3/chat",
        tenant="acme",
        incident_id="INC-2024-03-01-007",
        step=StepKind.ACKNOWLEDGED,
        purpose=Purpose.UPDATE,
        channel="chat",
        reason="routes[0]: severity 2, update message",
        update="acknowledged by responder\nI look at it",
        next_update_at=AT + UPDATE_EVERY,
        incident=of.incident,
    )


@pytest.mark.parametrize("kind", StepKind)
def test_each_step_has_its_message_or_none(kind: StepKind) -> None:
    """Otherwise people would be told of everything, or never of the end."""
    expected = {
        StepKind.OPENED: Purpose.INITIAL,
        StepKind.REOPENED: Purpose.INITIAL,
        StepKind.ACKNOWLEDGED: Purpose.UPDATE,
        StepKind.ASSIGNED: Purpose.UPDATE,
        StepKind.STATUS_CHANGED: Purpose.UPDATE,
        StepKind.SEVERITY_CHANGED: Purpose.SEVERITY,
        StepKind.MITIGATED: Purpose.UPDATE,
        StepKind.UNACKNOWLEDGED: Purpose.UPDATE,
        StepKind.AT_RISK: Purpose.AT_RISK,
        StepKind.MISSED: Purpose.UPDATE,
        StepKind.RESOLVED: Purpose.RESOLUTION,
        StepKind.MERGED: Purpose.RESOLUTION,
    }
    purposes = told_whom(told(step(kind), [Route(channels=("chat",))]))
    assert purposes == ({"chat": expected[kind]} if kind in expected else {})
    assert expected == TOLD


def test_an_escalation_tells_whom_it_calls_and_asks_no_route() -> None:
    """Otherwise a step for one person would page everybody again."""
    call = CallV1(channel="ada-sms", people=("Ada",), reason="Ada is on call in primary")
    of = step(StepKind.ESCALATED).model_copy(update={"calls": (call,)})
    (notice,) = told(of, [Route(channels=("chat",))])
    assert (notice.channel, notice.people, notice.purpose) == (
        "ada-sms",
        ("Ada",),
        Purpose.ESCALATION,
    )
    assert notice.reason == "Ada is on call in primary"
    assert notice.notice_id == notice_id(of, "ada-sms")
    over = of.model_copy(update={"incident": of.incident.model_copy(update={"resolved_at": AT})})
    assert told(over, []) == []


def test_nobody_is_told_of_what_fell_into_an_outage() -> None:
    """Otherwise whoever comes back after an outage is met by a storm of warnings that are no news."""
    routes = [Route(channels=("chat",))]
    missed = step(StepKind.MISSED)
    assert told_whom(told(missed, routes)) == {"chat": Purpose.UPDATE}
    assert told(missed.model_copy(update={"late": True}), routes) == []


def test_who_was_told_of_the_end_is_not_told_that_it_became_part_of_another() -> None:
    """Otherwise an end that was told already would come again."""
    over = step(StepKind.MERGED, status=Status.MERGED, resolved_at=AT)
    assert told(over, [Route(channels=("chat",))]) == []


def test_only_the_end_promises_no_next_update() -> None:
    """Otherwise people would wait for news that never come."""
    routes = [Route(channels=("chat",))]
    (end,) = told(step(StepKind.RESOLVED), routes)
    assert end.next_update_at is None
    (update,) = told(step(StepKind.MITIGATED), routes)
    assert update.next_update_at == AT + UPDATE_EVERY


@pytest.mark.parametrize(
    ("route", "channels"),
    [
        ({"services": ["database"]}, ["chat"]),
        ({"services": ["orders"]}, ["chat"]),
        ({"services": ["payments"]}, []),
        ({"purposes": ["initial"]}, ["chat"]),
        ({"purposes": ["update", "resolution"]}, []),
        ({"severities": [1, 3, 4]}, []),
        ({}, ["chat"]),
    ],
)
def test_a_route_is_for_what_it_names(route: dict[str, Any], channels: list[str]) -> None:
    """Otherwise a team would be called for another team's services."""
    assert [each.channel for each in told(step(), [Route(**route, channels=["chat"])])] == channels


def test_a_channel_of_two_routes_is_told_once_for_the_first_reason() -> None:
    """Otherwise people would be called twice by one step."""
    orders = {"services": ["orders"], "channels": ["mail", "chat"], "continue": True}
    routes = [
        Route.model_validate(orders),
        Route(severities=(2,), channels=("chat", "pager", "pager")),
    ]
    notices = told(step(), routes)
    assert [(each.channel, each.reason) for each in notices] == [
        ("mail", "routes[0]: severity 2, initial message, service orders"),
        ("chat", "routes[0]: severity 2, initial message, service orders"),
        ("pager", "routes[1]: severity 2, initial message"),
    ]


def test_who_becomes_concerned_is_called_and_the_others_are_told_what_is_new() -> None:
    """Otherwise an incident that becomes an outage would reach pagers as an update of what they never heard of, or not at all."""
    notices = told(moved(3, 1), ROUTES)
    assert told_whom(notices) == {
        "pager": Purpose.INITIAL,
        "sms": Purpose.INITIAL,
        "chat": Purpose.SEVERITY,
        "mail": Purpose.SEVERITY,
    }
    assert {each.reason for each in notices if each.purpose is Purpose.INITIAL} == {
        "routes[0]: severity 1, initial message"
    }


def test_a_route_for_the_first_message_only_hears_of_a_raise() -> None:
    """Otherwise those who want to be called only once would never be called."""
    routes = [
        Route(severities=(1,), purposes=(Purpose.INITIAL,), channels=("sms",)),
        Route(channels=("chat",)),
    ]
    assert told_whom(told(moved(2, 1), routes)) == {
        "sms": Purpose.INITIAL,
        "chat": Purpose.SEVERITY,
    }
    assert told_whom(told(moved(1, 2), routes)) == {"chat": Purpose.SEVERITY}


def test_a_less_severe_incident_is_told_to_all_who_know_of_it() -> None:
    """Otherwise those whom the worst moment woke would go on working on an outage."""
    notices = told(moved(1, 3), ROUTES)
    assert told_whom(notices) == dict.fromkeys(("pager", "sms", "chat", "mail"), Purpose.SEVERITY)
    assert {each.reason for each in notices} == {
        "routes[0]: severity 1 at its worst, severity message"
    }


def test_who_was_called_by_an_earlier_raise_is_not_called_by_the_next() -> None:
    """Otherwise each of two raises would wake the engineer on call."""
    assert told_whom(told(moved(2, 1, severity_first=3), ROUTES)) == {
        "sms": Purpose.INITIAL,
        "pager": Purpose.SEVERITY,
        "chat": Purpose.SEVERITY,
        "mail": Purpose.SEVERITY,
    }


def test_a_less_severe_incident_calls_nobody() -> None:
    """Otherwise those who deal with small things would be called by the end of an outage."""
    office = Route.model_validate({"severities": [3], "channels": ["office"], "continue": True})
    assert "office" not in told_whom(told(moved(1, 3), [office, *ROUTES]))
    assert told_whom(told(moved(4, 3), [office, *ROUTES]))["office"] is Purpose.INITIAL


def test_back_to_its_first_severity_calls_nobody_again() -> None:
    """Otherwise one who lowers a severity by mistake, and corrects it, would wake everybody."""
    assert told_whom(told(moved(3, 1, severity_first=1, severity_peak=1), ROUTES)) == dict.fromkeys(
        ("pager", "sms", "chat", "mail"), Purpose.SEVERITY
    )


def test_a_second_raise_calls_again() -> None:
    """Otherwise those who were told that it is less severe would sleep through the second outage."""
    again = told(moved(3, 1, severity_first=3, severity_peak=1), ROUTES)
    assert told_whom(again)["sms"] is Purpose.INITIAL


def test_the_same_severity_is_no_call() -> None:
    """Otherwise saying the same twice would call everybody."""
    assert set(told_whom(told(moved(1, 1), ROUTES)).values()) == {Purpose.SEVERITY}


def test_the_end_is_told_to_those_of_the_worst_moment_and_nobody_else() -> None:
    """Otherwise some would never hear that it is over, or others of an end without a beginning."""
    end = at_severity(3, StepKind.RESOLVED, severity_peak=2)
    notices = told(end, ROUTES)
    assert told_whom(notices) == dict.fromkeys(("pager", "chat", "mail"), Purpose.RESOLUTION)
    assert {each.reason for each in notices} == {
        "routes[1]: severity 2 at its worst, resolution message"
    }


@pytest.mark.parametrize(
    "kind", [StepKind.ASSIGNED, StepKind.STATUS_CHANGED, StepKind.SEVERITY_CHANGED]
)
def test_what_happens_after_the_end_is_told_to_nobody(kind: StepKind) -> None:
    """Otherwise correcting a severity, or assigning the post-mortem, would page people for what is over."""
    over = {"status": Status.RESOLVED, "resolved_at": AT}
    after = step(kind, severity=1, severity_peak=1, **over)
    assert told(after.model_copy(update={"severity_before": 2}), ROUTES) == []
    assert told(step(kind, severity=1, severity_peak=1), ROUTES) != []


def test_ids_are_a_function_of_incident_step_and_channel() -> None:
    """Otherwise a step that is emitted again after a crash would call people again."""
    of = step(sequence=12, tenant="acme")
    again = step(sequence=12, tenant="acme", summary="another text")
    assert notice_id(of, "chat") == "acme/INC-2024-03-01-007.12/chat" == notice_id(again, "chat")
    others = [
        notice_id(of, "mail"),
        notice_id(step(sequence=13, tenant="acme"), "chat"),
        notice_id(step(sequence=12, tenant="other"), "chat"),
        notice_id(step(sequence=12, tenant="acme", incident_id="INC-2024-03-01-008"), "chat"),
    ]
    assert len({*others, notice_id(of, "chat")}) == len(others) + 1


def test_long_names_make_ids_that_fit_and_differ() -> None:
    """Otherwise the second channel with a long name would be taken for a repeat of the first."""
    tenant, channel = "t" * limits.NAME_LENGTH, "c" * (limits.NAME_LENGTH - 1)
    ids = [notice_id(step(tenant=tenant), channel + end) for end in "ab"]
    assert [len(each) for each in ids] == [limits.ID_LENGTH] * 2
    assert ids[0] != ids[1]
    routes = [Route(channels=(channel + "a", channel + "b"))]
    assert [each.notice_id for each in told(step(tenant=tenant), routes)] == ids


def test_the_longest_texts_fit_into_a_notice() -> None:
    """Otherwise a long note would stop the worker."""
    long = step(reason="r" * limits.LINE_LENGTH, detail="d" * limits.TEXT_LENGTH)
    (notice,) = told(long, [Route(channels=("chat",))])
    assert len(notice.update) == limits.TEXT_LENGTH
    assert notice.update.startswith("r" * limits.LINE_LENGTH + "\nd")
    services = tuple(f"{number:0128}" for number in range(limits.SERVICES_LISTED))
    wide = step(services=services)
    (notice,) = told(wide, [Route(services=services, channels=("chat",))])
    assert len(notice.reason) <= limits.LINE_LENGTH


@pytest.mark.parametrize(
    "route",
    [
        {"channels": []},
        {"channels": ["chat"], "severities": []},
        {"channels": ["chat"], "severities": [0]},
        {"channels": ["chat"], "severities": [5]},
        {"channels": ["chat"], "purposes": []},
        {"channels": ["chat"], "purposes": ["all"]},
        {"channels": ["chat"], "severity": [1]},
    ],
)
def test_a_route_that_can_never_fit_is_refused(route: dict[str, Any]) -> None:
    """Otherwise a typing error in a policy would be silence."""
    with pytest.raises(ValidationError):
        Route(**route)


@pytest.mark.parametrize(
    ("tiers", "labels", "channel"),
    [
        ({"database": 3, "shop": 1}, {}, "pager"),
        ({"database": 3}, {}, "chat"),
        ({"database": 3, "shop": 1}, {"tier": "3"}, "chat"),
        ({}, {}, "mail"),
    ],
)
def test_routes_match_the_lowest_tier(
    tiers: dict[str, int], labels: dict[str, str], channel: str
) -> None:
    """The catalogue would say how much depends on a service, and nobody be woken for it."""
    routes = [
        Route.model_validate({"matchers": ['tier="1"'], "channels": ["pager"]}),
        Route.model_validate({"matchers": ['tier="3"'], "channels": ["chat"]}),
        Route(channels=("mail",), group_by=("tier",), group_wait="1m"),
    ]
    opened = step(services=("database", "shop"), labels=labels)
    assert [each.channel for each in told(opened, routes, tiers=tiers)] == [channel]


def test_incidents_are_grouped_by_their_tiers() -> None:
    """What most depends on would wait for what nothing does."""
    route = Route(channels=("chat",), group_by=("tier",), group_wait="1m")
    groups = set()
    for tier in (1, 3):
        (notice,) = told(step(), [route], tiers={"database": tier})
        assert notice.timing is not None
        groups.add(notice.timing.group)
    assert len(groups) == 2
