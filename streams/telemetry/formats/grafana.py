"""Grafana Alerting's webhook contact point."""

from typing import Literal

from pydantic import ConfigDict

from streams.telemetry.alert_groups import AlertGroups
from streams.telemetry.external import shown
from streams.telemetry.payload import Payload


class Grafana(AlertGroups):
    """Reads each alert of a notification; its fingerprint is its identity."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"service": ["service", "team"], "source": "grafana-eu"}]}
    )

    kind: Literal["grafana"] = "grafana"

    def recognises(self, payload: Payload) -> bool:
        """Whether *payload* is a notification of Grafana, which names its organisation."""
        return shown(payload, "orgId", "alerts", "receiver")
