"""A drill through real hops to real receivers."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.commands import Declare, Report
from schemas.notices import Outcome
from streams.gateways.drills import exercise
from streams.gateways.incidents import Done
from tests.pipeline import Pipeline
from tests.receivers import Answer

pytestmark = [pytest.mark.broker, pytest.mark.slow]

POLICY = """
channels:
  chat:
    kind: slack
    url: ${SLACK_URL}
    fallback: mail
  mail:
    kind: email
    host: 127.0.0.1
    port: ${SMTP_PORT}
    security: none
    sender: tocsin@example.org
    to: [on-call@example.org]
  pager:
    kind: pagerduty
    url: ${PAGERDUTY_URL}
    routing_key: a-routing-key
routes:
  - channels: [chat, pager]
    group_wait: 2s
"""


async def test_a_drill_tells_who_was_reached_and_who_instead(
    pipeline: Pipeline, receivers: Any, tmp_path: Path
) -> None:
    """Otherwise the first outage would be the first drill."""

    policy = tmp_path / "drill.yaml"
    policy.write_text(POLICY)
    settings = pipeline.settings = pipeline.settings.model_copy(update={"policy": policy})
    pipeline.start("incidents", "notify")
    await pipeline.ready()

    def declared(number: int, severity: int) -> Declare:
        return Declare(
            occurred_at=datetime.now(UTC),
            command_id=f"drill-{number}",
            author="operator",
            severity=severity,
            service="shop",
            report=Report(summary="An exercise"),
            drill=True,
        )

    # The worst waits for nothing. The chat refuses it, and the mail is sent instead.
    receivers.web.then(*[Answer(404, b"no_service")] * 2)
    result, followed = await exercise(
        settings, declared(1, 1), source="test", within=timedelta(seconds=60)
    )
    assert isinstance(result, Done)
    assert result.step.incident.drill
    outcomes = {
        (*notice.instead_of, notice.channel): followed.receipts[name].outcome
        for name, notice in followed.notices.items()
    }
    assert outcomes["chat", "mail"] is Outcome.DELIVERED
    assert outcomes["chat",] is outcomes["pager",] is Outcome.GIVEN_UP
    (mail,) = receivers.mail.arrived
    assert mail["Subject"].startswith("[DRILL] INCIDENT DETECTED - CRITICAL")
    said = mail.get_body(("plain",)).get_content()
    assert "Sent here because chat did not take it." in said

    # A lesser one waits for its group.
    result, followed = await exercise(
        settings, declared(2, 3), source="test", within=timedelta(seconds=60)
    )
    assert isinstance(result, Done)
    receipts = list(followed.receipts.values())
    assert {each.channel: each.outcome for each in receipts} == {
        "chat": Outcome.DELIVERED,
        "pager": Outcome.DELIVERED,
    }
    assert all(each.occurred_at - each.requested_at >= timedelta(seconds=2) for each in receipts)
