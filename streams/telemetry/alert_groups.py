"""
The document in which Prometheus Alertmanager, and Grafana after it, tell of a group of alerts.

Sources: Prometheus, Alertmanager configuration, ``webhook_config``; Grafana, "Configure webhook notifications".
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from schemas.telemetry import Signal
from streams.errors import Rejected
from streams.telemetry.dividing import Divided, divide_json
from streams.telemetry.documents import Part, read_document
from streams.telemetry.external import AlertFormat, Told, digest, first_of
from streams.telemetry.moments import from_text
from streams.telemetry.payload import Payload

_TRUNCATED: Final = (
    "truncatedAlerts: some alerts were left out, and nobody hears of them: "
    "must be 0, as it is where the webhook's max_alerts is 0"
)


class _Alert(Part):
    status: Literal["firing", "resolved"]
    labels: Mapping[str, str]
    starts_at: str = msgspec.field(name="startsAt")
    annotations: Mapping[str, str] | None = None
    ends_at: str | None = msgspec.field(name="endsAt", default=None)
    fingerprint: str | None = None
    generator_url: str | None = msgspec.field(name="generatorURL", default=None)
    # Grafana's own.
    dashboard_url: str | None = msgspec.field(name="dashboardURL", default=None)
    panel_url: str | None = msgspec.field(name="panelURL", default=None)


class _Group(Part):
    alerts: list[msgspec.Raw]
    truncated_alerts: Any = msgspec.field(name="truncatedAlerts", default=0)


class AlertGroups(AlertFormat):
    """A format whose every record tells of a group of alerts."""

    def read(self, payload: Payload) -> Sequence[Signal]:
        """
        Return the alerts of *payload*.

        Raises:
            Unreadable: It is no such document.
        """
        group = read_document(_Group, payload.body)
        for number, alert in enumerate(group.alerts):
            place = f"alerts[{number}]"
            payload.batch.add(place, self._alert(payload, alert, place))
        if isinstance(group.truncated_alerts, int) and group.truncated_alerts > 0:
            # They, and their ends, would be missed without a word.
            payload.batch.put_aside("truncatedAlerts", Rejected(_TRUNCATED))
        return payload.batch.signals

    def divide(self, payload: Payload) -> Divided:
        """Return the alerts of *payload*."""
        return divide_json(payload.value or b"", "alerts")

    def _alert(self, payload: Payload, alert: msgspec.Raw, place: str) -> Iterator[Signal]:
        told = read_document(_Alert, alert, place)
        firing = told.status == "firing"
        began = from_text(told.starts_at, f"{place}.startsAt")
        ended = from_text(told.ends_at, f"{place}.endsAt") if told.ends_at and not firing else None
        notes = told.annotations or {}
        described = notes.get("description") or notes.get("message") or ""
        yield self.alert(
            place,
            Told(
                alert_id=told.fingerprint or digest(told.labels.items()),
                firing=firing,
                at=first_of(
                    began if firing else ended, payload.arrived, began, place=f"{place}.startsAt"
                ),
                labels=told.labels,
                summary=notes.get("summary") or described or told.labels.get("alertname", ""),
                description=described,
                url=told.panel_url or told.dashboard_url or told.generator_url,
            ),
        )
