"""
What other systems' words of urgency mean here.

Levels of logs are OpenTelemetry severity numbers; those of syslog are as in OpenTelemetry's Logs Data Model, appendix B.
"""

from collections.abc import Mapping
from typing import Final

#: Severity of an alert, 1 critical to 4 low, by the word that a monitoring system uses.
_ALERTS: Final[Mapping[str, int]] = {
    word: severity
    for severity, words in (
        (1, "critical crit fatal emergency emerg page disaster p1 sev1 1"),
        (2, "high major error err alert p2 sev2 2"),
        (3, "warning warn medium minor average p3 sev3 3"),
        (4, "low info informational information notice debug p4 sev4 4 p5 sev5 5"),
    )
    for word in words.split()
}
_LEVELS: Final[Mapping[str, int]] = {
    "trace": 1,
    "debug": 5,
    "info": 9,
    "information": 9,
    "informational": 9,
    "notice": 10,
    "warn": 13,
    "warning": 13,
    "error": 17,
    "err": 17,
    "severe": 17,
    "critical": 18,
    "crit": 18,
    "alert": 19,
    "fatal": 21,
    "panic": 21,
    "emergency": 21,
    "emerg": 21,
}
_STEPS: Final = {"2": 1, "3": 2, "4": 3}
#: By the severity of RFC 5424: emergency, alert, critical, error, warning, notice, informational, debug.
SYSLOG: Final = (21, 19, 18, 17, 13, 10, 9, 5)
#: What a log record without a level is: informational.
NO_LEVEL: Final = 9


def alert_severity(word: str, words: Mapping[str, int] | None = None) -> int | None:
    """Return what *word* means, by *words* first; None where nobody knows."""
    plain = word.strip().lower()
    own = (words or {}).get(plain)
    return own if own is not None else _ALERTS.get(plain)


def level(word: str) -> int:
    """Return the OpenTelemetry severity number that *word* stands for; informational where nobody knows."""
    plain = word.strip().lower()
    # OpenTelemetry's own names go on with a step: ``WARN``, ``WARN2`` to ``WARN4``.
    step = _STEPS.get(plain[-1:], 0)
    return _LEVELS.get(plain[:-1], NO_LEVEL - step) + step if step else _LEVELS.get(plain, NO_LEVEL)
