"""What a responder is offered to do about an incident where its message is read: buttons, in the receivers that have them."""

from schemas.notices import NoticeV1
from streams.notifications.callback import Action
from streams.notifications.rendering import Message

_LABELS = {Action.ACKNOWLEDGE: "Acknowledge", Action.RESOLVE: "Resolve"}


def offered(notice: NoticeV1, message: Message) -> list[tuple[str, Action]]:
    """Return what can be done next, each with its label; nothing where the incident is over, or where the *message* is of several."""
    incident = notice.incident
    if message.about != 1 or incident.resolved_at is not None:
        return []
    actions = [*([] if incident.acknowledged_at else [Action.ACKNOWLEDGE]), Action.RESOLVE]
    return [(_LABELS[action], action) for action in actions]


def reference(notice: NoticeV1) -> str:
    """Return what a callback names the incident by; see ``incident_of``."""
    return f"{notice.tenant}/{notice.incident_id}"
