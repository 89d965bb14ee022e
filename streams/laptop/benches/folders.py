"""
The folder that a measurement works in, thrown away afterwards.

A measurement that was killed threw nothing away: the next one does. A folder is locked as long as its owner lives, so that
none is taken from a measurement that runs beside.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_PREFIX: Final = "tocsin-bench-held-"
_BEGUN: Final = "tocsin-bench-begun-"


@contextmanager
def scratch() -> Iterator[Path]:
    """Make a folder, remove it at the end, and before it those whose owner is gone."""
    above = Path(tempfile.gettempdir())
    for left in above.glob(f"{_PREFIX}*"):
        _remove_where_abandoned(left)
    begun = Path(tempfile.mkdtemp(prefix=_BEGUN))
    held = os.open(begun, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        # Only what is locked already has the name that others look for.
        folder = begun.rename(above / begun.name.replace(_BEGUN, _PREFIX, 1))
        try:
            yield folder
        finally:
            shutil.rmtree(folder)
    finally:
        os.close(held)


def _remove_where_abandoned(folder: Path) -> None:
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:  # Somebody else's, or gone by now.
        return
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        return
    finally:
        os.close(held)
