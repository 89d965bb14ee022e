"""What a question is about: which column says when it was, and for which settings its table can answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_CONDITIONS: Final[Mapping[str, str]] = {
    "severity": "severity IN {severity:Array(UInt8)}",
    "service": "service = {service:String}",
    "team": "owner = {team:String}",
    "tenant": "tenant = {tenant:String}",
}


@dataclass(frozen=True)
class Subject:
    """One sort of thing that history holds."""

    #: The column that says when it was.
    moment: str
    #: The settings that its table can answer for, and how; it knows nothing of the others.
    knows: Mapping[str, str]


def _knowing(*settings: str) -> Mapping[str, str]:
    return {name: _CONDITIONS[name] for name in settings}


#: An incident belongs to the time it was detected in, and to each of its services.
INCIDENTS: Final = Subject(
    "detected_at",
    {**_CONDITIONS, "service": "(service = {service:String} OR has(services, {service:String}))"},
)
ALERTS: Final = Subject("occurred_at", _knowing("severity", "service", "team", "tenant"))
CHANGES: Final = Subject("occurred_at", _knowing("service", "tenant"))
HEALTH_CHECKS: Final = Subject("occurred_at", _knowing("service", "tenant"))
#: A notice, and each attempt to deliver it, belong to the time of the step that they tell of.
NOTICES: Final = Subject("occurred_at", _knowing("severity", "tenant"))
RECEIPTS: Final = Subject("requested_at", _knowing("tenant"))
#: An incident whose service is asked for elsewhere in the statement.
TENANTS: Final = Subject("detected_at", _knowing("tenant"))
