"""What was written for people inside, looked for in everything that people outside can read."""

from datetime import timedelta
from typing import Any

import httpx

from schemas.lifecycle import AttachedAlert
from streams.board.application import application
from streams.board.status import Pages, status_pages
from streams.policy import Policy
from streams.status_page.api import ANSWERS
from streams.status_page.showing import State
from tests import told
from tests.unit.board.test_callbacks import CHANNELS, Broker
from tests.unit.board.test_status import Clock, Governing, Known
from tests.unit.status_page.test_showing import NOON, SETTINGS, incident, said, window

#: In every field that people inside fill in.
SECRET = "canary-db7"
POLICY = Policy(
    status_page=SETTINGS,
    services={f"{SECRET}-payments": {"components": ["Checkout"], "owner": f"{SECRET}-team"}},
)
PATHS = [
    *("/status", "/status/history", "/status/history.rss", "/status/history.atom"),
    *("/status/default", "/status/default/history", "/", "/openapi.json"),
    *(f"/api/v2/{name}" for name in ANSWERS),
]


def secret_incident(number: int, **facts: Any) -> Any:
    alert = AttachedAlert(
        fingerprint="00112233aabbccdd",
        sequence=9,
        state="firing",
        rule=f"{SECRET}-rule",
        severity=2,
        service=f"{SECRET}-payments",
        summary=f"{SECRET} summary",
        since=NOON,
        changed_at=NOON,
    )
    return incident(
        number,
        summary=f"{SECRET} is out of disk",
        impact=f"{SECRET} impact",
        service=f"{SECRET}-payments",
        services=(f"{SECRET}-payments",),
        labels={"host": f"{SECRET}.internal.example", SECRET: "1"},
        group_key=f"{SECRET}/production",
        alerts=(alert,),
        acknowledged_by=f"{SECRET}-ada",
        assigned_to=f"{SECRET}-ada",
        root_cause=f"{SECRET} cause",
        resolution=f"{SECRET} resolution",
        runbook=f"https://runbooks.example.org/{SECRET}",
        **facts,
    )


async def test_nothing_that_was_written_inside_comes_out() -> None:
    """Otherwise customers would read about other customers, machines, people and causes."""
    over = told.public(said(3, "resolved"), said(0), title="Search failed")
    incidents = (
        secret_incident(1),
        secret_incident(2, public=over),
        # Nobody said anything of it: not even that it is there.
        secret_incident(3, public=None),
    )
    given = {
        "author": f"{SECRET}-ada",
        "reason": f"{SECRET} reason",
        "matchers": ({"label": "service", "operator": "=~", "value": f"{SECRET}.*"},),
    }
    windows = (
        window(silence_id=f"{SECRET}-upgrade", **given),
        window(
            silence_id=f"{SECRET}-old",
            ends_at=NOON - timedelta(hours=1),
            starts_at=NOON - timedelta(hours=2),
            **given,
        ),
        window(silence_id=f"{SECRET}-mute", maintenance=False, title="", **given),
    )
    known, clock = Known(), Clock()
    known.state = lambda: State(incidents, windows)  # type: ignore[method-assign]
    pages = status_pages(Pages(Governing(POLICY), known, clock))
    app = application(CHANNELS, Broker(), clock, pages)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://board") as board:
        for path in PATHS:
            answer = await board.get(path)
            assert answer.status_code == 200, path
            assert SECRET not in answer.text.lower(), path
            assert SECRET not in str(answer.headers).lower(), path
            assert "INC-2026-03-02-003" not in answer.text, path
        # What was published is there, and so is the component that shows the service.
        summary = (await board.get("/api/v2/summary.json")).json()
    assert [each["name"] for each in summary["incidents"]] == ["Checkout fails"]
    [planned] = summary["scheduled_maintenances"]
    assert [each["name"] for each in planned["components"]] == ["Checkout"]
