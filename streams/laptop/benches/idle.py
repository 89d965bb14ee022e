"""
``idle``: what a whole installation costs when nothing happens.

CPU time of every process of a fresh `tocsin up`, in percent of one core; the probes of the example policy find nobody and go on
asking. Cost does not grow with events, rules or incidents here: there are none.
"""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Final

import click

from streams.laptop.benches.figures import Figures
from streams.laptop.benches.folders import scratch
from streams.laptop.benches.processes import cpu_in
from streams.laptop.demo.installation import Installation, InstallationFailed

#: Percent of one core that an idle installation on Apache Kafka may use.
TARGET: Final = 15.0
_READY_WITHIN: Final = timedelta(seconds=120)
#: Where the example policy's probes ask four times a second and find nobody.
_NOBODY: Final = "http://127.0.0.1:9"
#: Start-up, assignment and the first compactions are over by then.
_SETTLES: Final = 20.0


async def measure(broker: str, seconds: float) -> None:
    """
    Start an installation, let it settle, and print what it uses.

    Raises:
        InstallationFailed: It did not come up.
    """
    figures = Figures()
    with scratch() as folder:
        installation = Installation(
            folder,
            broker=broker,
            given={"SHOP_URL": _NOBODY},
            hear=lambda line: click.echo(line, err=True),
        )
        async with installation:
            await installation.ready(_READY_WITHIN)
            root = installation.pid
            if root is None:
                message = "`tocsin up` stopped by itself"
                raise InstallationFailed(message)
            await asyncio.sleep(_SETTLES)
            before = _cpu_seconds(root)
            await asyncio.sleep(seconds)
            after = _cpu_seconds(root)
    used = {name: 100 * (after[name] - before.get(name, 0.0)) / seconds for name in sorted(after)}
    for name, percent in used.items():
        figures.tell(f"idle {name}", percent, "% of one core")
    total = sum(used.values())
    figures.tell("idle", total, "% of one core", broker=broker, seconds=seconds)
    figures.judge("idle", total, at_most=TARGET)
    figures.close()


def _cpu_seconds(root: int) -> dict[str, float]:
    """Return the CPU time of *root* and all that descend from it, by what they are."""
    children: dict[int, list[int]] = {}
    times: dict[int, float] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text()
        except OSError:
            continue
        parent = int(stat.rpartition(")")[2].split()[1])
        children.setdefault(parent, []).append(int(entry.name))
        times[int(entry.name)] = cpu_in(stat)
    found: dict[str, float] = {}
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        waiting.extend(children.get(pid, []))
        name = _what_is(pid)
        found[name] = found.get(name, 0.0) + times.get(pid, 0.0)
    return found


def _what_is(pid: int) -> str:
    try:
        words = (Path("/proc") / str(pid) / "cmdline").read_bytes().decode().split("\0")
    except OSError:
        return "gone"
    if any("java" in word for word in words[:1]) or any("tansu" in word for word in words[:1]):
        return "broker"
    if "streams.laptop.warehouse" in words:
        return "warehouse"
    for role in ("detect", "incidents", "notify", "record", "probe", "board", "intake", "up"):
        if role in words:
            return role
    return "other"
