"""What is noted down, and how long it can wait."""

from datetime import UTC, datetime, timedelta

import orjson

from schemas.topics import METRICS
from streams.agents.detect import DetectDesk
from streams.detection.evaluation import Detector
from streams.detection.kinds.absence import Absence
from tests.recording import Record

BEGIN = datetime(2024, 3, 1, tzinfo=UTC)


def records(count: int, *, every: timedelta) -> list[Record]:
    return [
        Record(
            topic=METRICS.name,
            partition=0,
            offset=number,
            key=b"default/shop",
            value=orjson.dumps(
                {
                    "occurred_at": (BEGIN + number * every).isoformat(),
                    "service": "shop",
                    "name": "load",
                    "value": 1,
                }
            ),
        )
        for number in range(count)
    ]


def noted(count: int, *, every: timedelta) -> tuple[int, int]:
    """Hear so many signals of one feed; return how many had to be judged, and how many still wait to be absorbed."""
    detector = Detector([Absence(name="silent", signal="metrics", within="5m", severity=3)])
    desk = DetectDesk(detector)
    given, place, judged = records(count, every=every), 0, 0
    while place < count:
        place = desk.skim(METRICS, given, place)
        if place < count:
            list(desk.hear(METRICS, given[place]))
            place, judged = place + 1, judged + 1
    return judged, sum(len(feed.backlog) for feed in detector._absorber.feeds.noting)


def test_a_rule_about_silence_stays_calm_as_long_as_something_comes():
    """Not only for five minutes from the first signal: what matters is the time between two."""
    assert noted(400, every=timedelta(minutes=4)) == (1, 399)
    assert noted(20, every=timedelta(minutes=5)) == (20, 0)
