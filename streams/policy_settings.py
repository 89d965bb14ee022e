"""The parts of a policy that are one model each."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from streams.correlation.settings import CorrelationSettings
from streams.detection.costs import DetectionSettings
from streams.incidents.settings import IncidentSettings
from streams.intake.settings import IntakeSettings
from streams.warehouse.retention import HistorySettings

SETTINGS: Final[Mapping[str, type[BaseModel]]] = {
    "incidents": IncidentSettings,
    "detection": DetectionSettings,
    "correlation": CorrelationSettings,
    "history": HistorySettings,
    "intake": IntakeSettings,
}


def settings_of(read: Mapping[str, Any]) -> dict[str, Any]:
    """Return all of them: what was *read*, and what each says by itself where nothing was."""
    return {part: read.get(part) or model() for part, model in SETTINGS.items()}


def runbooks_of(read: Mapping[str, Any]) -> str | None:
    """Return the link below which files beside the policy are read, where one was given."""
    detection: DetectionSettings | None = read.get("detection")
    return detection.runbooks if detection else None
