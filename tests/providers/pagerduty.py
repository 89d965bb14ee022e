"""PagerDuty's Events API v2, as developer.pagerduty.com describes it."""

from streams.laptop.receivers import Answer, Posted
from tests.providers.checking import LINK, MOMENT, closed, fault, said, text

KEY = text(32, 32)
LINKS = {"type": "array", "items": closed({"href": LINK}, {"text": text(255)})}
PAYLOAD = closed(
    {
        "summary": text(1_024),
        "source": text(255),
        "severity": {"enum": ["critical", "warning", "error", "info"]},
    },
    {
        "timestamp": MOMENT,
        "component": text(255),
        "group": text(255),
        "class": text(255),
        "custom_details": {"type": "object"},
    },
)
EVENT = closed(
    {
        "routing_key": KEY,
        "event_action": {"enum": ["trigger", "acknowledge", "resolve"]},
        "dedup_key": text(255),
        "payload": PAYLOAD,
    },
    {"client": text(255), "client_url": LINK, "links": LINKS, "images": {"type": "array"}},
)
CHANGE = closed(
    {
        "routing_key": KEY,
        "payload": closed(
            {"summary": text(1_024)},
            {"source": text(255), "timestamp": MOMENT, "custom_details": {"type": "object"}},
        ),
    },
    {"links": LINKS},
)


def answer(posted: Posted) -> Answer:
    schemas = {"/v2/enqueue": EVENT, "/v2/change/enqueue": CHANGE}
    if posted.path not in schemas:
        return Answer(404)
    if len(posted.body) > 512 * 1024:
        return Answer(413)
    if wrong := fault(schemas[posted.path], posted):
        return said(400, status="invalid event", message="Event object is invalid", errors=[wrong])
    if posted.path.startswith("/v2/change"):
        return said(202, status="success", message="Change event processed")
    return said(
        202, status="success", message="Event processed", dedup_key=posted.json()["dedup_key"]
    )
