"""Mailing what is due, on a clock of the test's own."""

from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

from streams.gateways.clickhouse import WarehouseUnavailable
from streams.gateways.digests import LATEST, Digests
from streams.notifications.channel import Judgement, Verdict
from streams.notifications.channels.email import Email
from streams.policy import Policy
from streams.warehouse.digests import Digest, ReportSettings

#: A Monday.
MONDAY = datetime(2024, 3, 4, 8, tzinfo=UTC)
WEEK = timedelta(days=7)
POLICY = Policy(
    channels={
        "managers": Email.model_validate(
            {
                "host": "127.0.0.1",
                "security": "none",
                "sender": "t@example.org",
                "to": ["b@example.org"],
            }
        )
    },
    reports=ReportSettings(
        digests={
            "weekly": Digest.model_validate(
                {"every": "monday 08:00", "to": "managers", "reports": ["rules"]}
            )
        }
    ),
)


class Installation:
    """A warehouse, a mail server and a clock that outlive each worker."""

    def __init__(self) -> None:
        self.now = MONDAY - timedelta(days=3)
        self.noted: list[dict[str, Any]] = []
        self.arrived: list[EmailMessage] = []
        self.answer = Judgement(Verdict.DELIVERED, "SMTP 250")
        self.forgets = False

    async def select(self, statement: str, parameters: Any = None) -> list[dict[str, Any]]:
        del parameters
        if statement != LATEST:
            return []
        latest: dict[str, datetime] = {}
        for row in self.noted:
            latest[row["schedule"]] = max(row["due_at"], latest.get(row["schedule"], row["due_at"]))
        return [{"schedule": name, "due_at": moment} for name, moment in latest.items()]

    async def insert(self, table: str, rows: Any) -> None:
        assert table == "digests"
        if self.forgets:
            message = "ClickHouse does not answer"
            raise WarehouseUnavailable(message)
        self.noted += rows

    async def post(self, channel: Any, mail: EmailMessage) -> Judgement:
        del channel
        if self.answer.verdict is Verdict.DELIVERED:
            self.arrived.append(mail)
        return self.answer

    async def policy(self) -> Policy:
        return POLICY

    async def look(self, *, at: datetime) -> None:
        """A worker that has just started looks."""
        self.now = at
        await Digests(self, self.policy, lambda: self.now, self.post).look()


async def test_each_moment_is_mailed_once_over_restarts() -> None:
    """Managers would get a mail for each deployment."""
    it = Installation()
    for minutes in range(-60, 60, 7):
        await it.look(at=MONDAY + timedelta(minutes=minutes))
    for minutes in range(-60, 60, 7):
        await it.look(at=MONDAY + WEEK + timedelta(minutes=minutes))

    assert [mail["Subject"] for mail in it.arrived] == [
        "Digest weekly: 2024-02-26 to 2024-03-04",
        "Digest weekly: 2024-03-04 to 2024-03-11",
    ]
    assert [row["outcome"] for row in it.noted] == ["begun", "sent", "sent"]


async def test_what_was_missed_is_mailed_late_and_once() -> None:
    """An outage over a Monday morning would cost the report, or bring several."""
    it = Installation()
    await it.look(at=MONDAY - timedelta(days=1))
    await it.look(at=MONDAY + 3 * WEEK + timedelta(hours=9))
    await it.look(at=MONDAY + 3 * WEEK + timedelta(hours=10))

    assert [mail["Subject"] for mail in it.arrived] == ["Digest weekly: 2024-03-18 to 2024-03-25"]


async def test_a_server_that_is_away_is_asked_again() -> None:
    """A digest would be lost to a restart of the mail server."""
    it = Installation()
    await it.look(at=MONDAY - timedelta(days=1))
    it.answer = Judgement(Verdict.TRY_AGAIN, "no complete answer: OSError")
    await it.look(at=MONDAY)
    assert [row["outcome"] for row in it.noted] == ["begun"]

    it.answer = Judgement(Verdict.DELIVERED, "SMTP 250")
    await it.look(at=MONDAY + timedelta(minutes=1))
    assert [row["outcome"] for row in it.noted] == ["begun", "sent"]
    assert len(it.arrived) == 1


async def test_a_server_that_refuses_is_not_asked_again() -> None:
    """A wrong address would be tried every minute for a week."""
    it = Installation()
    await it.look(at=MONDAY - timedelta(days=1))
    it.answer = Judgement(Verdict.GIVE_UP, "SMTP 550")
    await it.look(at=MONDAY)
    await it.look(at=MONDAY + timedelta(minutes=1))

    assert [(row["outcome"], row["reason"]) for row in it.noted[1:]] == [("given_up", "SMTP 550")]


async def test_a_crash_after_the_mail_sends_the_same_one() -> None:
    """Another Message-ID would be another mail to whoever reads it."""
    it = Installation()
    await it.look(at=MONDAY - timedelta(days=1))
    it.forgets = True
    try:
        await it.look(at=MONDAY)
    except WarehouseUnavailable:
        it.forgets = False
    await it.look(at=MONDAY + timedelta(minutes=1))

    first, second = it.arrived
    assert first["Message-ID"] == second["Message-ID"]
    assert [row["outcome"] for row in it.noted] == ["begun", "sent"]
