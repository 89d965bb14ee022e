"""Twilio's Messages resource, as twilio.com/docs describes it."""

import re
from base64 import b64encode
from urllib.parse import parse_qs

from streams.laptop.receivers import Answer, Posted
from tests.providers.checking import said

ACCOUNT, TOKEN = "AC00000000000000000000000000000000", "a-token"
NUMBER = re.compile(r"\+[1-9]\d{1,14}")


def answer(posted: Posted) -> Answer:
    login = "Basic " + b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
    if posted.headers.get("Authorization") != login:
        return said(401, code=20003, message="Authenticate", status=401)
    if posted.path != f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json":
        return said(404, code=20404, message="not found", status=404)
    form = parse_qs(posted.body.decode(), strict_parsing=True)
    encoded = posted.headers["Content-Type"] == "application/x-www-form-urlencoded"
    if (
        not encoded
        or set(form) != {"From", "To", "Body"}
        or any(len(each) != 1 for each in form.values())
    ):
        return said(400, code=20001, message="unknown parameters", status=400)
    if not NUMBER.fullmatch(form["To"][0]) or not NUMBER.fullmatch(form["From"][0]):
        return said(400, code=21211, message="invalid number", status=400)
    if not 1 <= len(form["Body"][0]) <= 1_600:
        return said(400, code=21617, message="too long", status=400)
    return said(201, sid="SM00000000000000000000000000000001", status="queued", error_code=None)
