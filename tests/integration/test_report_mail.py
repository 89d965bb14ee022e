"""Reports go out by mail: one that was asked for, and those that the policy schedules."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from streams.cli.report import report as report_command
from streams.gateways.digests import Digests
from streams.gateways.migrations import migrate
from streams.laptop.warehouse.authentication import User
from streams.policy import Policy, read_policy
from streams.warehouse.rows import rows_of
from tests.integration.history import connected, incident, step, store
from tests.integration.warehouse import RunningWarehouse

POLICY = """
channels:
  managers:
    kind: email
    host: 127.0.0.1
    port: {port}
    security: none
    sender: tocsin@example.org
    to: [boss@example.org, team@example.org]
  ops:
    kind: webhook
    url: http://127.0.0.1:9
    secret: a-secret-of-the-tests
"""


async def test_a_report_is_mailed_with_its_page(
    warehouse: RunningWarehouse, receivers: Any, tmp_path: Path
) -> None:
    """Managers read mail, not terminals; and one that is sent twice should be shown once."""
    async with connected(warehouse) as clickhouse:
        await migrate(clickhouse)
        await store(clickhouse, rows_of(step(incident(1))))
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY.format(port=receivers.mail.port))
    run = CliRunner(
        env={"TOCSIN_WAREHOUSE": warehouse.url(User.READER), "TOCSIN_POLICY": str(policy)}
    )
    asked = ["trends", "--period", "week", "--until", "2024-03-02", "--compare", "--mail"]

    sent = [await asyncio.to_thread(run.invoke, report_command, [*asked, "managers"]) for _ in "ab"]
    wrong = await asyncio.to_thread(run.invoke, report_command, [*asked, "manager"])

    assert [it.exit_code for it in sent] == [0, 0], sent[0].output
    assert sent[0].output == "mailed to boss@example.org, team@example.org: SMTP 250\n"
    assert wrong.output == (
        "Error: --mail: 'manager' is no channel of kind email; did you mean 'managers'?\n"
    )
    first, second = receivers.mail.arrived
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Subject"] == "Trends: 2024-02-24 to 2024-03-02"
    assert "1 critical" in first.get_body().get_content()
    attachments = list(first.iter_attachments())
    assert [it.get_filename() for it in attachments] == ["trends-2024-03-02.html"]
    assert "<svg" in attachments[0].get_content()


async def test_a_digest_is_mailed_once_by_whoever_leads(
    warehouse: RunningWarehouse, receivers: Any, tmp_path: Path
) -> None:
    """What was mailed must be known to the next worker, and so be in the warehouse itself."""
    policy = tmp_path / "policy.yaml"
    schedule = "reports: {digests: {weekly: {every: monday 08:00, to: managers}}}"
    policy.write_text(POLICY.format(port=receivers.mail.port) + schedule)
    monday = datetime(2024, 3, 4, 8, tzinfo=UTC)

    async def given() -> Policy:
        return read_policy(policy)

    async with connected(warehouse) as clickhouse:
        await migrate(clickhouse)
        await store(clickhouse, rows_of(step(incident(1))))
        for late in (-timedelta(days=1), timedelta(0), timedelta(minutes=1), timedelta(days=3)):
            await Digests(clickhouse, given, lambda late=late: monday + late).look()
        noted = await clickhouse.select("SELECT * FROM digests FINAL ORDER BY due_at")

    assert [(row["schedule"], row["due_at"], row["outcome"]) for row in noted] == [
        ("weekly", monday - timedelta(days=7), "begun"),
        ("weekly", monday, "sent"),
    ]
    (mail,) = receivers.mail.arrived
    assert mail["Subject"] == "Digest weekly: 2024-02-26 to 2024-03-04"
    assert [it.get_filename() for it in mail.iter_attachments()] == [
        f"{name}-2024-03-04.html" for name in ("trends", "sla", "noise")
    ]
