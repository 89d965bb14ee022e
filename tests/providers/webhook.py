"""A receiver of signed CloudEvents (CloudEvents 1.0.2, JSON format) that trusts nobody without a fresh signature."""

import hashlib
import hmac

import orjson
from jsonschema import Draft202012Validator

from streams.laptop.receivers import Answer, Posted
from tests.providers.checking import MOMENT, closed, text

SECRET = "a-shared-secret"
EVENT = closed(
    {
        "specversion": {"const": "1.0"},
        "id": text(255),
        "type": text(255),
        "source": text(255),
        "time": MOMENT,
        "data": {"type": "object", "required": ["notice", "text"]},
    },
    {"subject": text(255), "datacontenttype": {"const": "application/json"}},
)


def answer(posted: Posted) -> Answer:
    timestamp = posted.headers.get("X-Tocsin-Timestamp", "")
    if not timestamp.isdecimal():
        return Answer(401)
    signed = timestamp.encode() + b"." + posted.body
    expected = "sha256=" + hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(posted.headers.get("X-Tocsin-Signature", ""), expected):
        return Answer(401)
    if posted.headers["Content-Type"] != "application/cloudevents+json; charset=utf-8":
        return Answer(415)
    body = orjson.loads(posted.body)
    if not Draft202012Validator(EVENT).is_valid(body) or not posted.headers.get("Idempotency-Key"):
        return Answer(400)
    return Answer(204, b"")
