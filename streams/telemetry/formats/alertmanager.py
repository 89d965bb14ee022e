"""Prometheus Alertmanager's webhook, version 4."""

from collections.abc import Sequence
from typing import Literal

from pydantic import ConfigDict

from schemas.contract import Unreadable
from schemas.telemetry import Signal
from streams.telemetry.alert_groups import AlertGroups
from streams.telemetry.external import shown
from streams.telemetry.payload import Payload

#: Ours sends it as a text.
_VERSIONS = (b'"4"', b"4")


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
        return shown(payload, "groupKey", "alerts", "version") and "orgId" not in payload.top

    def read(self, payload: Payload) -> Sequence[Signal]:
        """
        Return the alerts of *payload*.

        Raises:
            Unreadable: It is no such document.
        """
        if self.recognises(payload) and bytes(payload.top["version"]) not in _VERSIONS:
            raise Unreadable('version: must be "4"')
        return super().read(payload)
