"""Telegram's Bot API, as core.telegram.org describes it."""

from streams.laptop.receivers import Answer, Posted
from tests.providers.checking import LINK, closed, fault, said, text

TOKEN = "7:a-bot-token"
SHARED = {
    "link_preview_options": closed({"is_disabled": {"type": "boolean"}}),
    "reply_markup": closed(
        {
            "inline_keyboard": {
                "type": "array",
                "items": {
                    "type": "array",
                    "items": {
                        "oneOf": [
                            closed({"text": text(64), "url": LINK}),
                            closed({"text": text(64), "callback_data": text(64)}),
                        ]
                    },
                },
            }
        }
    ),
}
SEND = closed(
    {"chat_id": text(64), "text": text(4_096)},
    SHARED
    | {
        "disable_notification": {"type": "boolean"},
        "reply_parameters": closed(
            {"message_id": {"type": "integer"}},
            {"allow_sending_without_reply": {"type": "boolean"}},
        ),
    },
)
EDIT = closed({"chat_id": text(64), "message_id": {"type": "integer"}, "text": text(4_096)}, SHARED)


def answer(posted: Posted) -> Answer:
    if not posted.path.startswith(f"/bot{TOKEN}/"):
        return said(401, ok=False, error_code=401, description="Unauthorized")
    schema = {"sendMessage": SEND, "editMessageText": EDIT}.get(posted.path.rpartition("/")[2])
    if schema is None:
        return said(404, ok=False, error_code=404, description="Not Found")
    wrong = fault(schema, posted)
    rows = posted.json().get("reply_markup", {}).get("inline_keyboard", []) if not wrong else []
    if any(len(each.get("callback_data", "").encode()) > 64 for row in rows for each in row):
        return said(400, ok=False, error_code=400, description="Bad Request: BUTTON_DATA_INVALID")
    # Telegram counts UTF-16 code units.
    if wrong or len(posted.json()["text"].encode("utf-16-le")) // 2 > 4_096:
        return said(400, ok=False, error_code=400, description=f"Bad Request: {wrong}"[:200])
    return said(200, ok=True, result={"message_id": 77, "date": 1_709_296_215})
