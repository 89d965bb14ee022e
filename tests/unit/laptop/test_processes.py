"""What a process has used, as Linux counts it."""

import os

from streams.laptop.benches.processes import cpu_in, cpu_seconds

STAT = "42 (a b) c) S 1 42 42 0 -1 4194560 9 0 0 0 {user} {system} 70 80 20 0 1 0 5 6 7"


def test_a_name_with_blanks_and_brackets_moves_nothing() -> None:
    """Any process could be read as one that used nothing."""
    tick = os.sysconf("SC_CLK_TCK")
    assert cpu_in(STAT.format(user=3 * tick, system=2 * tick)) == 5.0


def test_this_process_has_used_something() -> None:
    """Figures by processor time would be those of nobody."""
    assert cpu_seconds(os.getpid()) > 0
