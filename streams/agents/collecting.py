"""How often the garbage collector of a worker looks for cycles."""

import gc
from typing import Final

#: New objects between two looks at the young. A hop keeps hundreds of thousands of objects that hardly ever form cycles: with
#: Python's own 700 a storm of alerts spends half its time on looking, and with 50,000 reading telemetry a tenth of it.
_YOUNG: Final = 200_000
#: Looks at the young before the middle-aged are looked at as well: an alert can have to wait for that.
_MIDDLE: Final = 5
#: Looks at these before the old are. Python leaves them alone anyway until a quarter of all is new.
_OLD: Final = 20


def collect_rarely() -> None:
    """Let the collector look rarely; memory that no cycle holds is freed at once all the same."""
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
