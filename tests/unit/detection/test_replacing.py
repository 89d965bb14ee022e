"""Rules that combine others, when rules are replaced."""

from datetime import UTC, datetime

from schemas.origin import Origin
from schemas.telemetry import MetricV1
from streams.detection.evaluation import Detector
from streams.detection.kinds.composite import Composite
from streams.detection.kinds.threshold import Threshold

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)


def load(second: int, value: float) -> MetricV1:
    return MetricV1(
        occurred_at=NOON.replace(second=second), service="shop", name="load", value=value
    )


def test_a_rule_that_combines_others_hears_them_from_its_place_on() -> None:
    """It would be silent until the next restart."""
    busy = Threshold(name="busy", metric="load", threshold=5, severity=3)
    both = Composite(name="both", all=("busy",), severity=1)
    detector = Detector([busy])
    origin = Origin(topic="t", partition=0, offset=0)
    assert [alert.rule for alert in detector.hear(load(0, 1), origin)] == []
    detector.replace_rules([busy, both])
    heard = detector.hear(load(1, 9), origin.model_copy(update={"offset": 1}))
    told = [*heard, *detector.tick(NOON.replace(second=2))]
    assert [(alert.rule, alert.state) for alert in told] == [("busy", "firing"), ("both", "firing")]
    detector.replace_rules([busy])
    (ended,) = detector.tick(NOON.replace(second=3))
    assert (ended.rule, ended.reason) == ("both", "the policy has no such rule any more")
