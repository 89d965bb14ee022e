"""What the log says of policies: which is in force, and which were."""

from datetime import UTC, datetime, timedelta

from schemas.policies import PolicyV1
from streams.gateways.policies import History
from streams.releases import Release, digest, released

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def policies(number: int, partitions: int = 2) -> list[PolicyV1]:
    release = Release("ana", f"the {number}th", NOON + timedelta(minutes=number))
    return released({"a.yaml": f"rules: [] # {number}\n"}, None, release, partitions)


def test_each_release_is_listed_once_in_its_order() -> None:
    """A log would show a change as many times as there are partitions."""
    first, second = policies(1), policies(2)
    history = History(((first[0], second[0]), (first[1], second[1])))
    assert [each.reason for each in history.releases] == ["the 1th", "the 2th"]
    assert history.latest == second[0]
    assert history.holds_everywhere(second[0].sha256)
    assert not history.holds_everywhere(first[0].sha256)


def test_a_release_that_did_not_reach_every_partition_does_not_hold() -> None:
    """It could not be published again, and one partition would stay behind for ever."""
    first, second = policies(1), policies(2)
    history = History(((first[0], second[0]), (first[1],)))
    assert not history.holds_everywhere(second[0].sha256)
    assert history.latest == second[0]
    assert [each.reason for each in history.releases] == ["the 1th", "the 2th"]


def test_where_nothing_was_published_nothing_holds() -> None:
    """The first policy would never be published."""
    history = History(((), ()))
    assert history.latest is None
    assert history.releases == []
    assert not history.holds_everywhere(digest({}))
