"""What is noted down, and how long it can wait."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import orjson

from schemas.alerts import AlertV1
from schemas.ticks import TickV1
from schemas.topics import LOGS, METRICS
from streams.agents.detect import DetectDesk
from streams.detection import feeds, ledger
from streams.detection.evaluation import Detector
from streams.detection.kinds.absence import Absence
from streams.detection.kinds.log_novelty import LogNovelty
from streams.detection.kinds.log_pattern import LogPattern
from streams.detection.kinds.threshold import Threshold
from streams.detection.ledger import Keep
from tests.recording import Record

BEGIN = datetime(2024, 3, 1, tzinfo=UTC)


def records(
    count: int,
    *,
    every: timedelta,
    values: Sequence[float] = (),
    hosts: Sequence[str] = ("one",),
) -> list[Record]:
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
                    "labels": {"host": hosts[number % len(hosts)]},
                    "name": "load",
                    "value": values[number] if values else 1,
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


def take(desk: DetectDesk, given: list[Record]) -> None:
    place = 0
    while (place := desk.skim(METRICS, given, place)) < len(given):
        assert list(desk.hear(METRICS, given[place])) == []
        place += 1


def test_a_crash_silences_nobody_who_was_only_noted_down(monkeypatch):
    """Of two hosts that one rule hears, one is written down while the other's signals still wait."""
    monkeypatch.setattr(feeds, "ABSORBED_AT_ONCE", 1)
    rule = Absence(name="silent", signal="metrics", within="5m", severity=3)
    given = records(8, every=timedelta(minutes=1), hosts=("one", "other"))
    desk = DetectDesk(Detector([rule]))
    take(desk, given[:4])
    begun, _ = desk.write_down({METRICS.name: 4}, Keep.ALL)
    take(desk, given[4:])
    changed, resume = desk.write_down({METRICS.name: 8}, Keep.SOME)
    assert changed, "the series is written down"
    assert resume == {METRICS.name: 4}, "for the sake of the other host"

    again = DetectDesk(Detector([rule]))
    again.restore(begun | changed)
    again.begin(resume)
    take(again, given[resume[METRICS.name] :])
    minutes = timedelta(minutes=1)
    # The other host was heard last, after seven minutes.
    for desk_ in (desk, again):
        assert list(desk_.tick(tick(BEGIN + 11.9 * minutes))) == []
        assert len(list(desk_.tick(tick(BEGIN + 12 * minutes)))) == 1


def test_a_crash_forgets_nothing_that_was_taken_from_a_pool(monkeypatch):
    """Neither what was absorbed and is not written down nor what still waits to be."""
    monkeypatch.setattr(feeds, "ABSORBED_AT_ONCE", 1)
    monkeypatch.setattr(ledger, "WRITTEN_AT_ONCE", 0)
    total = {"metric": "load", "aggregate": "sum", "over": "50m", "group_by": ["service"]}
    rule = Threshold(name="total", threshold=20, severity=3, **total)
    given = records(24, every=timedelta(minutes=1), hosts=("one", "other"))
    desk = DetectDesk(Detector([rule]))
    take(desk, given[:6])
    begun, _ = desk.write_down({METRICS.name: 6}, Keep.ALL)
    take(desk, given[6:12])
    changed, resume = desk.write_down({METRICS.name: 12}, Keep.SOME)
    assert (changed, resume) == ({}, {METRICS.name: 6})

    again = DetectDesk(Detector([rule]))
    again.restore(begun)
    again.begin(resume)
    take(again, given[6:12])
    for desk_ in (desk, again):
        take(desk_, given[12:20])
        assert desk_.skim(METRICS, given[20:], 0) == 0
        assert len(list(desk_.hear(METRICS, given[20]))) == 1


def tick(at: datetime) -> TickV1:
    return TickV1(occurred_at=at, partition=0)


def counted(*values: float) -> tuple[list[str], int]:
    """Hear a counter every ten seconds; return the alerts about its growth, and how many signals had to be judged."""
    rule = Threshold(
        name="grown", metric="load", aggregate="increase", over="1m", threshold=90, severity=3
    )
    desk, alerts, place, judged = DetectDesk(Detector([rule])), [], 0, 0
    given = records(len(values), every=timedelta(seconds=10), values=values)
    while (place := desk.skim(METRICS, given, place)) < len(values):
        told = [AlertV1.from_wire(each.value) for each in desk.hear(METRICS, given[place])]
        alerts += [f"{each.state.value} at {place}" for each in told]
        place, judged = place + 1, judged + 1
    return alerts, judged


def test_a_counter_is_noted_down_until_it_begins_anew():
    """A step down is a counter that counts from zero again, though it ends above where it was noted down first."""
    rises = [1_000.0 + 5 * number for number in range(12)]
    assert counted(*rises) == ([], 2)
    assert counted(*rises, 1_050) == (["firing at 12"], 3)
    # It fires as soon as it grew by more than 90 in a minute, and not before.
    grown = rises[-5]
    assert counted(*rises, grown + 90) == ([], 3)
    assert counted(*rises, grown + 91) == (["firing at 12"], 3)


def test_a_host_that_was_only_noted_down_is_not_taken_for_silent():
    """The host that was silent for six minutes is judged, while what the other said waits to be absorbed."""
    rule = Absence(name="silent", signal="metrics", within="5m", severity=3)
    given = records(9, every=timedelta(minutes=2), hosts=("one", "other"))
    # The second and third of the one are lost on the way.
    take(DetectDesk(Detector([rule])), [*given[:4], given[5], given[7], given[8]])


def test_a_source_whose_first_signal_was_history_is_heard_as_soon_as_it_is_news():
    """Otherwise a hundred signals would be noted down for nobody."""
    desk = DetectDesk(Detector([Threshold(name="busy", metric="load", threshold=5, severity=2)]))
    list(desk.tick(tick(BEGIN + timedelta(hours=1.5))))
    given, told = records(2, every=timedelta(hours=1), values=(1, 9)), []
    for place in range(2):
        assert desk.skim(METRICS, given, place) == place
        told += desk.hear(METRICS, given[place])
    assert len(told) == 1


def lines(*said: str, hosts: Sequence[str] = ("one",)) -> list[Record]:
    """Log records at level info, a second apart."""
    return [
        Record(
            topic=LOGS.name,
            partition=0,
            offset=number,
            key=b"default/shop",
            value=orjson.dumps(
                {
                    "occurred_at": (BEGIN + timedelta(seconds=number)).isoformat(),
                    "service": "shop",
                    "labels": {"host": hosts[number % len(hosts)]},
                    "body": body,
                }
            ),
        )
        for number, body in enumerate(said)
    ]


def judged(desk: DetectDesk, given: list[Record]) -> list[int]:
    """Hear log records and return which of them had to be judged."""
    place, each = 0, []
    while (place := desk.skim(LOGS, given, place)) < len(given):
        list(desk.hear(LOGS, given[place]))
        each.append(place)
        place += 1
    return each


def novelty(**settings) -> LogNovelty:
    given = {"name": "new", "level": "info", "learn": "0s", "within": "10s", "severity": 3}
    return LogNovelty(**given | settings)


def test_lines_that_differ_in_what_changes_are_not_judged_though_something_new_is_told_of():
    """Otherwise each line of a log would be judged by itself, above all while there is an incident."""
    given = lines(*(f"order {number} took {7 * number} ms" for number in range(9)), "it is full")
    assert judged(DetectDesk(Detector([novelty()])), given) == [0, 9]
    # When it is told of no longer, the next line shows it.
    given = lines(*["took 1 ms"] * 15)
    assert judged(DetectDesk(Detector([novelty()])), given) == [0, 10]


def test_lines_that_match_no_pattern_are_not_judged():
    rule = LogPattern(name="slow", pattern="[5-9] ms", level="info", severity=3)
    given = lines("took 1 ms", "took 4 ms", "took 5 ms", "took 12 ms")
    assert judged(DetectDesk(Detector([rule])), given) == [0, 2]


def test_every_line_is_judged_where_a_condition_reads_more_of_it():
    """What a condition says of a line cannot be known from its text."""
    rule = novelty(when="body != 'fine'")
    assert judged(DetectDesk(Detector([rule])), lines(*["took 1 ms"] * 3)) == [0, 1, 2]


def test_lines_of_a_host_that_a_rule_is_not_about_say_nothing_to_it():
    """A log would seem to live on, or what is new to it would be known."""
    rule = novelty(match=["host=one"])
    detector = Detector([rule])
    given = lines(*["took 1 ms"] * 8, hosts=("one", "other"))
    assert judged(DetectDesk(detector), given) == [0, 1]
    [watched] = detector._watched.values()
    assert watched.series.heard_at == BEGIN + timedelta(seconds=6)


def test_lines_that_are_read_again_after_a_restart_are_not_late():
    """They are in the state: somebody would look for a clock that is wrong."""
    given = lines(*["took 1 ms"] * 6)
    desk = DetectDesk(Detector([novelty()]))
    judged(desk, given)
    entries, _ = desk.write_down({LOGS.name: 6}, Keep.ALL)
    detector = Detector([novelty()])
    again = DetectDesk(detector)
    again.restore(entries)
    again.begin({})
    assert judged(again, given) == [*range(6)]
    assert sum(watch.late for watch in detector._watches.values()) == 0


def test_lines_that_come_again_late_are_counted_as_late():
    """Somebody would look in vain for the clock that is wrong."""
    detector = Detector([novelty(group_by=["service"])])
    given = lines(*["took 1 ms"] * 6, hosts=("one", "other"))
    assert judged(DetectDesk(detector), [*given[:3], given[4], given[3], given[5]]) == [0, 1]
    assert sum(watch.late for watch in detector._watches.values()) == 1


def test_a_series_that_is_forgotten_takes_its_feeds_from_those_that_read_texts():
    """Each silence would leave something behind in a log's memory for good."""
    silent = Absence(name="silent", signal="logs", within="5m", severity=3, forget_after="6m")
    detector = Detector([novelty(), silent])
    desk = DetectDesk(detector)
    judged(desk, lines(*["took 1 ms"] * 3))
    assert [len(watched.feeds) for watched in detector._watched.values()] == [1, 1]
    list(desk.tick(tick(BEGIN + timedelta(minutes=7))))
    [watched] = detector._watched.values()
    assert (watched.watch.rule.name, len(watched.feeds)) == ("new", 0)


def test_a_counter_that_began_anew_is_judged_where_others_of_its_rules_have_a_pool():
    """What it comes back to counts as growth: an alert would be missed."""
    growth = Threshold(
        name="grows", metric="load", aggregate="increase", over="1m", threshold=20, severity=2
    )
    total = Threshold(
        name="total",
        metric="load",
        aggregate="sum",
        over="1m",
        severity=3,
        threshold=1e6,
        group_by=["service"],
    )
    values = (10, 10, 11, 10, 11, 10, 28, 10, 12, 10)
    hosts = ("one", "other")
    desk, told = DetectDesk(Detector([growth, total])), []
    given, place, heard = records(10, every=timedelta(seconds=1), values=values, hosts=hosts), 0, []
    while (place := desk.skim(METRICS, given, place)) < len(given):
        told += desk.hear(METRICS, given[place])
        heard.append(place)
        place += 1
    [alert] = [AlertV1.from_wire(each.value) for each in told]
    assert (alert.rule, alert.occurred_at) == ("grows", BEGIN + timedelta(seconds=8))
    assert 6 not in heard


def test_a_rule_without_room_is_asked_again_where_others_read_texts():
    """Otherwise a host would never be watched though others are long gone."""
    one = {"max_series": 1, "group_by": ["host"]}
    silent = Absence(name="silent", signal="logs", within="5m", severity=3, **one)
    given = lines(*["took 1 ms"] * 400, hosts=("one", "other"))
    heard = judged(DetectDesk(Detector([novelty(), silent])), given)
    # The line that is news no more, and the other host's each hundred signals.
    assert heard == [0, 1, 10, 203]
