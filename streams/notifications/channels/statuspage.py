"""
Atlassian Statuspage by its REST API: what was published becomes an incident there, and changes its components.

Sources: Statuspage API documentation, "Authentication" (`Authorization: OAuth KEY`), "Incidents" (create by POST, update by PATCH; `status`,
`body`, `impact_override`, `component_ids`, `components` as a map of ids to statuses, `deliver_notifications`, `metadata` of objects; a list has
the newest 100), "Rate limiting" (a request a second; more are answered by 420 or 429). It knows no idempotency keys. So each message leaves a
mark in the incident's metadata, and is looked for there before it goes out: an answer that was lost makes no second incident, and tells
nobody twice.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final, Literal
from urllib.parse import quote

import httpx
from pydantic import ConfigDict, Field, SecretStr

from schemas.contract import Name
from schemas.notices import NoticeV1, Purpose
from schemas.public import PublicImpact, PublicStatus, PublicV1
from streams.notifications.channel import (
    Channel,
    Had,
    Judgement,
    Verdict,
    WebAddress,
    document,
    field_of,
    trimmed,
)
from streams.notifications.rendering import Message, one_line, paragraphs

API: Final = "https://api.statuspage.io"
#: Incidents that are looked through; more are not given at once.
_LISTED: Final = 100
_MARK: Final = "tocsin"
#: Hexadecimal digits of a mark.
_DIGITS: Final = 32
#: Statuspage's own answer to too many requests.
_CALM_DOWN: Final = 420
_STATUSES: Final = {
    PublicImpact.CRITICAL: "major_outage",
    PublicImpact.MAJOR: "partial_outage",
    PublicImpact.MINOR: "degraded_performance",
    PublicImpact.NONE: "operational",
}


class Statuspage(Channel):
    """A page at Statuspage."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "api_key": "an-api-key",
                    "page_id": "kctbh9vrtdwd",
                    "components": {"Checkout": "8kbf7d35c070"},
                    "url": "http://127.0.0.1:9",
                }
            ]
        }
    )

    limits: ClassVar = {"name": 255, "body": 25_000}
    # Of its 60 requests a minute, two for each message.
    usual: ClassVar = 30
    merges: ClassVar = False
    outward: ClassVar = True

    kind: Literal["statuspage"] = "statuspage"
    api_key: SecretStr = SecretStr("")
    """API key of somebody who may manage incidents of the page."""
    page_id: Annotated[str, Field(max_length=64)] = ""
    """The page's id there."""
    components: Mapping[Name, Annotated[str, Field(min_length=1, max_length=64)]] = {}
    """Their ids there, by the names of the policy's status page; others are left out."""
    deliver_notifications: bool = True
    """Whether Statuspage tells its own subscribers."""
    url: WebAddress = API
    """Statuspage's address."""

    def missing(self) -> str | None:
        """Nothing can be sent without a key and a page."""
        if not self.api_key.get_secret_value():
            return "api_key"
        return "page_id" if not self.page_id else None if self.url else "url"

    def compose(
        self, notice: NoticeV1, message: Message, at: datetime, first: str | None = None
    ) -> httpx.Request:
        """
        Return the incident there, new or changed.

        Raises:
            ValueError: The notice is for people inside.
        """
        del message, at
        public = notice.incident.public
        if notice.purpose is not Purpose.PUBLIC or public is None:
            fault = "a status page is told what was published, and nothing else"
            raise ValueError(fault)
        said: dict[str, Any] = {
            "name": trimmed(one_line(public.title), self.limits["name"]),
            "status": str(public.status),
            "impact_override": str(public.impact),
            "body": trimmed(paragraphs(public.updates[0].message), self.limits["body"]),
            "components": self._statuses(public),
            "component_ids": [
                self.components[name] for name in public.components if name in self.components
            ],
            "deliver_notifications": self.deliver_notifications,
            "metadata": {_MARK: _mark(notice)},
        }
        return httpx.Request(
            "POST" if first is None else "PATCH",
            self._address(first),
            json={"incident": said},
            headers=self._login(),
        )

    def inquiry(self, notice: NoticeV1, first: str | None) -> httpx.Request | None:
        """The incident there, or those among which it must be."""
        del notice
        asked = f"?limit={_LISTED}" if first is None else ""
        return httpx.Request("GET", f"{self._address(first)}{asked}", headers=self._login())

    def had(self, notice: NoticeV1, response: httpx.Response) -> Had:
        """An incident has the mark of the last message that it took."""
        said = response.json()
        sought = _mark(notice)
        for each in said if isinstance(said, list) else [said]:
            metadata = each.get("metadata") if isinstance(each, dict) else None
            mark = metadata.get(_MARK) if isinstance(metadata, dict) else None
            if isinstance(mark, dict) and mark.get("incident") == sought["incident"]:
                known = each.get("id")
                first = known[:255] if isinstance(known, str) and known else None
                return Had(first, told=mark.get("notice") == sought["notice"])
        return Had()

    def _address(self, first: str | None) -> str:
        incidents = f"{self.url.rstrip('/')}/v1/pages/{quote(self.page_id, safe='')}/incidents"
        return incidents if first is None else f"{incidents}/{quote(first, safe='')}"

    def _login(self) -> dict[str, str]:
        return {"Authorization": f"OAuth {self.api_key.get_secret_value()}"}

    def judge(self, response: httpx.Response, at: datetime) -> Judgement:
        """Say what an answer means; 420 is Statuspage's word for too many requests."""
        if response.status_code != _CALM_DOWN:
            return super().judge(response, at)
        wait = super().judge(httpx.Response(429, headers=response.headers), at).retry_after
        return Judgement(Verdict.TRY_AGAIN, f"HTTP {_CALM_DOWN}", retry_after=wait)

    def provider_id(self, response: httpx.Response) -> str | None:
        """Statuspage answers with the incident."""
        return field_of(response, "id")

    def explanation(self, response: httpx.Response) -> str | None:
        """Statuspage says what is wrong under ``error``, as a text or a list of them."""
        error = document(response).get("error")
        listed = error if isinstance(error, list) else [error]
        return self.redacted("; ".join(each for each in listed if isinstance(each, str))) or None

    def _statuses(self, public: PublicV1) -> dict[str, str]:
        """Return the status of each component that is affected, or was before; what it goes on as speaks for those that both affect."""
        over = public.status is PublicStatus.RESOLVED
        before = {name for update in public.updates for name in update.components}
        return {
            self.components[name]: _STATUSES[public.impact]
            if name in public.components and not over
            else "operational"
            for name in sorted(before.union(public.components))
            if name in self.components and not (public.continued_as and name in public.components)
        }


def _mark(notice: NoticeV1) -> dict[str, str]:
    """Return what tells an incident and a message from all others, and says nothing about them."""
    about = {"incident": f"{notice.tenant}/{notice.incident_id}", "notice": notice.notice_id}
    return {
        name: hashlib.sha256(value.encode()).hexdigest()[:_DIGITS] for name, value in about.items()
    }
