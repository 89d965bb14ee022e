"""A broker that somebody else runs: it is only asked whether it answers."""

from collections.abc import Mapping
from typing import Final

from streams.errors import Unavailable
from streams.gateways.connecting import refusal
from streams.laptop.brokers.answering import wait_for_answer
from streams.laptop.children import Child
from streams.settings import read_settings

_ANSWERS_WITHIN: Final = 10.0


class AddressedBroker:
    """The broker at ``HOST:PORT``, or several of its cluster separated by commas."""

    keeps_state = True
    title = "a broker that runs already"
    limits: tuple[str, ...] = ()
    client_settings: Mapping[str, object] = {}

    def __init__(self, address: str) -> None:
        """Take its address."""
        self.bootstrap = address
        self.child: Child | None = None

    async def start(self) -> None:
        """
        Ask whether it answers, as the environment says that it wants to be asked.

        Raises:
            SettingsError: The environment cannot be used.
            Unavailable: It does not, or not to us.
        """
        settings = read_settings(broker=self.bootstrap)
        refused = await refusal(settings)
        if refused is not None:
            raise refused
        try:
            await wait_for_answer(settings, _ANSWERS_WITHIN)
        except Unavailable as error:
            message = f"{error}: start it, correct --broker, or take --broker auto"
            raise Unavailable(message) from None

    async def stop(self) -> None:
        """Leave it alone."""
