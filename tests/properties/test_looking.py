"""Whether a tick looks at a series decides nothing: some are looked at whenever they could change, calm ones are not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.ticks import TickV1
from streams.agents.detect import DetectDesk
from streams.detection.evaluation import Detector
from streams.detection.watch import Watched
from tests.properties.test_skimming import (
    RULES,
    ExactDesk,
    healths,
    logs,
    metrics,
    records_of,
    told_by,
)

signals = st.tuples(
    st.one_of(healths, *[metrics] * 4, logs), st.sampled_from([1, 1, 1, 2, 5, 5, 0, -3, 30])
)
# What comes next is behind the clock.
ticks = st.tuples(st.just((TickV1, {})), st.sampled_from([1, 9, 35, 61]))
behind = st.tuples(metrics, st.sampled_from([-9, -20, -30, -60]))
inputs = st.lists(st.one_of(*[signals] * 8, behind, behind, ticks, ticks), max_size=80)


@given(inputs, st.lists(st.sampled_from(RULES), min_size=1, max_size=3, unique=True))
@settings(max_examples=200, derandomize=True)
def test_what_is_looked_at_with_every_tick_is_told_like_what_is_calm(given_inputs, rules):
    """A late signal would be judged by another window, depending on who else was heard."""
    records = records_of(given_inputs)
    told = told_by(DetectDesk(Detector(rules)), records)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Watched, "ask", lambda _: None)
        assert told == told_by(ExactDesk(rules), records)
