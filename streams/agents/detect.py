"""Hop 1: telemetry in, alerts out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final

from schemas import limits
from schemas.alerts import AlertV1
from schemas.origin import Origin
from schemas.ticks import TickV1
from schemas.topics import ALERTS, EXTERNAL, POLICIES, TELEMETRY, TICKS, TopicDeclaration
from streams.agents.dead_letters import Aside
from streams.agents.outgoing import Outgoing, outgoing
from streams.detection.evaluation import Detector
from streams.detection.ledger import Changes, Keep
from streams.policy import Policy
from streams.telemetry.glance import glance_at
from streams.telemetry.payload import arrived_at
from streams.telemetry.reading import Formats, latest_of, read_record

NAME = "detect"
INPUTS = (*TELEMETRY, POLICIES, TICKS)

_TIMESTAMP: Final = attrgetter("timestamp")


class DetectDesk:
    """
    One partition of detection: reads signals and lets the detector judge them.

    *name_of* gives the name that a topic has on the broker, *formats* read what other systems send.
    """

    def __init__(
        self,
        detector: Detector,
        name_of: Callable[[str], str] = str,
        formats: Formats | None = None,
    ) -> None:
        self.detector = detector
        self._formats = formats or Formats()
        self._names = {topic.name: name_of(topic.name) for topic in INPUTS}
        #: The records that were skimmed last, and when they can have happened at the latest.
        self._records: Sequence[Any] = ()
        self._latest = limits.EARLIEST

    def begin(self, positions: Mapping[str, int]) -> None:
        """Learn where reading begins; see ``Skimming.begin``."""
        self.detector.begin(self._as_on_broker(positions))

    def skim(self, topic: TopicDeclaration, records: Sequence[Any], start: int) -> int:
        """Let the detector note down what no rule has anything to say about; see ``Skimming.skim``."""
        glance = glance_at(topic)
        if glance is None or self._formats.foreign(topic):
            return start
        if records is not self._records:
            self._records = records
            self._latest = latest_of(min(map(_TIMESTAMP, records)))
        return self.detector.skim(self._names[topic.name], records, start, glance, self._latest)

    def hear(self, topic: TopicDeclaration, record: Any) -> Iterable[Outgoing | Aside]:
        """Judge the signals of one record; see ``Desk.hear``."""
        read = read_record(
            topic, record.value, record.headers, stamped=record.timestamp, formats=self._formats
        )
        origin = origin_of(record)
        # What other systems say again bears the time when it began.
        arrived = arrived_at(record.timestamp) if topic is EXTERNAL else None
        alerts = _sent(
            alert
            for signal in read.signals
            for alert in self.detector.hear(signal, origin, arrived)
        )
        return [*alerts, Aside(read.wrong, read.unread)] if read.unread else alerts

    def tick(self, tick: TickV1) -> Iterable[Outgoing]:
        """Judge what only time can tell."""
        return _sent(self.detector.tick(tick.occurred_at))

    def write_down(self, positions: Mapping[str, int], keep: Keep) -> Changes:
        """Return what rules remember differently; see ``Skimming.write_down``."""
        entries, resume = self.detector.changes(self._as_on_broker(positions), keep)
        return Changes(
            entries,
            {name: resume[known] for name, known in self._names.items() if known in resume},
        )

    def _as_on_broker(self, positions: Mapping[str, int]) -> dict[str, int]:
        return {self._names[topic]: position for topic, position in positions.items()}

    def changes(self) -> Mapping[str, bytes | None]:
        """Return everything that rules remember differently since the last call."""
        return self.detector.changes().entries

    def restore(self, entries: Mapping[str, bytes]) -> None:
        """Take what rules remembered."""
        self.detector.restore(entries)

    def use(self, policy: Policy) -> None:
        """Go on under the rules and formats of *policy*; what is remembered for rules that stay as they are stays."""
        self._formats = Formats(policy.formats)
        self.detector.replace_rules(policy.watched_rules)


def origin_of(record: Any) -> Origin:
    """Return where *record* stands in the log."""
    return Origin(topic=record.topic, partition=record.partition, offset=record.offset)


def _sent(alerts: Iterable[AlertV1]) -> list[Outgoing]:
    return [outgoing(ALERTS, alert, source=NAME) for alert in alerts]
