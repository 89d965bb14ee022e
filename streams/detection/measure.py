"""Some of the signals of one metric, as a rule author writes it: its name, or ``{metric: requests_total, match: [status=~"5.."]}``."""

import hashlib
from functools import cached_property
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict

from schemas.contract import Name
from schemas.telemetry import MetricV1, Signal
from streams.detection.matching import Matchers, Predicate, predicate


class Selection(BaseModel):
    """A metric, and which of its signals."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    metric: Name
    """Name of the metric."""
    match: Matchers = ()
    """Comparisons of labels that must hold for a signal to be counted; all signals where it is left out."""

    @cached_property
    def _holds(self) -> Predicate | None:
        return predicate(self.match)

    def holds(self, signal: MetricV1) -> bool:
        """Whether *signal* is one of them."""
        return signal.name == self.metric and (self._holds is None or self._holds(signal))


def _by_name(given: Any) -> Any:
    return {"metric": given} if isinstance(given, str) else given


Measure = Annotated[Selection, BeforeValidator(_by_name)]


def source_of(signal: Signal) -> str:
    """Return what tells the sources of one amount apart: their labels."""
    if not signal.labels:
        return ""
    given = sorted(item for item in signal.labels.items() if item[1])
    return hashlib.blake2b(orjson.dumps(given), digest_size=6).hexdigest()
