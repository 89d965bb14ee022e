"""Every figure of every report by another way than SQL: plain Python over what happened."""

import itertools
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from schemas.alerts import AlertState
from schemas.notices import Outcome, Purpose
from schemas.telemetry import HealthStatus
from streams.warehouse.report import Report
from tests.integration.facts import (
    NAMES,
    TARGETS,
    Fact,
    Rows,
    chosen,
    facts,
    figures,
    grouped,
    mean,
    percentile,
    total,
)
from tests.integration.truth import Truth


def mttr(asked: Report, truth: Truth) -> dict[str, Rows]:
    its = chosen(asked, facts(truth))
    by_severity = [
        {
            "severity": severity,
            "severity_name": NAMES[severity],
            "measure": measure,
            "incidents": len(group),
            **figures([it.times[measure] for it in group]),
        }
        for severity, group in sorted(grouped(its, lambda it: it.severity).items())
        for measure in ("TTD", "TTA", "TTM", "TTR")
    ]
    by_service = [
        {
            "service": service,
            "incidents": len(group),
            "total_seconds": total(it.times["TTR"] for it in group),
            **figures([it.times["TTR"] for it in group]),
        }
        for service, group in grouped(its, lambda it: it.service).items()
    ]
    by_service.sort(key=lambda row: (-(row["total_seconds"] or 0), row["service"]))
    return {"severities": by_severity, "services": by_service}


def _trend(its: list[Fact]) -> dict[str, Any]:
    ttr = [it.times["TTR"] for it in its]
    return {
        "incidents": len(its),
        **{NAMES[level]: sum(it.severity == level for it in its) for level in NAMES},
        "resolved": sum(it is not None for it in ttr),
        "reopened": sum(it.reopened > 0 for it in its),
        "never_acknowledged": sum(
            it.acknowledged is None and it.resolved is not None for it in its
        ),
        **{
            f"m{measure.lower()}_seconds": mean(it.times[measure] for it in its)
            for measure in ("TTD", "TTA", "TTM", "TTR")
        },
        "p50_seconds": percentile(ttr, 0.5),
        "p90_seconds": percentile(ttr, 0.9),
        "p95_seconds": percentile(ttr, 0.95),
    }


def _bucket(at: datetime, period: str) -> date:
    day = at.date()
    if period == "quarter":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if period == "year" else day


def trends(asked: Any, truth: Truth) -> dict[str, Rows]:
    everything = facts(truth)
    begin, end = asked.window
    its = chosen(asked, everything)
    before = chosen(asked, everything, (_before(asked), begin)) if asked.compare else []
    now, then = _trend(its), _trend(before)
    headings = {
        "incidents": "incidents",
        "critical": "1 critical",
        "high": "2 high",
        "medium": "3 medium",
        "low": "4 low",
        "resolved": "resolved",
        "reopened": "reopened",
        "never_acknowledged": "ended without acknowledgement",
        "mttd_seconds": "MTTD",
        "mtta_seconds": "MTTA",
        "mttm_seconds": "MTTM",
        "mttr_seconds": "MTTR",
        "p50_seconds": "TTR p50",
        "p90_seconds": "TTR p90",
        "p95_seconds": "TTR p95",
    }
    summary = [
        {
            "figure": heading,
            "now": now[name],
            "before": then[name] if asked.compare else None,
            "change": (now[name] - then[name]) / then[name]
            if asked.compare and now[name] is not None and then[name]
            else None,
        }
        for name, heading in headings.items()
    ]
    groups = grouped(its, lambda it: _bucket(it.detected, asked.period))
    places = sorted(
        {_bucket(begin + timedelta(days=n), asked.period) for n in range((end - begin).days)}
    )
    buckets = [{"begins": place, **_trend(groups[place])} for place in places]

    def leading(what: Any) -> Rows:
        ours, theirs = grouped(its, what), Counter(what(it) for it in before)
        rows = [
            {
                "key": name,
                "what": name or "not written down",
                "incidents": len(ours.get(name, [])),
                "before": theirs.get(name, 0),
                "mttr_seconds": mean(it.times["TTR"] for it in ours.get(name, [])),
                "share": len(ours.get(name, [])) / len(its) if its else None,
            }
            for name in {*ours, *theirs}
        ]
        rows.sort(key=lambda row: (-row["incidents"], -row["before"], row.pop("key")))
        return rows[:10]

    return {
        "summary": summary,
        "buckets": buckets,
        "causes": leading(lambda it: it.cause),
        "services": leading(lambda it: it.service),
    }


def _before(asked: Any) -> datetime:
    begin: datetime = asked.window[0]
    if asked.period == "year":
        return begin.replace(year=begin.year - 1)
    return begin - timedelta(days={"week": 7, "month": 30, "quarter": 91}[asked.period])


def _judged(it: Fact, until: datetime) -> dict[str, tuple[str, timedelta]]:
    respond, resolve = (timedelta(seconds=each) for each in TARGETS[it.peak])
    paused = sum(
        (after[0] - before[1] for before, after in itertools.pairwise(it.open) if before[1]),
        timedelta(0),
    )
    judged = {}
    for deadline, end, due in (
        ("respond", it.acknowledged or it.resolved, it.detected + respond),
        ("resolve", it.resolved, it.detected + resolve + paused),
    ):
        if end is not None:
            state = "met" if end <= due else "missed"
        else:
            state = "missed" if until > due else "waiting"
        judged[deadline] = (state, (end or until) - due)
    return judged


def sla(asked: Any, truth: Truth) -> dict[str, Rows]:
    _, until = asked.window
    its = [(it, _judged(it, until)) for it in chosen(asked, facts(truth))]
    rows = []
    for peak, group in sorted(grouped(its, lambda pair: pair[0].peak).items()):
        for deadline, place in (("respond", 0), ("resolve", 1)):
            states = Counter(judged[deadline][0] for _, judged in group)
            over = states["met"] + states["missed"]
            rows.append(
                {
                    "severity_peak": peak,
                    "level": NAMES[peak],
                    "deadline": deadline,
                    "target_seconds": TARGETS[peak][place],
                    "incidents": len(group),
                    "met": states["met"],
                    "missed": states["missed"],
                    "waiting": states["waiting"],
                    "compliance": states["met"] / over if over else None,
                }
            )
    rows.sort(key=lambda row: (row["severity_peak"], row["deadline"]))
    missed = [
        {
            "incident_id": it.incident_id,
            "tenant": it.tenant,
            "severity_peak": it.peak,
            "service": it.service,
            "summary": it.summary,
            "late_seconds": judged["resolve"][1].total_seconds(),
        }
        for it, judged in its
        if judged["resolve"][0] == "missed"
    ]
    missed.sort(key=lambda row: (-row["late_seconds"], row["tenant"], row["incident_id"]))
    return {"severities": rows, "missed": missed[:10]}


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
    alerts, notices = _alerts(asked, truth), _notices(asked, truth)
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


def causes(asked: Any, truth: Truth) -> dict[str, Rows]:
    since, until = asked.window
    everything = facts(truth)
    its = chosen(asked, everything)
    before = Counter(it.cause for it in chosen(asked, everything, (since - (until - since), since)))
    groups = grouped(its, lambda it: it.cause)
    rows = [
        {
            "key": cause,
            "cause": cause or "not written down",
            "incidents": len(groups.get(cause, [])),
            "before": before.get(cause, 0),
            "total_seconds": total(it.times["TTR"] for it in groups.get(cause, [])),
            "mean_seconds": mean(it.times["TTR"] for it in groups.get(cause, [])),
            "service_count": len({it.service for it in groups.get(cause, [])}),
            "reopened": sum(it.reopened > 0 for it in groups.get(cause, [])),
            "share": len(groups.get(cause, [])) / len(its) if its else None,
        }
        for cause in {*groups, *before}
    ]
    rows.sort(key=lambda row: (-row["incidents"], -row["before"], row.pop("key")))
    kinds = Counter(
        str(it.kind)
        for it in truth.changes
        if since <= it.occurred_at < until
        and (not asked.service or it.service == asked.service)
        and (not asked.tenant or it.tenant == asked.tenant)
    )
    return {
        "causes": rows,
        "changes": [{"kind": kind, "changes": count} for kind, count in sorted(kinds.items())],
    }


def oncall(asked: Any, truth: Truth) -> dict[str, Rows]:
    its = chosen(asked, facts(truth))
    zone = ZoneInfo(asked.zone)

    def out(it: Fact) -> bool:
        local = it.detected.astimezone(zone)
        return local.isoweekday() > 5 or not 9 <= local.hour < 18

    people = []
    for person, group in grouped(
        [it for it in its if it.acknowledged], lambda it: it.person
    ).items():
        its_figures = figures([it.times["TTA"] for it in group])
        del its_figures["counted"]
        people.append(
            {
                "person": person,
                "taken": len(group),
                "out_of_hours": sum(map(out, group)),
                "critical": sum(it.severity == 1 for it in group),
                "total_seconds": total(it.times["TTR"] for it in group),
                **its_figures,
            }
        )
    teams = [
        {
            "team": team or "no team",
            "key": team,
            "incidents": len(group),
            "out_of_hours": sum(map(out, group)),
            "not_acknowledged": sum(it.acknowledged is None for it in group),
            "mean_seconds": mean(it.times["TTA"] for it in group),
        }
        for team, group in grouped(its, lambda it: it.team).items()
    ]
    people.sort(key=lambda row: (-row["taken"], row["person"]))
    teams.sort(key=lambda row: (-row["incidents"], row.pop("key")))
    hours = grouped(its, lambda it: it.detected.astimezone(zone).hour)
    return {
        "people": people,
        "teams": teams,
        "hours": [
            {
                "hour": f"{hour:02}:00",
                "incidents": len(hours.get(hour, [])),
                "out_of_hours": sum(map(out, hours.get(hour, []))),
            }
            for hour in range(24)
        ],
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
                "waiting": len(group) - len(delivered) - given_up,
                "attempts": sum(map(len, tries)),
                "repeated": sum(len(its) > 1 for its in tries),
                **its_figures,
                "p99_seconds": percentile(seconds, 0.99),
            }
        )
    rows.sort(key=lambda row: (-row["notices"], row["channel"]))
    failed = Counter(
        (it.channel, it.reason)
        for it in truth.receipts
        if since <= it.requested_at < until
        and it.outcome is not Outcome.DELIVERED
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


RECOMPUTED = {
    "availability": availability,
    "causes": causes,
    "mttr": mttr,
    "noise": noise,
    "notifications": notifications,
    "oncall": oncall,
    "rules": rules,
    "sla": sla,
    "trends": trends,
}
