"""Discord's webhooks, as discord.com/developers describes them."""

import re

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
MESSAGE = closed(
    {
        "embeds": {"type": "array", "minItems": 1, "maxItems": 10, "items": EMBED},
        "allowed_mentions": closed({"parse": {"type": "array", "maxItems": 0}}),
    },
    {"content": text(2_000)},
)
PATH = re.compile(r"/api/webhooks/\d+/secret(/messages/\d+)?")


def answer(posted: Posted) -> Answer:
    if not PATH.fullmatch(posted.path):
        return said(401, code=50027, message="Invalid Webhook Token")
    if wrong := fault(MESSAGE, posted):
        return said(400, code=50035, message="Invalid Form Body", errors={"body": wrong})
    (embed,) = posted.json()["embeds"]
    if (
        sum(len(embed.get(name, "").encode("utf-16-le")) // 2 for name in ("title", "description"))
        > 6_000
    ):
        return said(400, code=50035, message="Invalid Form Body")
    return said(200, id="1213141516171819", type=0)
