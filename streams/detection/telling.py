"""What a move of a series is told as: the alert."""

from datetime import datetime

from schemas import limits
from schemas.alerts import AlertState, AlertV1
from schemas.origin import Origin
from streams.detection.fingerprint import fingerprint
from streams.detection.rule import Evidence, Rule
from streams.detection.series import Series
from streams.detection.wording import Labels, line


def begun(
    rule: Rule, series: Series, evidence: Evidence, at: datetime, *, severity: int, sequence: int
) -> AlertV1:
    """Return the alert that *series* fires, or fires with another severity."""
    reason = line(evidence.reason)
    started_at, first = series.began or (at, series.origin)
    words = {
        "rule": rule.name,
        "tenant": series.tenant,
        "service": series.service,
        "environment": series.environment,
        "subject": series.subject,
        "labels": Labels(series.labels),
        "severity": severity,
        "value": evidence.value,
        "reason": reason,
        "message": line(evidence.message),
        "started_at": started_at,
    }
    said = rule.words(words)
    return AlertV1(
        occurred_at=at,
        tenant=series.tenant,
        fingerprint=series.fingerprint,
        sequence=sequence,
        state=AlertState.FIRING if series.alert is None else AlertState.CHANGED,
        rule=rule.name,
        severity=severity,
        service=series.service,
        environment=series.environment,
        labels=shown_labels(rule, series),
        group_key=series.alert.group_key
        if series.alert
        else group_key(said.group or series.service, series.environment),
        summary=line(said.summary or f"{rule.name}: {reason}"),
        description=(said.description or "")[: limits.TEXT_LENGTH],
        reason=reason,
        value=evidence.value,
        runbook=rule.runbook,
        owner=rule.owner,
        started_at=started_at,
        origins=_distinct(first, series.origin),
    )


def ended(
    series: Series, fired: AlertV1, reason: str, at: datetime, *, value: float | None, sequence: int
) -> AlertV1:
    """Return the alert that says that *fired* is over."""
    return fired.model_copy(
        update={
            "occurred_at": at,
            "sequence": sequence,
            "state": AlertState.RESOLVED,
            "reason": line(reason),
            "value": value,
            "origins": _distinct(
                fired.origins[0] if fired.origins else series.origin, series.origin
            ),
        }
    )


def shown_labels(rule: Rule, series: Series) -> dict[str, str]:
    """Return the labels that an alert shows: those that identify the series, and its subject."""
    name = rule.subject_label
    if not name or name in series.labels or len(series.labels) >= limits.LABEL_COUNT:
        return series.labels
    return {**series.labels, name: series.subject[: limits.LABEL_VALUE_LENGTH]}


def group_key(group: str, environment: str) -> str:
    """
    Return the key of an incident: what its alerts have in common, in one environment.

    One that is too long is cut, and told from others that begin alike by a hash.
    """
    key = "".join(mark if mark.isprintable() else " " for mark in f"{group}/{environment}")
    if len(key) <= limits.ID_LENGTH:
        return key
    rest = fingerprint(tenant="", service="", environment="", rule="", subject=key, labels={})
    return f"{key[: limits.ID_LENGTH - len(rest) - 1]}#{rest}"


def _distinct(*origins: Origin) -> tuple[Origin, ...]:
    return tuple(dict.fromkeys(origins))
