"""Ports of the loopback interface: which are free, and what is said about one that is not."""

import socket
from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import Final

from streams.errors import SettingsError

LOOPBACK: Final = "127.0.0.1"
#: How far the usual ports are moved where they are taken, and how often; systems give out those above 32768.
_STEP: Final = 100
_STEPS: Final = 200


def is_free(port: int) -> bool:
    """Whether nothing listens on *port* now."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as taken:
        # Connections that were closed a moment ago do not count: servers take such a port, too.
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind((LOOPBACK, port))
            # Another one that reuses addresses can be bound, but not listened beside.
            taken.listen(1)
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a port that is free now, for something short-lived."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as taken:
        taken.bind((LOOPBACK, 0))
        return int(taken.getsockname()[1])


def demand_free(wanted: Mapping[str, int], *, instead: str) -> None:
    """
    Look whether each port is free; *instead* says what to do about those that are not.

    Raises:
        SettingsError: Some are taken; one line for each.
    """
    taken = [
        f"  {LOOPBACK}:{port}, for {purpose}: another program listens there"
        for purpose, port in wanted.items()
        if not is_free(port)
    ]
    if taken:
        raise SettingsError("\n".join(["ports are taken:", *taken, instead]))


def usual_or_moved(usual: Mapping[str, int]) -> dict[str, int]:
    """
    Return the *usual* ports, all moved by the same distance where one of them is taken.

    Raises:
        SettingsError: No distance leaves all of them free.
    """
    for step in range(_STEPS):
        moved = {purpose: port + step * _STEP for purpose, port in usual.items()}
        if _all_free(moved.values()):
            return moved
    message = f"no free ports were found near {', '.join(map(str, usual.values()))}: name some by --port-base"
    raise SettingsError(message)


def _all_free(ports: Iterable[int]) -> bool:
    return all(is_free(port) for port in ports)
