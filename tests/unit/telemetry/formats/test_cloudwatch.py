"""CloudWatch's alarms through SNS."""

import orjson
import pytest

from schemas.contract import Unreadable
from schemas.topics import EXTERNAL
from streams.errors import Rejected
from streams.telemetry.formats.cloudwatch import CloudWatch
from streams.telemetry.payload import Payload
from tests.payloads import example


def test_too_little_data_says_nothing_unless_the_policy_says_what():
    payload = Payload(EXTERNAL, example("cloudwatch", "insufficient-data").value)
    assert CloudWatch().read(payload) == ()
    (alert,) = CloudWatch(insufficient_data="firing").read(payload)
    assert alert.state == "firing"
    (alert,) = CloudWatch(insufficient_data="resolved").read(payload)
    assert alert.state == "resolved"


def test_a_subscription_is_for_a_person_to_confirm():
    """Otherwise alarms would never come, and nobody would know why."""
    document = orjson.loads(example("cloudwatch", "sns-alarm").value)
    document |= {"Type": "SubscriptionConfirmation", "Message": "You have chosen to subscribe"}
    payload = Payload(EXTERNAL, orjson.dumps(document))
    assert CloudWatch().recognises(payload)
    with pytest.raises(Rejected) as refusal:
        CloudWatch().read(payload)
    assert str(refusal.value) == (
        "Type: asks to confirm a subscription: open the SubscribeURL of this record"
    )


def test_a_notification_that_is_no_alarm_is_refused():
    document = orjson.loads(example("cloudwatch", "sns-alarm").value) | {"Message": "hunter2"}
    with pytest.raises(Unreadable, match=r"^Message: is not JSON$"):
        CloudWatch().read(Payload(EXTERNAL, orjson.dumps(document)))
    document["Message"] = "{}"
    with pytest.raises(Unreadable, match=r"^Message\.AlarmName: is missing$"):
        CloudWatch().read(Payload(EXTERNAL, orjson.dumps(document)))


def test_an_alarm_without_an_arn_is_known_by_account_region_and_name():
    document = orjson.loads(example("cloudwatch", "raw-ok").value)
    del document["AlarmArn"]
    (alert,) = CloudWatch().read(Payload(EXTERNAL, orjson.dumps(document)))
    assert alert.alert_id == "000000000000/EU (Ireland)/Example alarm name"


def test_an_alarm_on_an_expression_has_the_dimensions_of_what_it_calculates_with():
    document = orjson.loads(example("cloudwatch", "raw-ok").value)
    dimensions = [{"name": "FunctionName", "value": "checkout"}]
    metric = {"MetricName": "Errors", "Namespace": "AWS/Lambda", "Dimensions": dimensions}
    document["Trigger"] = {
        "Metrics": [
            {"Id": "rate", "Expression": "errors / calls", "ReturnData": True},
            {"Id": "errors", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}},
        ]
    }
    (alert,) = CloudWatch().read(Payload(EXTERNAL, orjson.dumps(document)))
    assert (alert.service, alert.labels["metric"]) == ("checkout", "Errors")
    document["Trigger"] = None
    (alert,) = CloudWatch().read(Payload(EXTERNAL, orjson.dumps(document)))
    assert alert.service == "unknown"
