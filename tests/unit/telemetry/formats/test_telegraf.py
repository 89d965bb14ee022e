"""Telegraf's JSON."""

import orjson
import pytest

from schemas import limits
from schemas.contract import Unreadable
from schemas.topics import METRICS
from streams.telemetry.formats.telegraf import Telegraf
from streams.telemetry.payload import Payload
from tests.payloads import STAMPED


def read(document, stamped=STAMPED):
    return Telegraf().read(Payload(METRICS, orjson.dumps(document), stamped=stamped))


ONE = {"name": "cpu", "fields": {"usage": 1}, "tags": {"host": "a"}, "timestamp": 1458229140}


def test_numbers_become_metrics_and_texts_do_not():
    fields = {"value": 1, "up": False, "state": "ok", "gone": None, "load": 2.5}
    found = {each.name: each.value for each in read(ONE | {"fields": fields})}
    assert found == {"cpu": 1.0, "cpu.up": 0.0, "cpu.load": 2.5}


@pytest.mark.parametrize("timestamp", [1458229140, 1458229140000, "2016-03-17T15:39:00Z"])
def test_a_time_in_any_unit_or_layout_is_the_same(timestamp):
    (metric,) = read(ONE | {"timestamp": timestamp})
    assert metric.occurred_at.isoformat() == "2016-03-17T15:39:00+00:00"


def test_one_bad_metric_refuses_the_batch_and_is_named():
    bad = ONE | {"timestamp": "hunter2"}
    with pytest.raises(Unreadable, match=r"^metrics\[1\]\.timestamp: is no RFC 3339 time$"):
        read({"metrics": [ONE, bad]})
    bad = ONE | {"name": "n" * 128}
    with pytest.raises(Unreadable, match=r"^metrics\[1\]\.fields\[0\]: name: string should have"):
        read({"metrics": [ONE, bad]})


def test_a_batch_of_too_many_is_refused():
    """Otherwise a megabyte could hold the worker up for seconds."""
    metric = ONE | {"fields": dict.fromkeys(map(str, range(1_000)), 0)}
    assert len(read({"metrics": [metric] * 20})) == limits.BATCH_SIGNALS
    with pytest.raises(Unreadable, match=r"^holds more than 20000 signals"):
        read({"metrics": [metric] * 20 + [ONE]})
