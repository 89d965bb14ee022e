"""Log records that are only glanced at, because they say nothing new, leave what reading them in full would."""

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.topics import LOGS
from streams.agents.detect import DetectDesk
from streams.detection.evaluation import Detector
from tests.properties.test_skimming import RULES, ExactDesk, lines, memories, records_of, told_by

READING = [rule for rule in RULES if rule.reads_text()]


@given(lines, st.sets(st.sampled_from(READING), min_size=1).map(list))
@settings(max_examples=200)
def test_what_was_read_before_is_remembered_like_what_is_read_in_full(given_lines, rules):
    """The kind of record that was not seen for the longest would be another one, and what is forgotten would be another one."""
    records = records_of(given_lines)
    fast, exact = Detector(rules), Detector(rules)
    assert told_by(DetectDesk(fast), records) == told_by(ExactDesk(rules), records)
    for record in records:
        list(DetectDesk(exact).hear(LOGS, record))
    assert memories(fast) == memories(exact)
    heard = [
        {name: (watched.series.heard_at, watched.series.origin) for name, watched in each.items()}
        for each in (fast._watched, exact._watched)
    ]
    assert heard[0] == heard[1]
    assert [watch.late for watch in fast._watches.values()] == [
        watch.late for watch in exact._watches.values()
    ]
