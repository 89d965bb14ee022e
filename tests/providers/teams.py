"""A Teams workflow that takes webhook requests, and the schema of Adaptive Cards 1.4."""

from streams.laptop.receivers import Answer, Posted
from tests.providers.checking import LINK, closed, fault, text

COLOUR = {"enum": ["default", "dark", "light", "accent", "good", "warning", "attention"]}
RUN = closed(
    {"type": {"const": "TextRun"}, "text": text(28_000)},
    {"weight": {"enum": ["lighter", "default", "bolder"]}, "color": COLOUR},
)
BLOCK = closed(
    {"type": {"const": "RichTextBlock"}, "inlines": {"type": "array", "minItems": 1, "items": RUN}},
    {"spacing": {"enum": ["default", "none", "small", "medium", "large", "extraLarge", "padding"]}},
)
CARD = closed(
    {
        "type": {"const": "AdaptiveCard"},
        "version": {"const": "1.4"},
        "body": {"type": "array", "minItems": 1, "items": BLOCK},
    },
    {
        "$schema": {"const": "http://adaptivecards.io/schemas/adaptive-card.json"},
        "actions": {
            "type": "array",
            "maxItems": 6,
            "items": closed(
                {"type": {"const": "Action.OpenUrl"}, "url": LINK}, {"title": text(255)}
            ),
        },
    },
)
MESSAGE = closed(
    {
        "type": {"const": "message"},
        "attachments": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": closed(
                {
                    "contentType": {"const": "application/vnd.microsoft.card.adaptive"},
                    "content": CARD,
                },
                {"contentUrl": {"type": "null"}},
            ),
        },
    }
)


def answer(posted: Posted) -> Answer:
    if not posted.path.startswith("/workflows/"):
        return Answer(401)
    if len(posted.body) > 28 * 1024:
        return Answer(413)
    return Answer(400) if fault(MESSAGE, posted) else Answer(202, b"")
