"""What a process has used, as Linux counts it."""

import os
from pathlib import Path
from typing import Final

_TICK: Final = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used, with all its threads and without its children."""
    return cpu_in((Path("/proc") / str(pid) / "stat").read_text())


def cpu_in(stat: str) -> float:
    """Return the CPU time that a process's ``stat`` says; its name, which comes before, can hold anything."""
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK
