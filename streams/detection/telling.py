"""What a move of a series is told as: the alert."""

from datetime import datetime

from schemas import limits
from schemas.alerts import AlertState, AlertV1
from schemas.origin import Origin
from schemas.telemetry import Signal
from streams.detection.fingerprint import fingerprint
from streams.detection.rule import Evidence, Rule
from streams.detection.series import Series
from streams.detection.wording import Labels, line


def begun(rule: Rule, series: Series, evidence: Evidence, at: datetime, sequence: int) -> AlertV1:
    """Return the alert that *series* fires, or fires with another severity."""
    reason = line(evidence.reason)
    started_at, first = series.began or (at, series.origin)
    severity = series.held.severity
    said = rule.words(
        {
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
    )
    before = series.alert
    return AlertV1(
        occurred_at=at,
        tenant=series.tenant,
        fingerprint=series.fingerprint,
        sequence=sequence,
        state=AlertState.CHANGED if before else AlertState.FIRING,
        rule=rule.name,
        severity=severity,
        service=series.service,
        environment=series.environment,
        labels=shown_labels(rule, series),
        # An alert stays with its incident, whatever its words become.
        group_key=before.group_key
        if before
        else group_key(said.group or series.service, series.environment),
        summary=line(said.summary or f"{rule.name}: {reason}"),
        description=(said.description or evidence.detail)[: limits.TEXT_LENGTH],
        reason=reason,
        value=evidence.value,
        runbook=rule.runbook,
        owner=rule.owner,
        started_at=started_at,
        origins=_distinct(first, series.origin),
    )


def ended(
    fired: AlertV1, evidence: Evidence, at: datetime, sequence: int, *decided: Origin
) -> AlertV1:
    """Return the alert that says that *fired* is over; *decided* is the record that showed it, if there is one."""
    return fired.model_copy(
        update={
            "occurred_at": at,
            "sequence": sequence,
            "state": AlertState.RESOLVED,
            "reason": line(evidence.reason),
            "value": evidence.value,
            "origins": _distinct(*fired.origins[:1], *decided),
        }
    )


def crowded(  # noqa: PLR0913, PLR0917 - one alert, from all that it names
    rule: Rule, watched: int, signal: Signal, at: datetime, sequence: int, origin: Origin
) -> AlertV1:
    """Return the alert that says that *rule* has no room for the series of *signal*."""
    return AlertV1(
        occurred_at=at,
        tenant=signal.tenant,
        # No signal has an empty environment, so no series can have this fingerprint.
        fingerprint=fingerprint(
            tenant=signal.tenant, service="", environment="", rule=rule.name, subject="", labels={}
        ),
        sequence=sequence,
        state=AlertState.FIRING,
        rule=rule.name,
        severity=rule.severity_of(rule.fresh()),
        service=signal.service,
        environment=signal.environment,
        group_key=group_key(signal.service, signal.environment),
        summary=f"{rule.name} does not see everything: it has too many series",
        reason=f"{watched} series are watched, as many as max_series allows: further ones are left out",
        value=float(watched),
        runbook=rule.runbook,
        owner=rule.owner,
        started_at=at,
        origins=(origin,),
    )


def shown_labels(rule: Rule, series: Series) -> dict[str, str]:
    """Return the labels that an alert shows: those that identify the series, or that its rule keeps, and its subject."""
    labels = rule.labels_of(series.memory, series.labels)
    name = rule.subject_label
    if not name or name in labels or len(labels) >= limits.LABEL_COUNT:
        return labels
    return {**labels, name: series.subject[: limits.LABEL_VALUE_LENGTH]}


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
