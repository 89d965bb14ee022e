"""An ntfy server, as docs.ntfy.sh describes it."""

from streams.laptop.receivers import Answer, Posted
from tests.providers.checking import LINK, closed, fault, said, text

MESSAGE = closed(
    {"topic": {"type": "string", "pattern": "^[-_A-Za-z0-9]{1,64}$"}},
    {
        "title": text(250),
        "message": text(4_096),
        "priority": {"type": "integer", "minimum": 1, "maximum": 5},
        "tags": {"type": "array", "items": text(64)},
        "click": LINK,
        "actions": {
            "type": "array",
            "maxItems": 3,
            "items": closed(
                {"action": {"const": "http"}, "label": text(64), "url": LINK},
                {
                    "method": {"enum": ["POST", "PUT", "GET"]},
                    "body": text(4_096),
                    "headers": {"type": "object"},
                    "clear": {"type": "boolean"},
                },
            ),
        },
    },
)


def answer(posted: Posted) -> Answer:
    if posted.path != "/":
        return said(404, code=40401, http=404, error="page not found")
    if posted.headers.get("Authorization", "Bearer tk_a-token") != "Bearer tk_a-token":
        return said(401, code=40101, http=401, error="unauthorized")
    if len(posted.body) > 2 * 4_096:
        return said(413, code=41303, http=413, error="JSON payload too large")
    wrong = fault(MESSAGE, posted)
    # Longer messages would arrive as a file.
    if wrong or len(posted.json()["message"].encode()) > 4_096:
        return said(400, code=40024, http=400, error=f"invalid request: {wrong}"[:200])
    return said(200, id="sPs71M8A2T", time=1_709_296_215, event="message", topic="a-topic-name")
