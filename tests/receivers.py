"""Receivers for tests: what the policy needs to find them, and what they were told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from schemas.notices import NoticeV1
from streams.laptop.receivers import DROP, HALF, HANG, Answer, HttpReceiver, MailReceiver

__all__ = [
    "DROP",
    "HALF",
    "HANG",
    "Answer",
    "HttpReceiver",
    "MailReceiver",
    "Receivers",
    "receiving",
]


class Receivers:
    """An HTTP receiver for Slack, PagerDuty, Twilio and webhooks, and a mail server."""

    def __init__(self, web: HttpReceiver, mail: MailReceiver) -> None:
        self.web = web
        self.mail = mail

    def environment(self) -> dict[str, str]:
        """Return the variables by which policies find them."""
        return {
            "SLACK_URL": f"{self.web.url}/services/T0/B0/secret",
            "PAGERDUTY_URL": self.web.url,
            "PAGERDUTY_ROUTING_KEY": "a-routing-key",
            "PAGER_URL": self.web.url,
            "TWILIO_URL": self.web.url,
            "TWILIO_ACCOUNT_SID": "AC00000000000000000000000000000000",
            "TWILIO_AUTH_TOKEN": "a-token",
            "WEBHOOK_URL": f"{self.web.url}/hook",
            "WEBHOOK_SECRET": "a-shared-secret",
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(self.mail.port),
        }

    def notices(self, channel: str) -> list[NoticeV1]:
        """Return the notices that the webhook called *channel* was sent, repeats included."""
        found = [
            NoticeV1.model_validate(posted.json()["data"]["notice"])
            for posted in self.web.arrived
            if posted.headers.get("Content-Type", "").startswith("application/cloudevents+json")
        ]
        return [notice for notice in found if notice.channel == channel]

    def notice_ids(self, channel: str) -> list[str]:
        """Return their ids."""
        return [notice.notice_id for notice in self.notices(channel)]


@asynccontextmanager
async def receiving() -> AsyncIterator[Receivers]:
    """Run receivers while a test runs."""
    async with HttpReceiver() as web, MailReceiver() as mail:
        yield Receivers(web, mail)
