"""CloudWatch's alarms through SNS and EventBridge."""

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
    for kind, said in (
        (
            "SubscriptionConfirmation",
            "Type: asks to confirm a subscription: open the SubscribeURL of this record",
        ),
        (
            "UnsubscribeConfirmation",
            (
                "Type: says that the subscription has ended: "
                "open the SubscribeURL of this record to have it back"
            ),
        ),
    ):
        document |= {"Type": kind, "Message": "You have chosen to"}
        payload = Payload(EXTERNAL, orjson.dumps(document))
        assert CloudWatch().recognises(payload)
        with pytest.raises(Rejected) as refusal:
            CloudWatch().read(payload)
        assert str(refusal.value) == said


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


def test_an_alarm_is_the_same_through_eventbridge_and_sns():
    """Otherwise one alarm would be two incidents, or would not end where its end comes the other way."""
    event = example("cloudwatch", "eventbridge-alarm")
    (direct,) = CloudWatch().read(Payload(EXTERNAL, event.value))
    envelope = orjson.loads(example("cloudwatch", "sns-alarm").value)
    envelope["Message"] = event.value.decode()
    (wrapped,) = CloudWatch().read(Payload(EXTERNAL, orjson.dumps(envelope)))
    assert direct == wrapped
    document = orjson.loads(example("cloudwatch", "raw-ok").value)
    document["AlarmArn"] = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:ServerCpuTooHigh"
    (over,) = CloudWatch().read(Payload(EXTERNAL, orjson.dumps(document)))
    assert (direct.alert_id, direct.state, over.state) == (over.alert_id, "firing", "resolved")


def test_what_is_wrong_in_an_event_is_named():
    document = orjson.loads(example("cloudwatch", "eventbridge-alarm").value)
    del document["detail"]["state"]["value"]
    with pytest.raises(Unreadable, match=r"^detail\.state\.value: is missing$"):
        CloudWatch().read(Payload(EXTERNAL, orjson.dumps(document)))
    document["detail"]["state"] |= {"value": "ALARM", "timestamp": "soon"}
    with pytest.raises(Unreadable, match=r"^detail\.state\.timestamp: "):
        CloudWatch().read(Payload(EXTERNAL, orjson.dumps(document)))
    document["detail-type"] = "CloudWatch Alarm Configuration Change"
    with pytest.raises(Rejected) as refusal:
        CloudWatch().read(Payload(EXTERNAL, orjson.dumps(document)))
    assert str(refusal.value) == (
        "detail-type: is not CloudWatch Alarm State Change: let EventBridge's rule select that"
    )
    document = orjson.loads(example("cloudwatch", "raw-ok").value) | {"NewStateValue": "RED"}
    with pytest.raises(
        Unreadable, match=r"^NewStateValue: must be ALARM or INSUFFICIENT_DATA or OK$"
    ):
        CloudWatch().read(Payload(EXTERNAL, orjson.dumps(document)))


def test_each_series_that_one_alarm_watches_fires_and_ends_by_itself():
    """Otherwise the first of them that is well would end what the others still are."""
    document = orjson.loads(example("cloudwatch", "raw-ok").value)
    told = []
    for contributor in ("a1b2", "c3d4", None):
        attributes = {"endpoint": "/api/orders"} if contributor else None
        added = {"AlarmContributorId": contributor, "AlarmContributorAttributes": attributes}
        (alert,) = CloudWatch().read(Payload(EXTERNAL, orjson.dumps(document | added)))
        told.append(alert)
    assert [alert.alert_id.partition("name")[2] for alert in told] == ["/a1b2", "/c3d4", ""]
    assert [alert.labels.get("endpoint") for alert in told] == ["/api/orders", "/api/orders", None]


def test_the_same_series_is_the_same_through_eventbridge():
    document = orjson.loads(example("cloudwatch", "eventbridge-contributor").value)
    (fired,) = CloudWatch().read(Payload(EXTERNAL, orjson.dumps(document)))
    assert fired.alert_id.endswith(":DynamoDBInsightsAlarm/6d442278dba546f6")
    assert fired.labels["TableName"] == "example-dynamodb-table-name"
    document["detail"]["state"]["value"] = "OK"
    (ended,) = CloudWatch().read(Payload(EXTERNAL, orjson.dumps(document)))
    assert (ended.state, ended.alert_id) == ("resolved", fired.alert_id)


def test_an_alarm_that_knew_too_little_in_between_ends_as_what_it_was():
    document = orjson.loads(example("cloudwatch", "raw-ok").value)
    ids = []
    for state in ("ALARM", "INSUFFICIENT_DATA", "OK"):
        payload = Payload(EXTERNAL, orjson.dumps(document | {"NewStateValue": state}))
        ids.append([(alert.state, alert.alert_id) for alert in CloudWatch().read(payload)])
    (fired,), nothing, (ended,) = ids
    assert nothing == []
    assert (fired[0], ended[0]) == ("firing", "resolved")
    assert fired[1] == ended[1]
