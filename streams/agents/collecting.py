"""How often the garbage collector of a worker looks for cycles."""

import gc
from typing import Final

#: New objects between two looks at the young. A hop keeps hundreds of thousands of objects that hardly ever form cycles: with
#: Python's own 700 a storm of alerts spends half its time on looking.
_YOUNG: Final = 200_000


def collect_rarely() -> None:
    """Let the collector look rarely; memory that no cycle holds is freed at once all the same."""
    gc.set_threshold(_YOUNG, 20, 20)
