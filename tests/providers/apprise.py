"""A service of apprise's own ``json://``, as its wiki describes it ("JSON HTTP POST Notifications", version 1.0), that knows one user."""

import base64

from streams.laptop.receivers import Answer, Posted
from tests.providers.checking import closed, fault, said, text

LOGIN = "user:a-password"
MESSAGE = closed(
    {
        "version": {"const": "1.0"},
        "title": text(250),
        "message": text(32_768),
        "attachments": {"type": "array", "maxItems": 0},
        "type": {"enum": ["info", "success", "warning", "failure"]},
    }
)


def answer(posted: Posted) -> Answer:
    if posted.path != "/hook":
        return said(404, error="not found")
    expected = f"Basic {base64.b64encode(LOGIN.encode()).decode()}"
    if posted.headers.get("Authorization") != expected:
        return said(401, error="unauthorized")
    if wrong := fault(MESSAGE, posted):
        return said(400, error=wrong)
    return said(200, ok=True)
