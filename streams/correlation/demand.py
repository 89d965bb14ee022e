"""How many alerts must fire at once before they open an incident."""

from collections.abc import Iterable
from dataclasses import dataclass

from schemas.alerts import AlertV1
from streams.correlation.settings import CorrelationSettings
from streams.correlation.silences import FIELDS
from streams.matchers import Predicate, predicate


@dataclass(frozen=True, slots=True)
class Demanded:
    """What is demanded of some alerts together."""

    count: int
    #: Of which alerts, in words; empty where of all.
    of: str = ""


class Demands:
    """What a policy demands: one number for all alerts, and others for some of them."""

    def __init__(self, settings: CorrelationSettings) -> None:
        self._otherwise = Demanded(settings.demand)
        self._demands: list[tuple[Predicate | None, Demanded]] = []
        for each in settings.demands:
            named = ", ".join(f"{it.label}{it.operator}{it.value}" for it in each.match)
            demanded = Demanded(each.demand, f" of {named}")
            self._demands.append((predicate(each.match, FIELDS), demanded))

    def of(self, alerts: Iterable[AlertV1]) -> Demanded:
        """Return what is demanded of *alerts*: the least that is demanded of one of them."""
        if not self._demands:
            return self._otherwise
        return min((self._of_one(alert) for alert in alerts), key=lambda each: each.count)

    def _of_one(self, alert: AlertV1) -> Demanded:
        for holds, demanded in self._demands:
            if holds is None or holds(alert):
                return demanded
        return self._otherwise
