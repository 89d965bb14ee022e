"""Every figure of every report by another way than SQL: plain Python over what happened."""

import itertools
from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

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
from tests.integration.recomputed_flow import availability, noise, notifications, rules
from tests.integration.truth import Truth

NEXT_DAY = "next business day"


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
        ("respond", it.acknowledged or it.resolved, it.respond_by or it.detected + respond),
        ("resolve", it.resolved, (it.resolve_by or it.detected + resolve) + paused),
    ):
        if end is not None:
            state = "met" if end < due else "missed"
        else:
            state = "missed" if until >= due else "waiting"
        judged[deadline] = (state, (end or until) - due)
    return judged


def _how_counted(it: Fact, place: int) -> str:
    """Only who responds to the least severe has until the next business day, where the incident recorded when that is."""
    until_it_closes = it.peak == 4 and place == 0 and it.respond_by is not None
    return NEXT_DAY if until_it_closes else "around the clock"


def sla(asked: Any, truth: Truth) -> dict[str, Rows]:
    _, until = asked.window
    its = [(it, _judged(it, until)) for it in chosen(asked, facts(truth))]
    rows = []
    groups = {
        (peak, deadline, place, counted): group
        for deadline, place in (("respond", 0), ("resolve", 1))
        for (peak, counted), group in grouped(
            its, lambda pair, place=place: (pair[0].peak, _how_counted(pair[0], place))
        ).items()
    }
    for (peak, deadline, place, counted), group in groups.items():
        states = Counter(judged[deadline][0] for _, judged in group)
        over = states["met"] + states["missed"]
        rows.append(
            {
                "severity_peak": peak,
                "level": NAMES[peak],
                "deadline": deadline,
                "counted": counted,
                "target_seconds": None if counted == NEXT_DAY else TARGETS[peak][place],
                "incidents": len(group),
                "met": states["met"],
                "missed": states["missed"],
                "waiting": states["waiting"],
                "compliance": states["met"] / over if over else None,
            }
        )
    rows.sort(key=lambda row: (row["severity_peak"], row["deadline"], row["counted"]))
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
    return {
        "severities": rows,
        "missed": missed[:10],
        "checklist": _checklist([it for it, _ in its], until),
    }


def ticked(it: Fact, due: datetime | None, done: datetime | None, until: datetime) -> str:
    """What became of one thing that was to be done."""
    if due is not None:
        # While it was resolved, nobody's time ran out.
        for before, after in itertools.pairwise(it.open):
            if before[1] and due > before[1]:
                due += after[0] - before[1]
    stops = [at for at in (done, it.resolved) if at]
    passed = due is not None and due <= (min(stops) if stops else until)
    if done is not None:
        return "late" if passed else "in time"
    if passed:
        return "never"
    return "spared" if it.resolved else "waiting"


def _checklist(its: list[Fact], until: datetime) -> Rows:
    tasks = [
        (name, place, ticked(it, due, done, until), done and (done - it.detected).total_seconds())
        for it in its
        for place, (name, (due, done)) in enumerate(it.tasks.items())
    ]
    rows = []
    for (_, name), group in sorted(grouped(tasks, lambda task: (task[1], task[0])).items()):
        states = Counter(state for _, _, state, _ in group)
        judged = states["in time"] + states["late"] + states["never"]
        rows.append(
            {
                "item": name,
                "incidents": len(group),
                "in_time": states["in time"],
                "late": states["late"],
                "never": states["never"],
                "not_due": states["waiting"] + states["spared"],
                "compliance": states["in time"] / judged if judged else None,
                "median_seconds": percentile([taken for *_, taken in group], 0.5),
            }
        )
    return rows


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
