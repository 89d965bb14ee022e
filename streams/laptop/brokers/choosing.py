"""Which broker runs: the one that was named, else the best that this machine can run."""

from pathlib import Path

from streams.errors import SettingsError
from streams.laptop.brokers import Broker
from streams.laptop.brokers.address import AddressedBroker
from streams.laptop.brokers.apache import ApacheBroker
from streams.laptop.brokers.naming import check_name
from streams.laptop.brokers.wheel import WheelBroker


def choose(wanted: str, state: Path, port: int, log: Path) -> tuple[Broker, str]:
    """
    Return the broker that *wanted* names, and why it was chosen.

    Args:
        wanted: ``auto``, ``apache``, ``wheel`` or ``HOST:PORT``.
        state: Folder for what it keeps.
        port: Port of the loopback address that it shall listen on.
        log: File for what it says.

    Raises:
        SettingsError: It asks for none, or for one that cannot be run here.
    """
    check_name(wanted)
    if wanted == "apache":
        return ApacheBroker(state, port, log), "asked for"
    if wanted == "wheel":
        return WheelBroker(port, log), "asked for"
    if wanted != "auto":
        return AddressedBroker(wanted), "asked for"
    try:
        return ApacheBroker(state, port, log), "Java and the jars are here"
    except SettingsError as missing:
        return WheelBroker(port, log), str(missing)
