"""Health endpoints: what to ask, and what an answer means."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from schemas.contract import Labels, Name
from schemas.telemetry import HealthStatus, HealthV1
from streams.durations import Duration, written

#: Bytes of an answer that are read.
BODY_BYTES: Final = 64 * 1024
#: Characters of an endpoint's own words that are passed on.
_MESSAGE_LENGTH: Final = 300

_WORDS: Final[Mapping[str, HealthStatus]] = {
    # Spring Boot, the health+json draft, Kubernetes components and their kin.
    **dict.fromkeys(("healthy", "ok", "up", "pass", "green", "alive"), HealthStatus.HEALTHY),
    **dict.fromkeys(("degraded", "warn", "warning", "yellow"), HealthStatus.DEGRADED),
    **dict.fromkeys(
        ("unhealthy", "error", "down", "fail", "failed", "red", "out_of_service"),
        HealthStatus.UNHEALTHY,
    ),
}


def _web_address(url: str) -> str:
    if not url or url.startswith("/"):
        return ""
    if not url.startswith(("http://", "https://")) or any(mark.isspace() for mark in url):
        message = "must be an address that starts with http:// or https://"
        raise ValueError(message)
    return url


class Probe(BaseModel):
    """One health endpoint."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        json_schema_extra={
            "examples": [
                {
                    "name": "Database",
                    "service": "shop",
                    "url": "http://127.0.0.1:3040/api/health/database",
                    "critical": True,
                    "every": "15s",
                    "within": "5s",
                }
            ]
        },
    )

    name: Name
    """Name of the check; with the service it tells this probe from others."""
    service: Name
    """The service that it says something about."""
    url: Annotated[str, Field(max_length=2_000), AfterValidator(_web_address)]
    """
    The address that is asked, by GET.

    One without a host turns the probe off, as ``${SHOP_URL:-}/health`` does where SHOP_URL is not set.
    """
    critical: bool = False
    """Whether the service is down without what is checked."""
    every: Annotated[Duration, Field(ge=timedelta(milliseconds=100))] = timedelta(seconds=15)
    """Time from one question to the next."""
    within: Annotated[Duration, Field(gt=timedelta(0), le=timedelta(minutes=2))] = timedelta(
        seconds=5
    )
    """How long the whole answer may take."""
    tenant: Name = "default"
    """The scope inside which it counts."""
    environment: Name = "production"
    """Deployment environment."""
    labels: Labels = {}
    """What else tells it from others."""
    headers: dict[Name, SecretStr] = {}
    """Request headers, such as a token."""

    @model_validator(mode="after")
    def _answered_before_asked_again(self) -> "Probe":
        # Questions of one probe never overlap, so a longer limit would silently stretch the period.
        if self.within > self.every and "within" in self.model_fields_set:
            message = f"within ({written(self.within)}) must not be longer than every ({written(self.every)})"
            raise ValueError(message)
        return self

    @property
    def limit(self) -> timedelta:
        """How long the answer may take: never longer than the period."""
        return min(self.within, self.every)


@dataclass(frozen=True)
class Answer:
    """What an endpoint said."""

    code: int
    body: bytes = b""


@dataclass(frozen=True)
class NoAnswer:
    """Why an endpoint said nothing."""

    reason: str


def judge(probe: Probe, answer: Answer | NoAnswer, at: datetime, latency: timedelta) -> HealthV1:
    """Return the signal that *answer*, asked for at *at* and there after *latency*, amounts to."""
    status, message = _verdict(answer)
    return HealthV1(
        occurred_at=at,
        tenant=probe.tenant,
        service=probe.service,
        environment=probe.environment,
        labels=probe.labels,
        # A result that is published twice, because a confirmation was lost, is one result.
        signal_id=f"{probe.service}/{probe.name}@{at.isoformat()}"[-255:],
        check=probe.name,
        status=status,
        critical=probe.critical,
        latency=latency,
        message=message,
    )


def _verdict(answer: Answer | NoAnswer) -> tuple[HealthStatus, str]:
    if isinstance(answer, NoAnswer):
        return HealthStatus.UNHEALTHY, answer.reason
    said, words = _said(answer.body)
    # A redirect is no answer either: a health check that leads to a login page is not healthy.
    if not HTTPStatus.OK <= answer.code < HTTPStatus.MULTIPLE_CHOICES:
        return HealthStatus.UNHEALTHY, _line(f"HTTP {answer.code}", words)
    if said is None or said is HealthStatus.HEALTHY:
        return HealthStatus.HEALTHY, ""
    return said, words or f"says it is {said}"


def _said(body: bytes) -> tuple[HealthStatus | None, str]:
    """Return what a body says of health, if anything, and in which words."""
    try:
        document = json.loads(body)
    except ValueError:
        return None, ""
    if not isinstance(document, dict):
        return None, ""
    words = next(
        (
            _line(document[field])
            for field in ("message", "error", "output", "detail")
            if isinstance(document.get(field), str) and document[field].strip()
        ),
        "",
    )
    return _worst(document), words


def _worst(document: Mapping[str, Any]) -> HealthStatus | None:
    """Return the worse of what ``healthy`` and ``status`` say: an endpoint may contradict itself."""
    claims = []
    if isinstance(document.get("healthy"), bool):
        claims.append(HealthStatus.HEALTHY if document["healthy"] else HealthStatus.UNHEALTHY)
    if isinstance(document.get("status"), str):
        # A word that is not known says nothing; the HTTP code then decides.
        claims.extend(filter(None, [_WORDS.get(document["status"].strip().lower())]))
    order = list(HealthStatus)
    return max(claims, key=order.index, default=None)


def _line(*parts: str) -> str:
    text = ": ".join(part for part in parts if part)
    printable = "".join(mark if mark.isprintable() else " " for mark in text)
    return " ".join(printable.split())[:_MESSAGE_LENGTH]
