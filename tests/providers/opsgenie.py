"""Opsgenie's Alert API, as docs.opsgenie.com describes it."""

import re

from streams.laptop.receivers import Answer, Posted
from tests.providers.checking import closed, fault, said, text

KEY = "an-api-key"
DETAILS = {"type": "object", "additionalProperties": {"type": "string"}}
CREATE = closed(
    {"message": text(130)},
    {
        "alias": text(512),
        "description": text(15_000),
        "priority": {"enum": ["P1", "P2", "P3", "P4", "P5"]},
        "entity": text(512),
        "source": text(100),
        "user": text(100),
        "note": text(25_000),
        "tags": {"type": "array", "maxItems": 20, "items": text(50)},
        "details": DETAILS,
    },
)
ACT = closed({}, {"user": text(100), "source": text(100), "note": text(25_000)})
NOTE = closed({"note": text(25_000)}, {"user": text(100), "source": text(100)})
#: One part of an address: encoded or not, no slash.
ACTION = re.compile(r"/v2/alerts/(?P<alias>[^/]{1,512})/(?P<action>acknowledge|close|notes)")


def answer(posted: Posted) -> Answer:
    if posted.headers.get("Authorization") != f"GenieKey {KEY}":
        return said(401, message="Could not authenticate", took=0.0, requestId="r-0")
    action = ACTION.fullmatch(posted.path)
    if posted.path == "/v2/alerts":
        schema = CREATE
    # Without it the alias would be taken for the id of an alert.
    elif action and posted.query == "identifierType=alias":
        schema = NOTE if action["action"] == "notes" else ACT
    else:
        return said(404, message="not found", took=0.0, requestId="r-0")
    wrong = fault(schema, posted)
    # The details' limit is one for all of them.
    if not wrong and len("".join(posted.json().get("details", {}).values())) > 8_000:
        wrong = "details is too long"
    if wrong:
        return said(422, message=wrong[:100], took=0.0, requestId="r-0")
    return said(202, result="Request will be processed", took=0.1, requestId="r-7")
