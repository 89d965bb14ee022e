"""Alertmanager's notifications: what its publisher's examples do not show."""

from datetime import UTC, datetime

import orjson
import pytest

from schemas.contract import Unreadable
from streams.telemetry.formats.alertmanager import Alertmanager
from streams.telemetry.payload import Payload
from streams.telemetry.reading import read_record
from tests.payloads import STAMPED, example, read_whole


def read(settings=None, stamped=STAMPED, **changes):
    """Return the one alert of the example, with *changes* to it."""
    published = example("alertmanager", "firing")
    document = orjson.loads(published.value)
    document["alerts"][0] |= changes
    payload = Payload(published.topic, orjson.dumps(document), stamped=stamped)
    (alert,) = read_whole(Alertmanager(**(settings or {})), payload)
    return alert


def test_a_group_of_many_alerts_is_as_many_signals():
    published = example("alertmanager", "firing")
    document = orjson.loads(published.value)
    document["alerts"] *= 40
    payload = Payload(published.topic, orjson.dumps(document))
    assert len(Alertmanager().read(payload)) == 40


def test_one_bad_alert_is_named_and_the_others_count():
    """Otherwise one annotation could keep forty alerts from whoever is on call."""
    published = example("alertmanager", "firing")
    document = orjson.loads(published.value)
    good = document["alerts"][0]
    document["alerts"] = [good, good | {"startsAt": "soon"}, good | {"labels": ["hunter2"]}, good]
    read = read_record(published.topic, orjson.dumps(document), stamped=STAMPED)
    assert len(read.signals) == 2
    assert read.wrong == (
        "alerts[1].startsAt: is no RFC 3339 time; alerts[2].labels: expected object, got array"
    )
    assert read.unread == ("alerts[1]", "alerts[2]")


@pytest.mark.parametrize(("kind", "name"), [("alertmanager", "firing"), ("grafana", "resolved")])
def test_alerts_that_were_left_out_are_told_of(kind, name):
    """Otherwise what a sender cuts off would be missed without a word."""
    published = example(kind, name)
    document = orjson.loads(published.value) | {"truncatedAlerts": 3}
    read = read_record(published.topic, orjson.dumps(document), stamped=STAMPED)
    assert len(read.signals) == 1
    assert read.unread == ("truncatedAlerts",)
    assert read.wrong == (
        "truncatedAlerts: some alerts were left out, and nobody hears of them: "
        "must be 0, as it is where the webhook's max_alerts is 0"
    )
    for odd in (0, None, "3", -1):
        document["truncatedAlerts"] = odd
        assert not read_record(published.topic, orjson.dumps(document), stamped=STAMPED).unread


def test_what_is_null_is_not_there():
    alert = read(annotations=None, endsAt=None, generatorURL=None, fingerprint=None)
    assert (alert.summary, alert.url) == ("ProbeFailure", None)


@pytest.mark.parametrize("version", ["5", 5, None])
def test_another_version_is_refused_by_name(version):
    """Otherwise a document that means something else would be read as if it did not."""
    published = example("alertmanager", "firing")
    document = orjson.loads(published.value) | {"version": version}
    with pytest.raises(Unreadable) as refusal:
        read_record(published.topic, orjson.dumps(document))
    assert str(refusal.value) == 'version: must be "4"'


def test_a_resolved_alert_ends_when_it_ended():
    ends = "2023-02-06T13:21:15.5Z"
    alert = read(status="resolved", endsAt=ends)
    assert (alert.state, alert.occurred_at) == (
        "resolved",
        datetime(2023, 2, 6, 13, 21, 15, 500_000, UTC),
    )


def test_an_end_that_is_not_told_is_when_the_record_came():
    alert = read(status="resolved", endsAt="0001-01-01T00:00:00Z")
    assert alert.occurred_at.timestamp() * 1_000 == STAMPED
    began = datetime(2023, 2, 6, 13, 8, 45, 828_000, UTC)
    assert read(stamped=None, status="resolved", endsAt="").occurred_at == began


def test_the_same_labels_are_the_same_alert_where_there_is_no_fingerprint():
    labels = {"alertname": "A", "job": "shop"}
    turned = dict(reversed(labels.items()))
    assert (
        read(fingerprint="", labels=labels).alert_id == read(fingerprint="", labels=turned).alert_id
    )
    other = labels | {"job": "cart"}
    assert (
        read(fingerprint="", labels=labels).alert_id != read(fingerprint="", labels=other).alert_id
    )


def test_labels_say_whose_it_is_in_the_order_that_the_policy_says():
    labels = {"alertname": "A", "job": "node", "team": "web", "env": "staging", "severity": "page"}
    alert = read(labels=labels)
    assert (alert.service, alert.environment, alert.severity) == ("node", "staging", 1)
    assert alert.labels == {"alertname": "A", "job": "node", "team": "web", "severity": "page"}
    settings = {
        "service": ["team", "job"],
        "environment": ["cluster"],
        "environment_otherwise": "lab",
        "tenant": "acme",
        "source": "eu",
        "severities": {"Page": 2},
    }
    alert = read(settings, labels=labels)
    said = (alert.service, alert.environment, alert.severity, alert.tenant, alert.source)
    assert said == ("web", "lab", 2, "acme", "eu")


def test_an_alert_that_names_no_service_still_has_one():
    assert read(labels={"alertname": "A"}).service == "unknown"
    assert read({"service_otherwise": "infra"}, labels={"alertname": "A"}).service == "infra"
    assert read(labels={"alertname": "A", "job": "\x00"}).service == "unknown"


def test_an_address_that_is_none_of_the_web_is_left_out():
    """Otherwise a page would offer a person a script to press on."""
    assert read(generatorURL="javascript:alert(1)").url is None
    assert read(generatorURL="https://example.org/" + "x" * 2_000).url is None


def test_a_status_that_there_is_not_is_refused_without_quoting_it():
    with pytest.raises(Unreadable) as refusal:
        read(status="hunter2")
    assert str(refusal.value) == "alerts[0].status: must be firing or resolved"


def test_long_texts_are_cut():
    alert = read(annotations={"summary": "s" * 5_000, "description": "d" * 50_000})
    assert (len(alert.summary), len(alert.description)) == (1_000, 16_000)
    assert read(annotations={"summary": "two\nlines"}).summary == "two lines"


def test_grafanas_notifications_are_left_to_grafana():
    """Otherwise one alert would have two identities, by whichever format is asked first."""
    published = example("alertmanager", "firing")
    theirs = orjson.dumps(orjson.loads(published.value) | {"orgId": 1})
    assert Alertmanager().recognises(Payload(published.topic, published.value))
    assert not Alertmanager().recognises(Payload(published.topic, theirs))
