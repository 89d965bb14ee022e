"""Figures of alerts, checks, notices and outages by another way than SQL."""

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import Any

from schemas.alerts import AlertState
from schemas.notices import Outcome, Purpose
from schemas.telemetry import HealthStatus
from tests.integration.facts import (
    Fact,
    Rows,
    chosen,
    facts,
    figures,
    grouped,
    mean,
    percentile,
)
from tests.integration.truth import Truth


def _alerts(asked: Any, truth: Truth) -> list[Any]:
    since, until = asked.window
    return [
        it
        for it in truth.alerts
        if since <= it.occurred_at < until
        and (not asked.severity or it.severity in asked.severity)
        and (not asked.service or it.service == asked.service)
        and (not asked.team or it.owner == asked.team)
        and (not asked.tenant or it.tenant == asked.tenant)
    ]


def _notices(asked: Any, truth: Truth) -> list[Any]:
    since, until = asked.window
    return [
        it
        for it in truth.notices
        if since <= it.occurred_at < until
        and not it.incident.drill
        and (not asked.severity or it.incident.severity in asked.severity)
        and (not asked.tenant or it.tenant == asked.tenant)
    ]


def _checks(asked: Any, truth: Truth) -> list[Any]:
    since, until = asked.window
    return [
        it
        for it in truth.checks
        if since <= it.occurred_at < until
        and (not asked.service or it.service == asked.service)
        and (not asked.tenant or it.tenant == asked.tenant)
    ]


def noise(asked: Any, truth: Truth) -> dict[str, Rows]:
    alerts = _alerts(asked, truth)
    # The handover of a shift is of no incident.
    notices = [it for it in _notices(asked, truth) if it.shift is None]
    its = chosen(asked, facts(truth))
    states = Counter(it.state for it in alerts)
    firing = [it for it in alerts if it.state is AlertState.FIRING]
    checks = _checks(asked, truth)
    stages = [
        ("health checks", len(checks)),
        ("health checks that failed", sum(it.status is not HealthStatus.HEALTHY for it in checks)),
        ("alerts that fired", len(firing)),
        ("incidents", len(its)),
        ("notices", len(notices)),
    ]
    details = [
        ("different alerts that fired", len({(it.tenant, it.fingerprint) for it in firing})),
        ("changes of severity while firing", states[AlertState.CHANGED]),
        ("alerts that resolved", states[AlertState.RESOLVED]),
        ("alerts attached to incidents", sum(it.alert_count for it in its)),
        (
            "incidents that ended without acknowledgement",
            sum(it.acknowledged is None and it.resolved is not None for it in its),
        ),
        ("incidents that came back", sum(it.reopened > 0 for it in its)),
        ("initial notices", sum(it.purpose is Purpose.INITIAL for it in notices)),
    ]
    noisiest = []
    for (tenant, fingerprint), group in grouped(
        alerts, lambda it: (it.tenant, it.fingerprint)
    ).items():
        count = sum(it.state is AlertState.FIRING for it in group)
        if count > 1:
            noisiest.append(
                {
                    "tenant": tenant,
                    "fingerprint": fingerprint,
                    "rule": group[0].rule,
                    "service": group[0].service,
                    "firings": count,
                    "latest": max(group, key=lambda it: it.sequence).summary,
                }
            )
    noisiest.sort(key=lambda row: (-row["firings"], row["tenant"], row["fingerprint"]))
    return {
        "funnel": [
            {"stage": stage, "count": count, "per_incident": count / len(its) if its else None}
            for stage, count in stages
        ],
        "details": [{"figure": figure, "count": count} for figure, count in details],
        "noisiest": noisiest[:10],
    }


def availability(asked: Any, truth: Truth) -> dict[str, Rows]:
    since, until = asked.window
    spans: dict[str, list[tuple[datetime, datetime, tuple[str, str]]]] = defaultdict(list)
    for it in facts(truth):
        if it.peak > asked.down or (asked.tenant and it.tenant != asked.tenant):
            continue
        for begin, end in it.open:
            clipped = max(begin, since), min(end or until, until)
            if clipped[0] < clipped[1]:
                for service in it.services or (it.service,):
                    spans[service].append((*clipped, (it.tenant, it.incident_id)))
    rows = []
    length = (until - since).total_seconds()
    by_service = grouped(_checks(asked, truth), lambda it: it.service)
    for service in {*spans, *by_service}:
        if asked.service and service != asked.service:
            continue
        its, checks = spans.get(service, []), by_service.get(service, [])
        down, reached = timedelta(0), since
        for begin, end, _ in sorted(its):
            down += max(timedelta(0), end - max(begin, reached))
            reached = max(reached, end)
        seconds = down.total_seconds()
        good = sum(it.status is HealthStatus.HEALTHY for it in checks)
        bad = {
            (it.tenant, it.occurred_at.replace(second=0, microsecond=0))
            for it in checks
            if it.status is HealthStatus.UNHEALTHY
        }
        rows.append(
            {
                "service": service,
                "availability": 1 - seconds / length,
                "down_seconds": seconds,
                "budget_used": seconds / (length * (1 - asked.objective / 100)),
                "incidents": len({which for _, _, which in its}),
                "longest_seconds": max(
                    ((it[1] - it[0]).total_seconds() for it in its), default=None
                ),
                "checks": len(checks),
                "good_share": good / len(checks) if checks else None,
                "bad_minutes": len(bad),
            }
        )
    rows.sort(key=lambda row: (row["availability"], row["service"]))
    return {"services": rows}


def notifications(asked: Any, truth: Truth) -> dict[str, Rows]:
    since, until = asked.window
    receipts = grouped(truth.receipts, lambda it: it.notice_id)
    rows = []
    for channel, group in grouped(_notices(asked, truth), lambda it: it.channel).items():
        tries = [sorted(receipts.get(it.notice_id, []), key=lambda r: r.attempt) for it in group]
        last = [its[-1] if its else None for its in tries]
        delivered = [it for it in last if it and it.outcome is Outcome.DELIVERED]
        given_up = sum(bool(it) and it.outcome is Outcome.GIVEN_UP for it in last)
        merged = sum(bool(it) and it.outcome is Outcome.MERGED for it in last)
        tried = [[it for it in its if it.outcome is not Outcome.MERGED] for its in tries]
        seconds = [(it.occurred_at - it.requested_at).total_seconds() for it in delivered]
        its_figures = figures(seconds)
        del its_figures["counted"]
        rows.append(
            {
                "channel": channel,
                "channel_kind": max(it.channel_kind for it in last if it),
                "notices": len(group),
                "delivered": len(delivered),
                "given_up": given_up,
                "waiting": len(group) - len(delivered) - given_up - merged,
                "merged": merged,
                "attempts": sum(map(len, tried)),
                "repeated": sum(len(its) > 1 for its in tried),
                **its_figures,
                "p99_seconds": percentile(seconds, 0.99),
            }
        )
    rows.sort(key=lambda row: (-row["notices"], row["channel"]))
    exercises = {it.notice_id for it in truth.notices if it.incident.drill}
    failed = Counter(
        (it.channel, it.reason)
        for it in truth.receipts
        if since <= it.requested_at < until
        and it.outcome not in {Outcome.DELIVERED, Outcome.MERGED}
        and it.notice_id not in exercises
        and (not asked.tenant or it.tenant == asked.tenant)
    )
    reasons = [
        {"channel": channel, "reason": reason, "attempts": count}
        for (channel, reason), count in failed.items()
    ]
    reasons.sort(key=lambda row: (-row["attempts"], row["channel"], row["reason"]))
    return {"channels": rows, "reasons": reasons[:10]}


def rules(asked: Any, truth: Truth) -> dict[str, Rows]:
    its = chosen(asked, facts(truth))
    alerts = grouped(_alerts(asked, truth), lambda it: it.rule)
    pages = Counter(
        (it.tenant, it.incident_id) for it in truth.notices if it.purpose is Purpose.INITIAL
    )
    by_rule: dict[str, list[Fact]] = defaultdict(list)
    for it in its:
        for rule in it.rules:
            by_rule[rule].append(it)
    rows = []
    for rule in {*alerts, *by_rule}:
        group = by_rule.get(rule, [])
        firing = [it for it in alerts.get(rule, []) if it.state is AlertState.FIRING]
        useful = sum(it.acknowledged is not None for it in group)
        alone = sum(it.acknowledged is None and it.resolved is not None for it in group)
        rows.append(
            {
                "rule": rule,
                "firings": len(firing),
                "alerts": len({(it.tenant, it.fingerprint) for it in firing}),
                "incidents": len(group),
                "pages": sum(pages[it.tenant, it.incident_id] for it in group),
                "useful": useful,
                "noise": alone,
                "useful_share": useful / (useful + alone) if useful + alone else None,
                "mean_seconds": mean(it.times["TTR"] for it in group),
            }
        )
    rows.sort(key=lambda row: (-row["pages"], -row["incidents"], -row["firings"], row["rule"]))
    return {"rules": rows}
