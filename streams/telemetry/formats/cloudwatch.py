"""
Alarms of Amazon CloudWatch, as Simple Notification Service delivers them, in its envelope or raw, and as EventBridge does.

Sources: Amazon CloudWatch User Guide, "Notifying users on alarm changes" and "Alarm events and EventBridge"; Amazon SNS Developer Guide, "HTTP/HTTPS notification
JSON format" and "raw message delivery".
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec
from pydantic import ConfigDict

from schemas.telemetry import Signal
from streams.errors import ForAPerson, Rejected
from streams.telemetry.documents import Part, read_document
from streams.telemetry.external import AlertFormat, Told, first_of, shown
from streams.telemetry.format import Names
from streams.telemetry.moments import from_text
from streams.telemetry.payload import Payload

_ALARM = ("AlarmName", "NewStateValue")
_EVENT = ("detail-type", "source", "detail")
_STATE_CHANGE = "CloudWatch Alarm State Change"
_CONTRIBUTOR = "CloudWatch Alarm Contributor State Change"
#: What is said of the envelopes of SNS that bring no notification.
_REQUESTS = {
    "SubscriptionConfirmation": "asks to confirm a subscription: open the SubscribeURL of this record",
    "UnsubscribeConfirmation": "says that the subscription has ended: open the SubscribeURL of this record to have it back",
}
_StateValue = Literal["ALARM", "OK", "INSUFFICIENT_DATA"]


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
    new_state_value: _StateValue
    state_change_time: str
    alarm_arn: str | None = None
    alarm_description: str | None = None
    new_state_reason: str | None = None
    region: str | None = None
    account: str | None = msgspec.field(name="AWSAccountId", default=None)
    trigger: _Trigger | None = None
    alarm_contributor_id: str | None = None
    """Which of the time series that one alarm watches this is about."""
    alarm_contributor_attributes: dict[str, str] | None = None


class _EventMetric(Part):
    name: str | None = None
    namespace: str | None = None
    dimensions: dict[str, str] | None = None


class _EventStatistic(Part):
    metric: _EventMetric


class _EventQuery(Part, rename="camel"):
    metric_stat: _EventStatistic | None = None


class _Configuration(Part):
    description: str | None = None
    metrics: list[_EventQuery] | None = None


class _State(Part):
    value: _StateValue
    timestamp: str
    reason: str | None = None


class _Contributor(Part):
    id: str
    attributes: dict[str, str] | None = None


class _Detail(Part, rename="camel"):
    alarm_name: str
    state: _State
    configuration: _Configuration = msgspec.field(default_factory=_Configuration)
    alarm_contributor: _Contributor | None = None


class _Event(Part):
    """EventBridge's envelope of what happened in some service."""

    detail_type: str = msgspec.field(name="detail-type")
    detail: msgspec.Raw
    resources: list[str] | None = None
    id: str | None = None
    region: str | None = None
    account: str | None = None


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
        """Whether *payload* is an alarm, or the envelope of SNS or EventBridge of whatever there is."""
        return any(
            shown(payload, *names) for names in (_ALARM, _EVENT, ("Type", "MessageId", "TopicArn"))
        )

    def read(self, payload: Payload) -> Sequence[Signal]:
        """
        Return the alarm of *payload*; nothing where it cannot tell.

        Raises:
            Unreadable: It is no alarm.
            Rejected: It is about a subscription, which is for a person to do; or it is an event of another kind.
        """
        if shown(payload, *_ALARM):
            return self._alarm(payload, read_document(_Alarm, payload.body), None)
        if shown(payload, *_EVENT):
            return self._event(payload, payload.body)
        envelope = read_document(_Envelope, payload.body)
        if envelope.type in _REQUESTS:
            raise ForAPerson(f"Type: {_REQUESTS[envelope.type]}")
        inner = envelope.message.encode()
        if shown(Payload(payload.topic, inner), *_EVENT):
            # EventBridge can deliver to SNS.
            return self._event(payload, inner, "Message")
        inside = read_document(_Alarm, inner, "Message")
        return self._alarm(payload, inside, envelope.message_id)

    def _event(self, payload: Payload, body: bytes, within: str = "") -> Sequence[Signal]:
        event = read_document(_Event, body, within)
        if event.detail_type not in {_STATE_CHANGE, _CONTRIBUTOR}:
            message = (
                f"{'.'.join(_known(within, 'detail-type'))}: is not {_STATE_CHANGE}: "
                "let EventBridge's rule select that"
            )
            raise Rejected(message)
        place = ".".join(_known(within, "detail"))
        detail = read_document(_Detail, event.detail, place)
        stated, configured = detail.state, detail.configuration
        metrics = [each.metric_stat.metric for each in configured.metrics or () if each.metric_stat]
        contributor = detail.alarm_contributor
        told = _Alarm(
            alarm_contributor_id=contributor.id if contributor else None,
            alarm_contributor_attributes=contributor.attributes if contributor else None,
            alarm_name=detail.alarm_name,
            new_state_value=stated.value,
            state_change_time=stated.timestamp,
            alarm_arn=next(iter(event.resources or ()), None),
            alarm_description=configured.description,
            new_state_reason=stated.reason,
            region=event.region,
            account=event.account,
            trigger=_Trigger(
                metrics=[
                    _Query(
                        _Statistic(
                            _Metric(
                                each.name,
                                each.namespace,
                                [_Dimension(*pair) for pair in (each.dimensions or {}).items()],
                            )
                        )
                    )
                    for each in metrics
                ]
            ),
        )
        return self._alarm(payload, told, event.id, f"{place}.state.timestamp")

    def _alarm(
        self,
        payload: Payload,
        told: _Alarm,
        message_id: str | None,
        timed: str = "StateChangeTime",
    ) -> Sequence[Signal]:
        firing = {
            "ALARM": True,
            "OK": False,
            "INSUFFICIENT_DATA": {"firing": True, "resolved": False}.get(self.insufficient_data),
        }[told.new_state_value]
        if firing is None:
            return ()
        at = from_text(told.state_change_time, timed)
        alert = self.alert(
            "alarm",
            Told(
                alert_id="/".join(
                    _known(
                        told.alarm_arn
                        or "/".join(_known(told.account, told.region, told.alarm_name)),
                        # Each series that the alarm watches fires and ends by itself.
                        told.alarm_contributor_id,
                    )
                ),
                firing=firing,
                at=first_of(at, payload.arrived, place=timed),
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
    yield from (told.alarm_contributor_attributes or {}).items()
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
