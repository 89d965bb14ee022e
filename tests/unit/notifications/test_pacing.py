"""Rate limits and digests."""

from datetime import timedelta
from typing import Any

import pytest

from schemas.lifecycle import StepKind
from schemas.notices import NoticeV1, Purpose
from streams.notifications.pacing import DIGEST_SIZE, Limit, Pace
from streams.notifications.rendering import digest
from tests.told import AT, AT_PURPOSE, notice

MINUTE = timedelta(minutes=1)


def calm(count: int, channel: str = "chat", **changed: Any) -> list[NoticeV1]:
    return [
        notice(channel=channel, incident_id=f"INC-2024-03-01-{number:03}", **changed)
        for number in range(1, count + 1)
    ]


def paced(at_most: int, *, merges: bool = True) -> Pace:
    return Pace({"chat": Limit(at_most, MINUTE, merges)})


def test_as_many_as_a_receiver_takes_go_one_by_one() -> None:
    """Otherwise everything would be a digest, or a receiver be asked for more than it takes."""
    pace, notices = paced(3), calm(3)
    assert pace.take(notices, AT) == [[each] for each in notices]
    assert pace.take(calm(1), AT + MINUTE - timedelta(seconds=1)) == []
    assert len(pace.take(calm(3), AT + MINUTE)) == 3


def test_a_storm_is_one_message() -> None:
    """Otherwise the last of a hundred incidents would be told an hour late."""
    notices = calm(4)
    assert paced(3).take(notices, AT) == [notices]
    many = calm(2 * DIGEST_SIZE + 1)
    assert [len(each) for each in paced(3).take(many, AT)] == [DIGEST_SIZE, DIGEST_SIZE, 1]
    assert [len(each) for each in paced(1).take(many, AT)] == [DIGEST_SIZE]


def test_where_incidents_have_keys_of_their_own_they_wait() -> None:
    """Otherwise a pager would never hear of the others of a digest."""
    notices = calm(5)
    assert paced(3, merges=False).take(notices, AT) == [[each] for each in notices[:3]]


@pytest.mark.parametrize(
    "urgent",
    [
        notice(channel="chat", severity=1),
        AT_PURPOSE[Purpose.ESCALATION].model_copy(update={"channel": "chat"}),
    ],
    ids=["severity 1", "escalation"],
)
def test_the_worst_waits_for_nothing_and_is_in_no_digest(urgent: NoticeV1) -> None:
    """Otherwise a storm of harmless things would hide an outage."""
    pace = paced(3)
    assert pace.take([*calm(9), urgent], AT) == [[urgent], calm(9)]
    pace.take(calm(1), AT)
    assert pace.take([*calm(1), urgent], AT) == [[urgent]], "although nothing is left"


def test_what_is_urgent_counts_as_well() -> None:
    """Otherwise a receiver that takes three would be sent five, and refuse the rest."""
    urgent = calm(2, severity=1)
    two = calm(2, service="other")
    assert paced(3).take([*urgent, *two], AT) == [[urgent[0]], [urgent[1]], two]
    assert paced(1, merges=False).take([*urgent, *two], AT) == [[each] for each in urgent]


def test_channels_have_limits_of_their_own() -> None:
    """Otherwise a storm in one channel would silence another."""
    pace = paced(1)
    assert len(pace.take([*calm(2), *calm(2, "other")], AT)) == 3


def test_a_digest_names_all_the_worst_first() -> None:
    """Otherwise somebody would have to guess which incidents a storm brought."""
    notices = [
        notice(severity=3, summary="Slow & <b>", incident_id="INC-2024-03-01-001"),
        notice(StepKind.RESOLVED, severity=2, incident_id="INC-2024-03-01-002", drill=True),
    ]
    message = digest(notices)
    assert message.about == 2
    assert message.subject == "2 MESSAGES IN ONE - 1 HIGH, 1 MEDIUM"
    assert message.text == (
        "2 MESSAGES IN ONE - 1 HIGH, 1 MEDIUM\n"
        "HIGH INCIDENT RESOLVED: INC-2024-03-01-002 DRILL Database does not answer\n"
        "MEDIUM INCIDENT DETECTED: INC-2024-03-01-001 Slow & <b>"
    )
    assert (
        "<li>MEDIUM INCIDENT DETECTED: INC-2024-03-01-001 Slow &amp; &lt;b&gt;</li>" in message.html
    )
    assert message.slack.endswith("Slow &amp; &lt;b&gt;")
    assert message.short.startswith("2 MESSAGES IN ONE - 1 HIGH, 1 MEDIUM; HIGH INCIDENT RESOLVED")


def test_another_policys_limits_count_what_was_sent() -> None:
    """Otherwise each published policy would send a receiver twice what it takes."""
    pace = paced(3)
    assert len(pace.take(calm(3), AT)) == 3
    pace.follow({"chat": Limit(4, MINUTE, merges=True)})
    assert pace.take(calm(2), AT) == [calm(2)]
