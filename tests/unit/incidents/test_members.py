"""Which incident has which alerts: each alert one at most, whatever order they come and go in."""

from datetime import UTC, datetime

from schemas.alerts import AlertState
from streams.incidents.members import Member, Members

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
FIRST, SECOND = ("default", "INC-1"), ("default", "INC-2")


def member(name: str = "aa", state: AlertState = AlertState.FIRING) -> Member:
    return Member(name, 1, state, "down", 2, "database", "it is down", NOON, NOON)


def two() -> Members:
    members = Members()
    for place in (FIRST, SECOND):
        members.begin(place, "production")
    return members


def test_an_alert_that_another_incident_takes_leaves_the_one_that_had_it() -> None:
    """It would fire in both, and keep the first open for ever."""
    members = two()
    assert members.put(FIRST, member()) is None
    assert members.put(SECOND, member()) is None
    assert members.holder("default", "aa") == "INC-2"
    assert (dict(members.of(FIRST)), list(members.of(SECOND))) == ({}, ["aa"])
    assert members.failing("default", "production") == {"database": {"INC-2": 1}}


def test_a_service_fails_as_long_as_one_of_its_alerts_fires() -> None:
    members = two()
    members.put(FIRST, member("aa"))
    members.put(FIRST, member("bb"))
    members.put(FIRST, member("aa", AlertState.RESOLVED))
    assert members.failing("default", "production") == {"database": {"INC-1": 1}}
    members.put(FIRST, member("bb", AlertState.RESOLVED))
    assert members.failing("default", "production") == {}
    # What failed once is still one of its services.
    assert list(members.services(FIRST)) == ["database"]


def test_a_key_leads_to_one_incident() -> None:
    members = two()
    members.lead(FIRST, "key")
    members.lead(SECOND, "key")
    assert members.leading("default", "key") == "INC-2"
    members.drop(FIRST)
    assert members.leading("default", "key") == "INC-2"
    members.drop(SECOND)
    assert members.leading("default", "key") is None


def test_what_is_dropped_is_told_as_gone() -> None:
    """A journal would keep the alerts of every incident there ever was."""
    members = two()
    members.put(FIRST, member())
    members.lead(FIRST, "key")
    assert len([value for value in members.entries.changes().values() if value]) == 2
    members.drop(FIRST)
    assert set(members.entries.changes().values()) == {None}


def test_a_service_of_which_no_alert_is_left_is_none_of_the_incidents() -> None:
    """The incident that others were split from would blame its cause for what it no longer has, until a restart."""
    members = two()
    members.put(FIRST, member("aa"))
    members.put(FIRST, member("bb")._replace(service="shop"))
    members.put(FIRST, member("bb", AlertState.RESOLVED)._replace(service="shop"))
    assert list(members.services(FIRST)) == ["database", "shop"]
    members.put(SECOND, member("bb")._replace(service="shop"))
    assert (list(members.services(FIRST)), list(members.services(SECOND))) == (
        ["database"],
        ["shop"],
    )
