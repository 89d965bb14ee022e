"""
When a message is tried again, and when it is given up.

Exponential backoff with "equal jitter" (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015): half of the wait is drawn
by chance, so that messages which failed together do not come back together.
"""

from datetime import timedelta
from typing import Final

FIRST: Final = timedelta(seconds=1)
LONGEST: Final = timedelta(minutes=2)
#: How long a message of each severity is tried: no longer than such an incident should last, and a mail at most until the shift is over.
TRIED_FOR: Final = {
    1: timedelta(hours=1),
    2: timedelta(hours=4),
    3: timedelta(hours=8),
    4: timedelta(hours=8),
}

#: From here on the interval has long reached ``LONGEST``.
_LAST_DOUBLING: Final = 20


def wait(
    attempt: int, elapsed: timedelta, severity: int, retry_after: timedelta | None, chance: float
) -> timedelta | None:
    """
    Return how long to wait before the next attempt; None where the message is given up.

    Args:
        attempt: The number of the attempt that failed, from 1.
        elapsed: Time since the first attempt.
        severity: The incident's, 1 to 4.
        retry_after: What the receiver asked for; it is never shortened.
        chance: A random number from 0 to 1.
    """
    ceiling = min(FIRST * 2 ** min(attempt - 1, _LAST_DOUBLING), LONGEST)
    # Half of the interval at least: a first retry after nothing would meet the same fault.
    drawn = ceiling / 2 + ceiling / 2 * chance
    chosen = max(drawn, retry_after or timedelta(0))
    return None if elapsed + chosen > TRIED_FOR[severity] else chosen
