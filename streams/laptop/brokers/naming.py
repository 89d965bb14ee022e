"""How a broker is asked for: by a name, or by the address of one that runs already."""

import re
from typing import Final

from streams.errors import SettingsError
from streams.policy_faults import nearest

NAMES: Final = ("auto", "apache", "wheel")
_ADDRESS: Final = re.compile(r"[^\s:,]+:\d{1,5}(,[^\s:,]+:\d{1,5})*")


def check_name(wanted: str) -> None:
    """
    Do nothing where *wanted* asks for a broker.

    Raises:
        SettingsError: It is neither a name nor an address.
    """
    if wanted in NAMES or _ADDRESS.fullmatch(wanted):
        return
    close = nearest(wanted, NAMES)
    message = f"--broker: {wanted!r} is neither {', '.join(NAMES)} nor an address HOST:PORT" + (
        f"; did you mean {close!r}?" if close else ""
    )
    raise SettingsError(message)
