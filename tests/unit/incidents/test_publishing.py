"""What is published of an incident: what people wrote for people outside, once, in order, and nothing else."""

from datetime import timedelta
from typing import Any

import pytest

from schemas import limits
from schemas.commands import Close, Merge, Publish, Resolve, SetSeverity
from schemas.lifecycle import IncidentV1, StepKind
from schemas.notices import Purpose
from schemas.public import PublicImpact, PublicStatus
from streams.policy import Policy
from tests.life import NOON, Life, alert, policy

INTERNAL = "db-7 of the customer ACME is out of disk"
GIVEN = policy(
    services={
        "database": {"components": ["Search", "Checkout"]},
        "shop": {"components": ["Checkout"]},
    },
    channels={},
    status_page={
        "name": "Shop",
        "url": "https://status.example.org",
        "components": {"Checkout": {}, "Search": {}},
        "tells": [{"channel": "customers", "severities": [1]}, {"channel": "statuspage"}],
    },
)


def opened(given: Policy = GIVEN, **facts: Any) -> tuple[Life, IncidentV1]:
    life = Life(given)
    life.tick()
    life.happen(alert(summary=INTERNAL, description=INTERNAL, **facts))
    [incident] = life.open
    return life, incident


def both_opened() -> tuple[Life, IncidentV1, IncidentV1]:
    life, incident = opened()
    life.happen(alert("bb", service="mail", group_key="mail/production"))
    [other] = [each for each in life.open if each.incident_id != incident.incident_id]
    return life, incident, other


def merge(incident: IncidentV1, into: IncidentV1) -> Merge:
    return Merge(
        occurred_at=NOON,
        command_id="m",
        author="Ada",
        incident_id=incident.incident_id,
        into=into.incident_id,
    )


def publish(incident: IncidentV1, number: int = 1, **said: Any) -> Publish:
    return Publish(
        occurred_at=NOON,
        command_id=f"publish-{number}",
        author="Ada",
        incident_id=incident.incident_id,
        **{"message": "We look into it.", **said},
    )


def test_the_first_word_takes_what_the_catalogue_and_the_severity_say() -> None:
    """Otherwise whoever publishes at night would have to look it up."""
    life, incident = opened(severity=1)
    [step] = life.hear(publish(incident, title="Checkout fails"))
    public = step.incident.public
    assert step.kind is StepKind.PUBLISHED
    assert (step.author, step.trigger_id) == ("Ada", "publish-1")
    assert step.reason == "published by Ada: investigating, critical impact in Checkout, Search"
    assert step.detail == "We look into it."
    assert public is not None
    assert (public.title, public.status) == ("Checkout fails", "investigating")
    assert public.impact is PublicImpact.CRITICAL
    # In the order of the page.
    assert public.components == ("Checkout", "Search")
    assert public.published_at == step.occurred_at


def test_what_is_left_out_stays_and_what_was_said_is_kept() -> None:
    """Otherwise each update would have to repeat everything."""
    life, incident = opened()
    life.hear(
        publish(
            incident,
            title="Checkout fails",
            impact="minor",
            components=("Checkout",),
            expected_at=NOON + timedelta(hours=1),
            impact_text="Cards are refused",
        )
    )
    [step] = life.hear(publish(incident, 2, status="identified", message="We found it."))
    public = step.incident.public
    assert public is not None
    assert (public.title, public.impact, public.components) == (
        "Checkout fails",
        "minor",
        ("Checkout",),
    )
    assert (public.expected_at, public.impact_text) == (
        NOON + timedelta(hours=1),
        "Cards are refused",
    )
    assert [each.message for each in public.updates] == ["We found it.", "We look into it."]
    assert public.resolved_at is None
    [end] = life.hear(publish(incident, 3, status="resolved", message="It is over."))
    assert end.incident.public is not None
    assert end.incident.public.resolved_at == end.occurred_at
    assert end.incident.public.expected_at is None
    # Inside, it goes on: both are said by people.
    assert end.incident.status == "investigating"


def test_the_same_command_twice_publishes_once() -> None:
    """Otherwise customers would read everything twice after a retry."""
    life, incident = opened()
    command = publish(incident, title="Checkout fails")
    assert len(life.hear(command)) == 1
    assert life.hear(command) == []
    life.restart()
    assert life.hear(command) == []


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            {},
            "nothing was published of INC-2026-03-02-001 yet: give it a title for people outside",
        ),
        (
            {"title": "x", "components": ("Chekout",)},
            "'Chekout' is no component of the status page; did you mean 'Checkout'?",
        ),
        (
            {"title": "x", "components": ("Billing",)},
            "'Billing' is no component of the status page; there are Checkout, Search",
        ),
    ],
)
def test_what_cannot_be_published_is_refused_with_the_reason(
    said: dict[str, Any], reason: str
) -> None:
    """Otherwise an internal summary, or a name nobody knows, would stand on the page."""
    life, incident = opened()
    [step] = life.hear(publish(incident, **said))
    assert (step.kind, step.reason) == (StepKind.REFUSED, reason)
    assert step.incident.public is None
    assert [each for each in life.notices if each.purpose is Purpose.PUBLIC] == []


def test_an_exercise_is_never_published(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a drill would alarm customers."""
    life, incident = opened()
    drill = incident.model_copy(update={"drill": True})
    monkeypatch.setattr("streams.incidents.book.Book.get", lambda *_: drill)
    [step] = life.hear(publish(incident, title="x"))
    assert step.reason == "INC-2026-03-02-001 is an exercise: nobody outside is told of it"


def test_only_channels_of_its_severity_are_told_and_only_of_what_was_published() -> None:
    """Otherwise customers would be written to for trifles, or read what was meant for people inside."""
    life, incident = opened(severity=2)
    life.hear(publish(incident, title="Checkout fails"))
    told = [each for each in life.notices if each.purpose is Purpose.PUBLIC]
    assert [each.channel for each in told] == ["statuspage"]
    life.hear(
        SetSeverity(
            occurred_at=NOON,
            command_id="worse",
            author="Ada",
            incident_id=incident.incident_id,
            severity=1,
            reason=INTERNAL,
        )
    )
    [step] = life.hear(publish(incident, 2, message="It is worse."))
    told = [each for each in life.notices if each.update == "It is worse."]
    assert [each.channel for each in told] == ["customers", "statuspage"]
    assert [each.notice_id for each in told] == [
        f"{step.step_id}/customers",
        f"{step.step_id}/statuspage",
    ]
    for notice in told:
        assert b"ACME" not in notice.to_wire()
        assert b"Ada" not in notice.to_wire()
        assert notice.page is not None
        assert notice.page.name == "Shop"


TENANTS = policy(
    services=GIVEN.services,
    channels={},
    status_page=GIVEN.status_page,
    status_pages={
        "acme": {
            "name": "Acme",
            "tenant": "acme",
            "components": {"Mail": {}, "Search": {}},
            "tells": [{"channel": "acme-customers"}],
        }
    },
)


@pytest.mark.parametrize(
    ("tenant", "told", "components", "page"),
    [
        ("default", ["customers", "statuspage"], ("Checkout", "Search"), "Shop"),
        ("acme", ["acme-customers"], ("Search",), "Acme"),
        ("another", [], (), None),
    ],
)
def test_each_tenants_customers_hear_of_its_own_incidents_only(
    tenant: str, told: list[str], components: tuple[str, ...], page: str | None
) -> None:
    """Otherwise one tenant's incident would be mailed to another one's customers."""
    life, incident = opened(TENANTS, tenant=tenant, severity=1)
    [step] = life.hear(publish(incident, title="It fails", tenant=tenant))
    notices = [each for each in life.notices if each.purpose is Purpose.PUBLIC]
    assert [each.channel for each in notices] == told
    assert {each.page.name for each in notices if each.page} == ({page} if page else set())
    assert step.incident.public is not None
    assert step.incident.public.components == components


def test_a_component_of_another_tenants_page_is_none_of_this_one() -> None:
    """Otherwise a page would name what its readers do not have."""
    life, incident = opened(TENANTS, tenant="acme")
    said = publish(incident, title="It fails", tenant="acme", components=("Checkout",))
    [step] = life.hear(said)
    assert step.kind is StepKind.REFUSED
    assert step.reason.endswith(
        "'Checkout' is no component of the status page; there are Mail, Search"
    )


def test_what_is_over_inside_can_still_be_said_outside() -> None:
    """Otherwise nobody could tell customers that it is over, because it is."""
    life, incident = opened()
    life.hear(publish(incident, title="Checkout fails"))
    about = {"occurred_at": NOON, "author": "Ada", "incident_id": incident.incident_id}
    life.hear(Resolve(command_id="r", **about))
    [step] = life.hear(publish(incident, 2, status="resolved"))
    assert step.kind is StepKind.PUBLISHED
    life.hear(Close(command_id="c", **about))
    [step] = life.hear(publish(incident, 3, message="What happened: …"))
    assert step.kind is StepKind.PUBLISHED
    assert step.incident.public is not None
    assert step.incident.public.status is PublicStatus.RESOLVED


def test_a_merged_incident_hands_over_what_people_outside_know() -> None:
    """Otherwise customers would see it open for ever, or hear of it a second time."""
    life, incident, other = both_opened()
    life.hear(publish(incident, title="Checkout fails"))
    life.hear(merge(incident, other))
    now = life.incidents
    assert now[incident.incident_id].public is None
    public = now[other.incident_id].public
    assert public is not None
    assert public.title == "Checkout fails"
    # Statuspage and mail programs go on with what they have.
    life.hear(publish(other, 2, message="We found it."))
    told = [each for each in life.notices if each.purpose is Purpose.PUBLIC]
    assert [(each.incident_id, each.update) for each in told] == [
        (incident.incident_id, "We look into it."),
        (incident.incident_id, "We found it."),
    ]


def test_of_two_published_incidents_the_merged_one_ends_with_a_last_word() -> None:
    """Otherwise Statuspage would show it open for ever, or red what the other one does not affect."""
    life, incident, other = both_opened()
    life.hear(publish(incident, title="Search fails", components=("Search", "Checkout")))
    life.hear(publish(other, 2, title="Checkout fails", components=("Checkout",)))
    merged, *_ = life.hear(merge(incident, other))
    [last] = [each for each in life.notices if each.step is StepKind.MERGED and each.page]
    assert (last.channel, last.incident_id) == ("statuspage", incident.incident_id)
    assert last.update == "This is part of “Checkout fails”. Further updates are given there."
    assert b"ACME" not in last.to_wire()
    public = last.incident.public
    assert public is not None
    assert (public.status, public.resolved_at) == (PublicStatus.RESOLVED, merged.occurred_at)
    assert (public.components, public.continued_as) == (("Checkout",), "Checkout fails")
    assert [each.message for each in public.updates][1:] == ["We look into it."]
    goes_on = life.incidents[other.incident_id].public
    assert goes_on is not None
    assert (goes_on.title, goes_on.resolved_at) == ("Checkout fails", None)


@pytest.mark.parametrize("known", [False, True])
def test_who_was_told_of_a_merged_incident_hears_its_end(*, known: bool) -> None:
    """Otherwise customers who were told while it was critical would never learn that it is over."""
    life, incident, other = both_opened()
    worse = {"occurred_at": NOON, "author": "Ada", "incident_id": incident.incident_id}
    life.hear(SetSeverity(command_id="worse", severity=1, reason="no orders", **worse))
    life.hear(publish(incident, title="Search fails", components=("Search",)))
    life.hear(SetSeverity(command_id="better", severity=3, reason="few notice", **worse))
    if known:
        life.hear(publish(other, 2, title="Checkout fails", components=("Checkout",)))
    life.hear(merge(incident, other))
    assert life.incidents[other.incident_id].severity_peak == 2, "deadlines are its own"
    life.restart()
    life.hear(publish(other, 3, status="resolved", message="It is over."))
    told = [each.channel for each in life.notices if each.update == "It is over."]
    assert told == ["customers", "statuspage"]


def test_what_people_wait_for_goes_on_with_an_incident_that_they_think_is_over() -> None:
    """Otherwise both would be over outside while somebody still works on one."""
    life, incident, other = both_opened()
    life.hear(publish(incident, title="Search fails"))
    life.hear(publish(other, 2, title="Checkout fails", status="resolved"))
    life.hear(merge(incident, other))
    ended, goes_on = (life.incidents[each.incident_id].public for each in (incident, other))
    assert ended is not None
    assert (ended.title, ended.known_as) == ("Checkout fails", other.incident_id)
    assert goes_on is not None
    assert (goes_on.title, goes_on.known_as) == ("Search fails", incident.incident_id)
    assert not [each for each in life.notices if each.step is StepKind.MERGED and each.page]


def test_what_is_over_outside_gets_no_second_last_word() -> None:
    """Otherwise customers would hear again of what they have forgotten."""
    life, incident, other = both_opened()
    life.hear(publish(incident, title="Search fails", status="resolved"))
    life.hear(publish(other, 2, title="Checkout fails"))
    life.hear(merge(incident, other))
    assert not [each for each in life.notices if each.step is StepKind.MERGED and each.page]


def test_of_very_many_updates_the_first_and_the_latest_are_kept() -> None:
    """Otherwise an incident would outgrow what a broker takes, or forget how it began."""
    life, incident = opened()
    life.hear(publish(incident, title="Checkout fails", message="The first word."))
    for number in range(2, limits.PUBLIC_UPDATES_LISTED + 5):
        life.hear(publish(incident, number, message=f"Update {number}"))
    public = life.incidents[incident.incident_id].public
    assert public is not None
    assert len(public.updates) == limits.PUBLIC_UPDATES_LISTED
    assert public.updates[-1].message == "The first word."
    assert public.updates[0].message == f"Update {limits.PUBLIC_UPDATES_LISTED + 4}"
