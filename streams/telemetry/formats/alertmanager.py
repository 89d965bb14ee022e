"""Prometheus Alertmanager's webhook, version 4."""

from typing import Literal

from pydantic import ConfigDict

from streams.telemetry.alert_groups import AlertGroups
from streams.telemetry.external import shown
from streams.telemetry.payload import Payload


class Alertmanager(AlertGroups):
    """Reads each alert of a notification; its fingerprint is its identity."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"service": ["service", "job"], "severities": {"page": 1, "ticket": 3}}]
        }
    )

    kind: Literal["alertmanager"] = "alertmanager"

    def recognises(self, payload: Payload) -> bool:
        """Whether *payload* is a notification of Alertmanager; Grafana's names its organisation too."""
        return (
            shown(payload, "groupKey", "alerts", "version")
            and bytes(payload.top["version"]) == b'"4"'
            and "orgId" not in payload.top
        )
