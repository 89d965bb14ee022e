"""
Conditions in CEL, for what matchers cannot say: ``value > 0.5 && labels.region != "test"``.

A condition sees one signal: its fields, with the labels as a map, status as a text and latency in seconds. It is asked after all matchers, since
it costs some ten times as much. One that fails while it runs, because a label is missing or a text is compared with a number, is
false, and the rule counts it. CEL has no loops, and its expressions are RE2's, so that none runs for long.
"""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from typing import Annotated, Any, Final

import cel
from pydantic import AfterValidator, Field

from schemas.telemetry import ExternalV1, HealthV1, LogV1, MetricV1, Signal
from streams.policy_faults import meant

#: Characters of one condition.
CONDITION_LENGTH: Final = 1_000

_ALL: Final = ("tenant", "service", "environment", "occurred_at", "labels")
#: What a condition can name, by the kind of signal.
NAMES: Final[Mapping[type[Signal], tuple[str, ...]]] = {
    MetricV1: (*_ALL, "name", "value", "unit"),
    HealthV1: (*_ALL, "check", "status", "critical", "latency", "message"),
    LogV1: (*_ALL, "severity_number", "body", "attributes", "trace_id"),
    ExternalV1: (
        *_ALL,
        *("source", "alert_id", "state", "severity", "summary", "description", "url"),
    ),
}
#: The functions of CEL's standard that the library has.
FUNCTIONS: Final = frozenset(
    {
        *("size", "contains", "startsWith", "endsWith", "matches", "type", "dyn"),
        *("string", "int", "uint", "double", "bytes", "timestamp", "duration"),
        *("getFullYear", "getMonth", "getDayOfYear", "getDayOfMonth", "getDate", "getDayOfWeek"),
        *("getHours", "getMinutes", "getSeconds", "getMilliseconds"),
    }
)
#: ``labels.exists(name, …)`` gives a name of its own to what it goes through.
_MACRO: Final = re.compile(r"\.(?:all|exists|exists_one|map|filter)\s*\(\s*([A-Za-z_]\w*)\s*,")
_WHERE: Final = re.compile(r"<input>:(\d+):(\d+): (?:Syntax error: )?(.*)")


def _compiles(source: str) -> str:
    _program(source)
    return source


Condition = Annotated[
    str, Field(min_length=1, max_length=CONDITION_LENGTH), AfterValidator(_compiles)
]


def unknown(source: str, kinds: Collection[type[Signal]]) -> str | None:
    """Return what is wrong with the names in *source*, where it is asked of signals of these *kinds*; None where nothing is."""
    program = _program(source)
    known = set.intersection(*(set(NAMES.get(kind, _ALL)) for kind in kinds)) if kinds else set()
    bound = set(_MACRO.findall(source))
    for what, named, choices in (
        ("name", program.variables(), known | bound),
        ("function", (name for name in program.functions() if name.isidentifier()), FUNCTIONS),
    ):
        for name in sorted(set(named) - choices):
            # What operators are called inside the library begins so.
            if what == "function" and name.startswith("_"):
                continue
            return f"{what} {name!r} does not exist there; {meant(name, choices)}"
    return None


def condition(source: str, failed: Callable[[], None]) -> Callable[[Signal], bool]:
    """Return *source* as a function of a signal; it calls *failed*, and is false, where it cannot be told."""
    program = _program(source)
    used = frozenset(program.variables())
    readers = tuple((name, _reader(name)) for name in sorted(used - set(_MACRO.findall(source))))

    def holds(signal: Signal) -> bool:
        try:
            answer = program.execute({name: read(signal) for name, read in readers})
        except Exception:  # noqa: BLE001 - the library raises many kinds, and texts from outside choose which
            failed()
            return False
        if isinstance(answer, bool):
            return answer
        failed()
        return False

    return holds


def _program(source: str) -> Any:
    try:
        return cel.compile(source)
    except ValueError as error:
        found = _WHERE.search(str(error))
        told = f"column {found[2]}: {found[3]}" if found else "it cannot be read"
        message = f"is no CEL expression ({told[:200]})"
        raise ValueError(message) from None


def _reader(name: str) -> Callable[[Signal], Any]:
    if name == "latency":
        return _latency
    if name in {"status", "state"}:
        # The library takes a member of an enumeration for something else than a text.
        return lambda signal: str(getattr(signal, name))
    return lambda signal: getattr(signal, name)


def _latency(signal: Signal) -> float | None:
    latency = getattr(signal, "latency", None)
    return latency.total_seconds() if isinstance(latency, timedelta) else latency
