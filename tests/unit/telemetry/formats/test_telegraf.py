"""Telegraf's JSON."""

import orjson
import pytest

from schemas import limits
from schemas.contract import Unreadable
from schemas.topics import METRICS
from streams.telemetry.formats.telegraf import Telegraf
from streams.telemetry.payload import Payload
from streams.telemetry.reading import read_record
from tests.payloads import STAMPED, read_whole


def read(document, stamped=STAMPED):
    return read_whole(Telegraf(), Payload(METRICS, orjson.dumps(document), stamped=stamped))


ONE = {"name": "cpu", "fields": {"usage": 1}, "tags": {"host": "a"}, "timestamp": 1458229140}


def test_numbers_become_metrics_and_texts_do_not():
    nested = {"state": {"code": 1}, "codes": [1]}
    fields = {"value": 1, "up": False, "state": "ok", "gone": None, "load": 2.5} | nested
    found = {each.name: each.value for each in read(ONE | {"fields": fields})}
    assert found == {"cpu": 1.0, "cpu.up": 0.0, "cpu.load": 2.5}


@pytest.mark.parametrize("timestamp", [1458229140, 1458229140000, "2016-03-17T15:39:00Z"])
def test_a_time_in_any_unit_or_layout_is_the_same(timestamp):
    (metric,) = read(ONE | {"timestamp": timestamp})
    assert metric.occurred_at.isoformat() == "2016-03-17T15:39:00+00:00"


def test_one_bad_metric_is_named():
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


def test_one_bad_metric_leaves_the_others():
    """Otherwise one plugin could lose each batch that it writes in."""
    wrong = [{"name": "x"}, ONE | {"tags": ["hunter2"]}, ONE | {"timestamp": -1}]
    read = read_record(METRICS, orjson.dumps({"metrics": [ONE, *wrong, ONE]}))
    assert len(read.signals) == 2
    assert read.wrong == (
        "metrics[1].fields: is missing; metrics[2].tags: expected object, got array; "
        "metrics[3].timestamp: must be between 1970 and 2200"
    )


@pytest.mark.parametrize("missing", ["timestamp", "tags"])
def test_a_metric_without_something_is_recognised_all_the_same(missing):
    """Otherwise it would be refused in the words of another format."""
    value = orjson.dumps({name: each for name, each in ONE.items() if name != missing})
    if missing == "tags":
        assert len(read_record(METRICS, value).signals) == 1
        return
    with pytest.raises(Unreadable, match=r"^timestamp: is missing$"):
        read_record(METRICS, value)
