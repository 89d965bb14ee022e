"""A dead man's switch is heard whenever its source says again that it fires, with the time when that began."""

from datetime import UTC, datetime, timedelta

import pytest

from schemas.alerts import AlertV1
from schemas.telemetry import ExternalV1
from schemas.topics import EXTERNAL
from streams.agents.detect import DetectDesk
from streams.detection.evaluation import Detector
from streams.detection.kinds.absence import Absence
from tests.recording import Record

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
MINUTE = 60


@pytest.mark.parametrize("began", [0, -3 * 86_400, 20])
def test_a_watchdog_is_missed_when_it_is_not_said_again(began):
    """It would be missed all the time, or, where it began long ago, never."""
    desk = DetectDesk(Detector([Absence(name="dead", signal="external", within="5m", severity=1)]))
    said = [*range(0, 60 * MINUTE, MINUTE), 90 * MINUTE]
    watchdog = ExternalV1(
        occurred_at=NOON + timedelta(seconds=began),
        service="prometheus",
        source="prometheus",
        alert_id="W",
        state="firing",
        summary="everything is in order",
    )
    alerts = []
    for offset, second in enumerate(range(0, 100 * MINUTE, MINUTE)):
        now = NOON + timedelta(seconds=second)
        if second in said:
            stamp = int(now.timestamp() * 1000)
            record = Record(EXTERNAL.name, 0, offset, b"k", watchdog.to_wire(), (), stamp)
            alerts += [AlertV1.from_wire(sent.value) for sent in desk.hear(EXTERNAL, record)]
        alerts += desk.detector.tick(now)
    assert [(alert.state.value, alert.occurred_at - NOON) for alert in alerts] == [
        ("firing", timedelta(minutes=64)),
        ("resolved", timedelta(minutes=90)),
        ("firing", timedelta(minutes=95)),
    ]
    assert alerts[0].started_at == NOON + timedelta(minutes=59)
