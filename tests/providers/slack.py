"""Slack's incoming webhooks and Web API, as api.slack.com describes them."""

from streams.laptop.receivers import Answer, Posted
from tests.providers.checking import LINK, closed, fault, said, text

TOKEN = "xoxb-a-token"
BUTTON = closed(
    {
        "type": {"const": "button"},
        "action_id": text(255),
        "text": closed({"type": {"const": "plain_text"}, "text": text(75)}),
    },
    {"value": text(2_000), "url": LINK},
)
SECTION = closed(
    {
        "type": {"const": "section"},
        "text": closed(
            {"type": {"const": "mrkdwn"}, "text": text(3_000)}, {"verbatim": {"type": "boolean"}}
        ),
    },
    {"block_id": text(255)},
)
ACTIONS = closed(
    {
        "type": {"const": "actions"},
        "elements": {"type": "array", "minItems": 1, "maxItems": 25, "items": BUTTON},
    },
    {"block_id": text(255)},
)
MESSAGE = {
    "text": text(4_000),
    "blocks": {
        "type": "array",
        "minItems": 1,
        "maxItems": 50,
        "items": {"anyOf": [SECTION, ACTIONS]},
    },
}
UNFURL = {"unfurl_links": {"type": "boolean"}, "unfurl_media": {"type": "boolean"}}
TS = {"type": "string", "pattern": r"^\d{10}\.\d{6}$"}
POSTED = closed(
    MESSAGE | {"channel": text(80)},
    UNFURL
    | {
        "metadata": closed({"event_type": text(255), "event_payload": {"type": "object"}}),
        "thread_ts": TS,
        "reply_broadcast": {"type": "boolean"},
    },
)
# A message can only be changed where its channel is named by its id.
UPDATED = closed(
    MESSAGE | {"channel": {"type": "string", "pattern": "^[CGD][A-Z0-9]{2,}$"}, "ts": TS}, UNFURL
)


def answer(posted: Posted) -> Answer:
    if posted.path.startswith("/services/"):
        wrong = fault(closed(MESSAGE, UNFURL), posted)
        return Answer(400, b"invalid_payload") if wrong else Answer(200, b"ok")
    if posted.headers.get("Authorization") != f"Bearer {TOKEN}":
        return said(200, ok=False, error="invalid_auth")
    methods = {"/api/chat.postMessage": POSTED, "/api/chat.update": UPDATED}
    if posted.path not in methods:
        return said(200, ok=False, error="unknown_method")
    if wrong := fault(methods[posted.path], posted):
        return said(200, ok=False, error="invalid_arguments", detail=wrong)
    return said(200, ok=True, channel="C0000000007", ts="1709296215.000700")
