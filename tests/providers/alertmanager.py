"""A receiver of Alertmanager webhooks, version 4, as prometheus.io describes them."""

from streams.laptop.receivers import Answer, Posted
from tests.providers.checking import MOMENT, closed, fault

LABELS = {
    "type": "object",
    "propertyNames": {"pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$"},
    "additionalProperties": {"type": "string"},
}
STATUS = {"enum": ["firing", "resolved"]}
ALERT = closed(
    {
        "status": STATUS,
        "labels": LABELS | {"required": ["alertname"]},
        "annotations": LABELS,
        "startsAt": MOMENT,
        "endsAt": MOMENT,
        "generatorURL": {"type": "string"},
        "fingerprint": {"type": "string"},
    }
)
MESSAGE = closed(
    {
        "version": {"const": "4"},
        "groupKey": {"type": "string"},
        "truncatedAlerts": {"type": "integer", "minimum": 0},
        "status": STATUS,
        "receiver": {"type": "string"},
        "groupLabels": LABELS,
        "commonLabels": LABELS,
        "commonAnnotations": LABELS,
        "externalURL": {"type": "string"},
        "alerts": {"type": "array", "minItems": 1, "items": ALERT},
    }
)


def answer(posted: Posted) -> Answer:
    if posted.headers.get("Authorization") != "Bearer a-token":
        return Answer(401)
    if fault(MESSAGE, posted):
        return Answer(400)
    body = posted.json()
    if any(each["status"] == "firing" for each in body["alerts"]) != (body["status"] == "firing"):
        return Answer(400)
    # What is said of all alerts holds for each.
    common = body["commonLabels"].items()
    alike = all(common <= each["labels"].items() for each in body["alerts"])
    return Answer(200, b"") if alike and body["groupLabels"].items() <= common else Answer(400)
