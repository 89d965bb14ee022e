"""
Alarms of Amazon CloudWatch, as Simple Notification Service delivers them: in its envelope, or raw.

Sources: Amazon CloudWatch User Guide, "Notifying users on alarm changes"; Amazon SNS Developer Guide, "HTTP/HTTPS notification
JSON format" and "raw message delivery".
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec
from pydantic import ConfigDict

from schemas.telemetry import Signal
from streams.errors import Rejected
from streams.telemetry.documents import Part, read_document
from streams.telemetry.external import AlertFormat, Told, first_of, shown
from streams.telemetry.format import Names
from streams.telemetry.moments import from_text
from streams.telemetry.payload import Payload

_ALARM = ("AlarmName", "NewStateValue")


class _Envelope(Part, rename="pascal"):
    message: str
    type: str = "Notification"
    message_id: str | None = None


class _Dimension(Part):
    name: str
    value: str


class _Metric(Part, rename="pascal"):
    metric_name: str | None = None
    namespace: str | None = None
    dimensions: list[_Dimension] | None = None


class _Statistic(Part, rename="pascal"):
    metric: _Metric


class _Query(Part, rename="pascal"):
    metric_stat: _Statistic | None = None


class _Trigger(_Metric):
    metrics: list[_Query] | None = None
    """What an alarm on an expression calculates with."""


class _Alarm(Part, rename="pascal"):
    alarm_name: str
    new_state_value: str
    state_change_time: str
    alarm_arn: str | None = None
    alarm_description: str | None = None
    new_state_reason: str | None = None
    region: str | None = None
    account: str | None = msgspec.field(name="AWSAccountId", default=None)
    trigger: _Trigger | None = None


class CloudWatch(AlertFormat):
    """Reads one alarm: ``ALARM`` fires, ``OK`` resolves."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"service": ["ServiceName"], "insufficient_data": "firing"}]
        }
    )

    kind: Literal["cloudwatch"] = "cloudwatch"
    service: Names = (
        "ServiceName",
        "FunctionName",
        "DBInstanceIdentifier",
        "ClusterName",
        "AutoScalingGroupName",
    )
    """Dimensions that name the service: the first that is there."""
    environment: Names = ("Environment", "environment", "Stage")
    """Dimensions that name the environment: the first that is there."""
    insufficient_data: Literal["ignored", "firing", "resolved"] = "ignored"
    """What an alarm is that has too little data to tell."""

    def recognises(self, payload: Payload) -> bool:
        """Whether *payload* is an alarm, or SNS's envelope of whatever there is."""
        return shown(payload, *_ALARM) or shown(payload, "Type", "MessageId", "TopicArn")

    def read(self, payload: Payload) -> Sequence[Signal]:
        """
        Return the alarm of *payload*; nothing where it cannot tell.

        Raises:
            Unreadable: It is no alarm.
            Rejected: It asks to confirm a subscription, which is for a person to do.
        """
        if shown(payload, *_ALARM):
            return self._alarm(payload, read_document(_Alarm, payload.body), None)
        envelope = read_document(_Envelope, payload.body)
        if envelope.type == "SubscriptionConfirmation":
            message = "Type: asks to confirm a subscription: open the SubscribeURL of this record"
            raise Rejected(message)
        inside = read_document(_Alarm, envelope.message.encode(), "Message")
        return self._alarm(payload, inside, envelope.message_id)

    def _alarm(self, payload: Payload, told: _Alarm, message_id: str | None) -> Sequence[Signal]:
        firing = {
            "ALARM": True,
            "OK": False,
            "INSUFFICIENT_DATA": {"firing": True, "resolved": False}.get(self.insufficient_data),
        }.get(told.new_state_value)
        if firing is None:
            return ()
        at = from_text(told.state_change_time, "StateChangeTime")
        alert = self.alert(
            "alarm",
            Told(
                alert_id=told.alarm_arn
                or "/".join(_known(told.account, told.region, told.alarm_name)),
                firing=firing,
                at=first_of(at, payload.arrived, place="StateChangeTime"),
                labels=dict(_labels(told)),
                summary=told.alarm_name,
                description="\n".join(_known(told.alarm_description, told.new_state_reason)),
                signal_id=message_id,
            ),
        )
        return (alert,)


def _known(*texts: str | None) -> Iterator[str]:
    return (text for text in texts if text)


def _labels(told: _Alarm) -> Iterator[tuple[str, str]]:
    trigger = told.trigger or _Trigger()
    queries = (query.metric_stat for query in trigger.metrics or ())
    metrics = [trigger, *(query.metric for query in queries if query)]
    for metric in metrics:
        for dimension in metric.dimensions or ():
            yield dimension.name, dimension.value
    # Of an expression's metrics, the first names the alarm's.
    named = next((metric for metric in metrics if metric.metric_name), trigger)
    for name, value in (
        ("alarm", told.alarm_name),
        ("metric", named.metric_name),
        ("namespace", named.namespace),
        ("region", told.region),
        ("account", told.account),
    ):
        if value:
            yield name, value
