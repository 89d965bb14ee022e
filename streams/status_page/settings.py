"""A status page of a policy: whose it is, what it shows, and through which channels people outside are told."""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Annotated, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from schemas import limits
from schemas.contract import Line, Name, Severity
from schemas.public import PageV1
from streams.time_zones import ZoneName

#: Tenants that can stand in an address, below ``/status``.
PATH: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
#: What stands there already.
RESERVED: Final = ("api", "history")

_SETTINGS: Final = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def _address(text: str) -> str:
    parts = urlsplit(text)
    if text and not (parts.scheme in {"http", "https"} and parts.hostname):
        message = "must be an address that starts with http:// or https://"
        raise ValueError(message)
    return text.rstrip("/")


class Component(BaseModel):
    """One component of the status page."""

    model_config = _SETTINGS

    description: Line = ""
    """What it is, for people outside."""


class Outlet(BaseModel):
    """One channel through which people outside are told."""

    model_config = _SETTINGS

    channel: Name
    """The channel's name in the policy."""
    severities: Annotated[tuple[Severity, ...], Field(min_length=1)] = (1, 2, 3, 4)
    """Incidents of which severities it is told of, by the worst that they ever had."""


class StatusPage(BaseModel):
    """The ``status_page:`` part of a policy, and each entry of ``status_pages:``."""

    model_config = ConfigDict(
        **_SETTINGS,
        json_schema_extra={
            "examples": [
                {
                    "name": "Shop",
                    "url": "https://status.example.org",
                    "components": {"Checkout": {"description": "Orders and payments"}},
                    "tells": [{"channel": "customers", "severities": [1]}],
                }
            ]
        },
    )

    name: Name
    """Whose status it is."""
    url: Annotated[str, Field(max_length=limits.URL_LENGTH), AfterValidator(_address)] = ""
    """Where people find the page, for links in feeds and mails; at its host, nothing but pages at that host is shown."""
    components: Annotated[Mapping[Name, Component], Field(max_length=200)] = {}
    """What it shows, by name and in this order."""
    tells: tuple[Outlet, ...] = ()
    """The channels through which people outside are told of what is published."""
    since: date | None = None
    """The first day that is known of; days before are shown as unknown, and count in no uptime."""
    time_zone: ZoneName = "UTC"
    """Whose days its uptime counts, and whose clock its times are of."""
    tenant: Name = "default"
    """The tenant whose incidents it shows."""

    @property
    def page(self) -> PageV1:
        """What messages say of it."""
        return PageV1(name=self.name, url=self.url)

    @property
    def zone(self) -> ZoneInfo:
        """The zone of its days and its clock."""
        return ZoneInfo(self.time_zone)

    @property
    def host(self) -> str:
        """The host that people find it at; empty where nobody said so."""
        return urlsplit(self.url).hostname or ""

    def told(self, severity: int) -> Iterator[str]:
        """Yield the channels that hear of an incident that was of *severity* at its worst."""
        for outlet in self.tells:
            if severity in outlet.severities:
                yield outlet.channel
