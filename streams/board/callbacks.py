"""
Providers call back: a button in Slack, a reply to an SMS, an acknowledgement in PagerDuty become commands.

The address is ``/callbacks/NAME`` with the channel's name in the policy, because the channel knows its secret and its provider's words. A
refusal says nothing of what was wrong to whoever asks; the log does.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Final, Protocol

from fastapi import APIRouter, Depends, HTTPException, Request, Response, status

from schemas.commands import Acknowledge, Command, CommandSource, Resolve
from schemas.contract import Contract
from schemas.topics import COMMANDS, TopicDeclaration
from streams.board.limits import bounded_body
from streams.errors import Unavailable
from streams.notifications.callback import Action, Callback, Heard, Refused
from streams.notifications.channel import Channel

log = logging.getLogger(__name__)

_COMMANDS: Final[Mapping[Action, type[Acknowledge] | type[Resolve]]] = {
    Action.ACKNOWLEDGE: Acknowledge,
    Action.RESOLVE: Resolve,
}


class Publishes(Protocol):
    """What takes commands to their topic."""

    async def send(self, topic: TopicDeclaration, message: Contract) -> None:
        """Publish, or raise ``Unavailable``."""


def callbacks(
    channels: Mapping[str, Channel], publisher: Publishes, now: Callable[[], datetime]
) -> APIRouter:
    """Return the addresses that the providers of *channels* call."""
    router = APIRouter(prefix="/callbacks", tags=["callbacks"])

    @router.post(
        "/{channel}",
        summary="What somebody did at a provider",
        responses={401: {"description": "Not signed by the provider, or too old"}},
    )
    async def call_back(
        channel: str, request: Request, body: Annotated[bytes, Depends(bounded_body)]
    ) -> Response:
        at = now()
        every = _heard(channels, channel, request, body, at)
        # Before anything is waited for: another policy can come meanwhile, without this channel.
        said = channels[channel].reply(Callback(dict(request.headers), body))
        for heard in every:
            try:
                await publisher.send(COMMANDS, _command(heard, at))
            except Unavailable:
                # The provider tries again; the command's id stays the same.
                raise HTTPException(status.HTTP_503_SERVICE_UNAVAILABLE) from None
            log.info(
                "callback channel=%s action=%s incident=%s author=%s",
                channel,
                heard.action,
                heard.incident_id,
                heard.author,
            )
        # Where nothing is expected, without a body: Slack would show it, and Twilio send it as a text.
        return Response(said, media_type="application/json" if said else None)

    return router


def _heard(
    channels: Mapping[str, Channel], name: str, request: Request, body: bytes, at: datetime
) -> list[Heard]:
    channel = channels.get(name)
    if channel is None:
        # As for a wrong signature: nobody learns which names there are.
        log.warning("callback refused: the policy has no channel of its name")
        raise HTTPException(status.HTTP_401_UNAUTHORIZED)
    try:
        return channel.heard(Callback(dict(request.headers), body), at)
    except Refused as refusal:
        log.warning("callback refused channel=%s reason=%s", name, refusal)
        raise HTTPException(status.HTTP_401_UNAUTHORIZED) from None


def _command(heard: Heard, at: datetime) -> Command:
    return _COMMANDS[heard.action](
        occurred_at=at,
        command_id=heard.command_id,
        tenant=heard.tenant,
        incident_id=heard.incident_id,
        author=heard.author,
        source=CommandSource.CHAT,
    )
