"""Who may post, how much is taken at once, and what is kept by whoever sends it."""

import asyncio
import gzip
import hashlib
import hmac
import logging
from collections.abc import AsyncIterator

import pytest
from prometheus_client import REGISTRY

from schemas import limits
from streams.errors import Rejected, Unavailable
from streams.intake.room import Room
from streams.intake.settings import IntakeSettings
from streams.policy import Policy
from streams.telemetry.formats.alertmanager import Alertmanager
from tests.payloads import REMOTE_WRITE_1, example
from tests.unit.intake.test_application import (
    HEALTHY,
    JSON,
    PROTOBUF,
    TOKEN,
    Broker,
    Governing,
    intake_of,
    post,
)


@pytest.fixture
def broker() -> Broker:
    return Broker()


def count(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_without_a_token_nothing_is_taken_and_with_one_it_is_its_tenants(broker) -> None:
    """Otherwise anybody could raise alarms, of whomever."""
    tokens = [{"name": "collectors", "token": TOKEN, "tenant": "acme"}]
    intake = intake_of(broker, Governing(tokens=tokens))
    refused = await post(intake, "/v1/signals/health", HEALTHY)
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert "intake.tokens" in refused.json()["detail"]
    assert broker.sent == []
    shown = {"Authorization": f"Bearer {TOKEN}", "Origin": "https://example.org"}
    assert (await post(intake, "/v1/signals/health", HEALTHY, shown)).status_code == 200
    assert (broker.sent[0].key, broker.signals()[0].tenant) == (b"acme/shop", "acme")


async def test_a_signed_webhook_needs_no_token(broker) -> None:
    """Sentry can show none."""
    secret = {"format": "sentry", "secret": "client-secret"}
    intake = intake_of(broker, Governing(signatures=[secret]))
    body = example("sentry", "issue-alert").value
    signature = hmac.new(b"client-secret", body, hashlib.sha256).hexdigest()
    for given, code in ((signature, 200), ("0" * 64, 401)):
        headers = {"Sentry-Hook-Signature": given}
        assert (await post(intake, "/v1/signals/sentry", body, headers)).status_code == code
        assert (await post(intake, "/v1/signals/health", body, headers)).status_code == 401
    assert len(broker.sent) == 1


async def test_a_web_page_posts_nothing_where_no_token_is_asked_for(broker) -> None:
    """Any page could raise alarms on the machine of whoever reads it."""
    said = await post(intake_of(broker), "/v1/signals/health", HEALTHY, {"Origin": "null"})
    assert said.status_code == 401
    assert said.json() == {"detail": "web pages may not post where no token is asked for"}
    assert broker.sent == []


async def test_a_policy_that_is_published_holds_for_the_next_request(broker) -> None:
    """A token that was withdrawn would go on letting somebody in."""
    governing = Governing()
    intake = intake_of(broker, governing)
    body = example("alertmanager", "firing").value
    assert (await post(intake, "/v1/signals/external", body)).status_code == 200
    governing.policy = Policy(
        intake=IntakeSettings(tokens=[{"name": "a", "token": TOKEN}]),
        formats=(Alertmanager(tenant="eu"),),
    )
    assert (await post(intake, "/v1/signals/external", body)).status_code == 401
    shown = {"Authorization": f"Bearer {TOKEN}"}
    assert (await post(intake, "/v1/signals/external", body, shown)).status_code == 200
    assert {(record.key or b"").partition(b"/")[0] for record in broker.sent} == {b"default", b"eu"}


BUSY = [("/v1/metrics", 429), ("/v1/signals/health", 503), ("/api/v1/write", 503)]


@pytest.mark.parametrize(("path", "code"), BUSY)
async def test_what_does_not_fit_is_kept_by_its_sender(broker, path, code) -> None:
    """Prometheus, Alertmanager and Amazon SNS drop what is answered with 429; OpenTelemetry sends it again."""
    broker.waits = asyncio.Event()
    intake = intake_of(broker, room=Room(requests=1))
    first = asyncio.create_task(post(intake, "/v1/signals/health", HEALTHY))
    await broker.asked.wait()
    headers = {"Content-Type": PROTOBUF, "Content-Encoding": "snappy"}
    second = await post(intake, path, b"x", headers)
    assert (second.status_code, second.headers["retry-after"]) == (code, "1")
    broker.waits.set()
    assert (await first).status_code == 200
    assert intake.room.in_hand == 0


async def test_bodies_that_are_too_much_together_are_kept_by_their_senders(broker) -> None:
    """Otherwise a few large ones would take all the memory."""
    intake = intake_of(broker, room=Room(size=len(HEALTHY) - 1))
    assert (await post(intake, "/v1/signals/health", HEALTHY)).status_code == 503
    intake = intake_of(broker, room=Room(size=len(HEALTHY)))
    assert (await post(intake, "/v1/signals/health", HEALTHY)).status_code == 200
    # What is unpacked is in memory beside what it was unpacked from.
    packed = gzip.compress(HEALTHY)
    gzipped = {"Content-Encoding": "gzip"}
    for size, code in ((len(packed) + len(HEALTHY) - 1, 503), (len(packed) + len(HEALTHY), 200)):
        intake = intake_of(broker, room=Room(size=size))
        assert (await post(intake, "/v1/signals/health", packed, gzipped)).status_code == code


@pytest.mark.parametrize("path", ["/v1/metrics", "/v1/signals/health", "/api/v1/write"])
async def test_what_the_broker_does_not_confirm_is_sent_again(broker, path) -> None:
    """Otherwise it would be lost without a word."""
    broker.fails = Unavailable("the broker did not confirm a message on telemetry.health (X)")
    of = example("prometheus_remote_write", "version-1")
    bodies = {
        "/v1/metrics": (example("otlp", "metrics-protobuf").value, {"Content-Type": PROTOBUF}),
        "/api/v1/write": (of.value, {key: value.decode() for key, value in REMOTE_WRITE_1}),
    }
    body, headers = bodies.get(path, (HEALTHY, {}))
    before = count("tocsin_intake_signals_total", address="health")
    said = await post(intake_of(broker), path, body, headers)
    assert (said.status_code, said.headers["retry-after"]) == (503, "5")
    assert b"the broker did not confirm" in said.content
    assert count("tocsin_intake_signals_total", address="health") == before


async def test_what_the_broker_can_never_take_is_refused_for_good(broker) -> None:
    """Otherwise Prometheus would send it for ever, and nothing after it."""
    broker.fails = Rejected("value: is larger than the broker takes")
    said = await post(intake_of(broker), "/v1/signals/health", HEALTHY)
    assert said.status_code == 400


async def test_until_the_policy_is_known_everything_is_kept_by_its_sender(broker) -> None:
    """The folder's tokens may be old ones."""
    intake = intake_of(broker, missing=lambda: "the topics are still being read")
    said = await post(intake, "/v1/signals/health", HEALTHY)
    assert (said.status_code, said.headers["retry-after"]) == (503, "5")
    assert said.json() == {"detail": "the topics are still being read"}


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b" " * 1_000_000


async def test_a_body_that_is_too_large_is_refused_for_good(broker) -> None:
    """Whoever sends it would send it again, and again."""
    intake = intake_of(broker)
    for body in (b" " * (limits.POSTED_BYTES + 1), endless()):
        said = await post(intake, "/v1/metrics", body, {"Content-Type": JSON})
        assert (said.status_code, said.json()) == (
            413,
            {"message": f"at most {limits.POSTED_BYTES} bytes are read"},
        )
    assert intake.room.in_hand == 0


async def test_what_is_refused_and_what_is_rejected_is_counted_and_logged(
    broker, caplog: pytest.LogCaptureFixture
) -> None:
    """An operator would not learn that a producer sends what nobody can read."""
    names = {
        "taken": ("tocsin_intake_requests_total", {"address": "health", "status": "200"}),
        "refused": ("tocsin_intake_requests_total", {"address": "health", "status": "400"}),
        "signals": ("tocsin_intake_signals_total", {"address": "health"}),
        "rejected": ("tocsin_intake_rejected_total", {"address": "health"}),
    }
    before = {each: count(name, **labels) for each, (name, labels) in names.items()}
    secret = b'{"password": "hunter2"}'
    both = HEALTHY + b"\n" + secret
    with caplog.at_level(logging.WARNING):
        await post(intake_of(broker), "/v1/signals/health", both)
        await post(intake_of(broker), "/v1/signals/health", secret)
    grown = {each: count(name, **labels) - before[each] for each, (name, labels) in names.items()}
    assert grown == {
        "taken": 1,
        "refused": 1,
        "signals": 1,
        "rejected": 1,
    }
    assert "post taken in part address=health sender=anybody accepted=1 rejected=1" in caplog.text
    assert (
        "post refused address=health status=400 reason=occurred_at: field required" in caplog.text
    )
    assert "hunter2" not in caplog.text
