"""Everything that processes of ours can tell Prometheus."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from prometheus_client import Counter, Gauge, Histogram

from streams.agents import metrics
from streams.agents.rule_watch import RuleWatch
from streams.gateways.clock import now
from streams.gateways.digests import MAILED
from streams.gateways.polling import Polling
from streams.gateways.vital_signs import Ready
from streams.intake import metrics as posts
from streams.settings import Settings
from tests.recording import RecordingEmitter


@dataclass(frozen=True)
class Exposed:
    """A metric, as queries name it."""

    name: str
    says: str
    labels: tuple[str, ...]
    kind: str

    @property
    def samples(self) -> dict[str, set[str]]:
        """The names of its samples, each with its labels."""
        labels = set(self.labels)
        if self.kind != "histogram":
            return {self.name: labels}
        sums = dict.fromkeys((f"{self.name}_sum", f"{self.name}_count"), labels)
        return sums | {f"{self.name}_bucket": labels | {"le"}}


def exposed() -> list[Exposed]:
    """Return every metric of workers, board, probe and intake."""
    return [*map(_metric, _declared()), *_collected()]


def _declared() -> Iterable[Any]:
    kinds = (Counter, Gauge, Histogram)
    for module in (metrics, posts):
        yield from (each for each in vars(module).values() if isinstance(each, kinds))
    yield MAILED
    yield from Polling([], Settings()).registry._collector_to_names


def _metric(declared: Any) -> Exposed:
    name = declared._name + "_total" * (declared._type == "counter")
    return Exposed(name, declared._documentation, declared._labelnames, declared._type)


def _collected() -> Iterable[Exposed]:
    for collector in (RuleWatch(RecordingEmitter(), now), Ready(lambda: None)):
        for family in collector.describe():
            yield Exposed(family.name, family.documentation, family._labelnames, family.type)
