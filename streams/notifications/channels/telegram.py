"""
Telegram by Bot API: updates answer the first message about an incident, which stays up to date.

Sources: Telegram Bot API, "sendMessage" (a text has 1 to 4096 characters; without ``parse_mode`` nothing in it is markup),
"editMessageText", "ReplyParameters", "Making requests" (errors are ``ok: false`` with a description; 429 with ``parameters.retry_after``),
"setWebhook" (``secret_token`` comes back in a header; 1 to 256 of A-Z, a-z, 0-9, _ and -), "InlineKeyboardButton" (``callback_data`` has 1 to 64
bytes), "CallbackQuery" (its data may be anything), "answerCallbackQuery", "Making requests when getting updates".
"""

import re
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Final, Literal

import httpx
import orjson
from pydantic import AfterValidator, ConfigDict, SecretStr

from schemas.notices import NoticeV1
from streams.notifications.callback import (
    Action,
    Callback,
    Heard,
    Refused,
    check_signature,
    command_id,
    incident_of,
    json_object,
    part,
    person,
)
from streams.notifications.channel import (
    Channel,
    Judgement,
    Verdict,
    WebAddress,
    byte_length,
    document,
    seconds,
    utf16_length,
)
from streams.notifications.offers import offered, reference
from streams.notifications.rendering import Message

API: Final = "https://api.telegram.org"
#: Incidents from this severity on arrive without a sound.
_SILENT: Final = 4
SECRET_HEADER: Final = "x-telegram-bot-api-secret-token"  # noqa: S105 - a header's name
#: How it says that an edited message would be as it was.
_SAME: Final = "message is not modified"
_SECRET_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{0,256}")


def _secret_token(secret: SecretStr) -> SecretStr:
    if not _SECRET_TOKEN.fullmatch(secret.get_secret_value()):
        message = "has characters that Telegram does not take: write A-Z, a-z, 0-9, _ and -"
        raise ValueError(message)
    return secret


class Telegram(Channel):
    """A Telegram chat, group or channel."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"token": "7:a-bot-token", "chat_id": "-1007", "url": "http://127.0.0.1:9"}
            ]
        }
    )

    stands_in: ClassVar = True
    limits: ClassVar = {"text": 4_096, "callback_data": 64}
    # In a group.
    usual: ClassVar = 20

    kind: Literal["telegram"] = "telegram"
    token: SecretStr = SecretStr("")
    """Token of the bot."""
    chat_id: str = ""
    """Number of the chat, or ``@name`` of a public channel."""
    url: WebAddress = API
    """Address of the Bot API."""
    webhook_secret: Annotated[SecretStr, AfterValidator(_secret_token)] = SecretStr("")
    """The ``secret_token`` that the bot's webhook was set with, whose buttons call `tocsin board` back."""

    def missing(self) -> str | None:
        """A bot needs its token and a chat."""
        if not self.token.get_secret_value():
            return "token"
        if not self.chat_id:
            return "chat_id"
        return None if self.url else "url"

    def compose(
        self, notice: NoticeV1, message: Message, at: datetime, first: str | None = None
    ) -> httpx.Request:
        """Return the message; a later one answers the first."""
        del at
        body = self._said(notice, message)
        body["disable_notification"] = notice.incident.severity >= _SILENT
        if first is not None and first.isdecimal():
            # Where somebody deleted the first one, the message still comes.
            body["reply_parameters"] = {
                "message_id": int(first),
                "allow_sending_without_reply": True,
            }
        return self._call("sendMessage", body)

    def refresh(self, notice: NoticeV1, standing: Message, first: str) -> httpx.Request | None:
        """The first message shows where the incident stands now."""
        if not first.isdecimal():
            return None
        return self._call(
            "editMessageText", self._said(notice, standing) | {"message_id": int(first)}
        )

    def _said(self, notice: NoticeV1, message: Message) -> dict[str, Any]:
        body: dict[str, Any] = {
            "chat_id": self.chat_id,
            "text": self.cut(message.text, self.limits["text"], notice, utf16_length),
            "link_preview_options": {"is_disabled": True},
        }
        buttons = self._buttons(notice, message)
        if self.link(notice):
            buttons.append({"text": "Open", "url": self.link(notice)})
        if buttons:
            body["reply_markup"] = {"inline_keyboard": [buttons]}
        return body

    def _buttons(self, notice: NoticeV1, message: Message) -> list[dict[str, str]]:
        if not self.webhook_secret.get_secret_value():
            return []
        buttons = [
            {"text": label, "callback_data": f"{action} {reference(notice)}"}
            for label, action in offered(notice, message)
        ]
        fits = self.limits["callback_data"]
        return [each for each in buttons if byte_length(each["callback_data"]) <= fits]

    def heard(self, callback: Callback, at: datetime) -> list[Heard]:
        """
        A button was pressed.

        A press has no time: that it is new follows from its id, which makes the command's id.
        """
        del at
        secret = self.webhook_secret.get_secret_value()
        if not secret:
            message = "webhook_secret is not set"
            raise Refused(message)
        check_signature(secret, callback.headers.get(SECRET_HEADER, ""))
        pressed = part(json_object(callback.body), "callback_query")
        chat = part(part(pressed, "message"), "chat")
        # Anybody's bot client can send any data, but only from the chat where it is.
        if self.chat_id not in {str(chat.get("id")), f"@{chat.get('username')}"}:
            return []
        action, _, named = str(pressed.get("data")).partition(" ")
        about = incident_of(named)
        if about is None or action not in set(Action):
            return []
        user = part(pressed, "from")
        author = person(user.get("username"), user.get("first_name"), user.get("id"))
        known = command_id("telegram", str(pressed.get("id")))
        return [Heard(Action(action), *about, author, known)]

    def reply(self, callback: Callback) -> bytes:
        """Until it is answered, the button turns."""
        pressed = part(json_object(callback.body), "callback_query").get("id")
        if not isinstance(pressed, str):
            return b""
        return orjson.dumps({"method": "answerCallbackQuery", "callback_query_id": pressed})

    def _call(self, method: str, body: dict[str, Any]) -> httpx.Request:
        address = f"{self.url.rstrip('/')}/bot{self.token.get_secret_value()}/{method}"
        return httpx.Request("POST", address, json=body)

    def judge(self, response: httpx.Response, at: datetime) -> Judgement:
        """Telegram calls it a fault to bring up to date what is."""
        judged = super().judge(response, at)
        if judged.verdict is Verdict.GIVE_UP and _SAME in judged.reason:
            return Judgement(Verdict.DELIVERED, judged.reason)
        return judged

    def provider_id(self, response: httpx.Response) -> str | None:
        """Telegram answers with the message."""
        result = document(response).get("result")
        number = result.get("message_id") if isinstance(result, dict) else None
        known = isinstance(number, int) and not isinstance(number, bool) and number >= 0
        return str(number)[:255] if known else None

    def patience(self, response: httpx.Response) -> timedelta | None:
        """Telegram says in the body how many seconds."""
        parameters = document(response).get("parameters")
        return seconds(parameters.get("retry_after")) if isinstance(parameters, dict) else None

    def explanation(self, response: httpx.Response) -> str | None:
        """Telegram says in a sentence what is wrong."""
        said = document(response).get("description")
        return (self.redacted(said) or None) if isinstance(said, str) else None
