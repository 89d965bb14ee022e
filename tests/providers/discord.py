"""Discord's webhooks and interactions, as its developer documentation describes them."""

import re
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from streams.laptop.receivers import Answer, Posted
from tests.providers.checking import LINK, MOMENT, closed, fault, said, text

EMBED = closed(
    {},
    {
        "title": text(256),
        "description": text(4_096),
        "url": LINK,
        "timestamp": MOMENT,
        "color": {"type": "integer", "minimum": 0, "maximum": 0xFFFFFF},
        "footer": closed({"text": text(2_048)}),
    },
)
BUTTON = closed(
    {
        "type": {"const": 2},
        # A link has a style of its own, and no id.
        "style": {"enum": [1, 2, 3, 4]},
        "label": text(80),
        "custom_id": text(100),
    }
)
ROW = closed(
    {
        "type": {"const": 1},
        "components": {"type": "array", "minItems": 1, "maxItems": 5, "items": BUTTON},
    }
)
MESSAGE = closed(
    {
        "embeds": {"type": "array", "minItems": 1, "maxItems": 10, "items": EMBED},
        "allowed_mentions": closed({"parse": {"type": "array", "maxItems": 0}}),
    },
    {
        "content": text(2_000),
        "components": {"type": "array", "maxItems": 5, "items": ROW},
    },
)
PATH = re.compile(r"/api/webhooks/\d+/secret(/messages/\d+)?")

#: The application's key; its public half is what Discord shows.
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC_KEY = KEY.public_key().public_bytes_raw().hex()


def interaction(at: datetime, said: dict[str, Any], key: Ed25519PrivateKey = KEY) -> Any:
    """As Discord posts it: Ed25519 over the timestamp and the body."""
    body = orjson.dumps({"version": 1, "application_id": "7", "token": "t"} | said)
    stamp = str(int(at.timestamp()))
    return {
        "X-Signature-Ed25519": key.sign(stamp.encode() + body).hex(),
        "X-Signature-Timestamp": stamp,
        "Content-Type": "application/json",
    }, body


def answer(posted: Posted) -> Answer:
    if not PATH.fullmatch(posted.path):
        return said(401, code=50027, message="Invalid Webhook Token")
    asked = dict(parse_qsl(posted.query))
    edits = posted.method == "PATCH"
    # Whoever does not wait is told nothing of a message that is not saved.
    if edits is not ("/messages/" in posted.path) or edits is (asked.get("wait") == "true"):
        return said(405, code=0, message="405: Method Not Allowed")
    if wrong := fault(MESSAGE, posted) or _unlike(posted.json(), asked):
        return said(400, code=50035, message="Invalid Form Body", errors={"body": wrong})
    return said(200, id="1213141516171819", type=0)


def _unlike(body: dict[str, Any], asked: dict[str, str]) -> str | None:
    """What no schema can say."""
    buttons = [each for row in body.get("components", []) for each in row["components"]]
    if len({each["custom_id"] for each in buttons}) != len(buttons):
        return "Component custom id cannot be duplicated"
    # Discord would leave them out, and say nothing.
    if "components" in body and asked.get("with_components") != "true":
        return "the components would be ignored"
    counted = [
        text
        for embed in body["embeds"]
        for text in (
            embed.get("title"),
            embed.get("description"),
            *embed.get("footer", {}).values(),
        )
    ]
    length = sum(len((text or "").encode("utf-16-le")) // 2 for text in counted)
    return "Embed size exceeds maximum size of 6000" if length > 6_000 else None
