"""Hop 1: telemetry in, alerts out."""

from collections.abc import Iterable, Mapping
from typing import Any

from schemas.alerts import AlertV1
from schemas.origin import Origin
from schemas.ticks import TickV1
from schemas.topics import ALERTS, TELEMETRY, TICKS, TopicDeclaration
from streams.agents.outgoing import Outgoing, outgoing
from streams.detection.evaluation import Detector
from streams.telemetry.reading import read_signals

NAME = "detect"
INPUTS = (*TELEMETRY, TICKS)


class DetectDesk:
    """One partition of detection: reads signals and lets the detector judge them."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def hear(self, topic: TopicDeclaration, record: Any) -> Iterable[Outgoing]:
        """Judge the signals of one record; see ``Desk.hear``."""
        signals = read_signals(topic, record.value, record.headers, stamped=record.timestamp)
        origin = origin_of(record)
        return _sent(alert for signal in signals for alert in self._detector.hear(signal, origin))

    def tick(self, tick: TickV1) -> Iterable[Outgoing]:
        """Judge what only time can tell."""
        return _sent(self._detector.tick(tick.occurred_at))

    def changes(self) -> Mapping[str, bytes | None]:
        """Return what rules remember differently since the last call."""
        return self._detector.changes()

    def restore(self, entries: Mapping[str, bytes]) -> None:
        """Take what rules remembered."""
        self._detector.restore(entries)


def origin_of(record: Any) -> Origin:
    """Return where *record* stands in the log."""
    return Origin(topic=record.topic, partition=record.partition, offset=record.offset)


def _sent(alerts: Iterable[AlertV1]) -> list[Outgoing]:
    return [outgoing(ALERTS, alert, source=NAME) for alert in alerts]
