"""What answers of health endpoints amount to."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from schemas.telemetry import HealthStatus
from streams.gateways.probes import Answer, NoAnswer, Probe, judge

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
DATABASE = Probe(
    name="Database", service="shop", url="http://127.0.0.1:1/api/health/database", critical=True
)


def verdict(answer: Answer | NoAnswer) -> tuple[HealthStatus, str]:
    result = judge(DATABASE, answer, AT, timedelta(milliseconds=20))
    return result.status, result.message


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(200), (HealthStatus.HEALTHY, "")),
        (Answer(204), (HealthStatus.HEALTHY, "")),
        (Answer(200, b"OK"), (HealthStatus.HEALTHY, "")),
        (Answer(200, b'{"status":"UP"}'), (HealthStatus.HEALTHY, "")),
        (Answer(200, b'{"healthy":true,"message":"all well"}'), (HealthStatus.HEALTHY, "")),
        (Answer(200, b'{"status":"running"}'), (HealthStatus.HEALTHY, "")),
        (Answer(200, b'["down"]'), (HealthStatus.HEALTHY, "")),
        (Answer(200, b'{"healthy":false}'), (HealthStatus.UNHEALTHY, "says it is unhealthy")),
        (
            Answer(200, b'{"healthy":false,"message":"no disk"}'),
            (HealthStatus.UNHEALTHY, "no disk"),
        ),
        (
            Answer(200, b'{"status":"pass","healthy":false,"error":"no"}'),
            (HealthStatus.UNHEALTHY, "no"),
        ),
        (Answer(200, b'{"status":"warn","output":"slow"}'), (HealthStatus.DEGRADED, "slow")),
        (
            Answer(200, b'{"status":"Out_Of_Service"}'),
            (HealthStatus.UNHEALTHY, "says it is unhealthy"),
        ),
        (Answer(503), (HealthStatus.UNHEALTHY, "HTTP 503")),
        (
            Answer(503, b'{"status":"unhealthy","message":"unable to open\\ndatabase file"}'),
            (HealthStatus.UNHEALTHY, "HTTP 503: unable to open database file"),
        ),
        (Answer(500, b'{"status":"healthy"}'), (HealthStatus.UNHEALTHY, "HTTP 500")),
        (Answer(302), (HealthStatus.UNHEALTHY, "HTTP 302")),
        (NoAnswer("no answer within 5 s"), (HealthStatus.UNHEALTHY, "no answer within 5 s")),
    ],
)
def test_an_answer_is_judged_by_its_code_and_by_what_its_body_says(
    answer: Answer | NoAnswer, expected: tuple[HealthStatus, str]
) -> None:
    """Otherwise an endpoint that says it is ill with code 200 would pass for healthy, or the reverse."""
    assert verdict(answer) == expected


def test_words_of_an_endpoint_are_cut_to_one_short_line() -> None:
    """Otherwise a stranger's control characters and megabytes would travel into notices."""
    status, message = verdict(
        Answer(200, b'{"healthy":false,"message":"a\\u001b[31m' + b"b" * 900 + b'"}')
    )
    assert status is HealthStatus.UNHEALTHY
    assert len(message) == 300
    assert message.isprintable()


def test_a_result_carries_what_the_probe_is_about() -> None:
    """Otherwise rules could not tell services, checks and what is critical apart."""
    result = judge(DATABASE, Answer(200), AT, timedelta(milliseconds=20))
    assert result.model_dump(exclude_defaults=True) == {
        "occurred_at": AT,
        "service": "shop",
        "check": "Database",
        "status": HealthStatus.HEALTHY,
        "critical": True,
        "latency": timedelta(milliseconds=20),
        "signal_id": "shop/Database@2026-03-01T12:00:00+00:00",
    }


def test_a_limit_longer_than_the_period_is_refused() -> None:
    """Otherwise a hung endpoint would silently be asked less often than the policy says."""
    with pytest.raises(ValidationError, match="must not be longer than every"):
        Probe(name="a", service="b", url="http://c", every="2s", within="5s")


def test_a_short_period_shortens_the_limit_nobody_wrote() -> None:
    """Otherwise every probe with a short period would have to repeat its limit."""
    probe = Probe(name="a", service="b", url="http://c", every="1s")
    assert probe.limit == timedelta(seconds=1)


@pytest.mark.parametrize("url", ["", "/health"])
def test_a_probe_without_a_host_is_off(url: str) -> None:
    """A policy for many installations would call outages of services that one of them does not have."""
    assert not Probe(name="Database", service="shop", url=url).url


@pytest.mark.parametrize("url", ["ftp://c", "c:3040/health", "http://a b/", " "])
def test_an_address_that_is_no_web_address_is_refused(url: str) -> None:
    """Otherwise a typing error would be reported as an outage of the service."""
    with pytest.raises(ValidationError, match="must be an address that starts with http"):
        Probe(name="a", service="b", url=url)


def test_secrets_of_a_probe_are_not_printed() -> None:
    """Otherwise a token would end in logs."""
    probe = Probe(name="a", service="b", url="http://c", headers={"Authorization": "Bearer hush"})
    assert "hush" not in repr(probe)
