"""
Conditions in CEL, for what matchers cannot say: ``value > 0.5 && labels.region != "test"``.

A condition sees one signal: its fields, with the labels as a map, status as a text and latency in seconds. It is asked after all matchers, since
it costs some ten times as much. One that fails while it runs, because a label is missing or a text is compared with a number, is
false, and the rule counts it. CEL has no loops, and its expressions are RE2's, so that none runs for long.
"""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
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
_EXAMPLE: Final[Mapping[str, Any]] = {
    "occurred_at": datetime(2024, 3, 1, tzinfo=UTC),
    "value": 0.0,
    "critical": False,
    "latency": 0.0,
    "severity_number": 9,
    "severity": 3,
    **dict.fromkeys(
        (
            *(
                "tenant",
                "service",
                "environment",
                "name",
                "unit",
                "check",
                "status",
                "message",
                "body",
            ),
            *("trace_id", "source", "alert_id", "state", "summary", "description", "url"),
        ),
        "",
    ),
}
#: ``labels.region`` and ``labels["region"]``.
_LABELS: Final = re.compile(r"""(?:labels|attributes)(?:\.|\[["'])([\w./-]+)""")
#: The functions of CEL's standard that the library has.
FUNCTIONS: Final = frozenset(
    {
        *("size", "contains", "startsWith", "endsWith", "matches", "type", "dyn"),
        *("string", "int", "uint", "double", "bytes", "timestamp", "duration"),
        *("getFullYear", "getMonth", "getDayOfYear", "getDayOfMonth", "getDate", "getDayOfWeek"),
        *("getHours", "getMinutes", "getSeconds", "getMilliseconds"),
    }
)
#: What the library says of slips that are common, and what is said instead.
_SAID_INSTEAD: Final = (
    ("input 'and'", "write && for and"),
    ("input 'or'", "write || for or"),
    (r"extraneous input .* in (.*[ (&|])?not\b", "write ! for not"),
    ("at: '= ?'", "write == to compare"),
    ("at: '~|at: '=~", 'write labels.region.matches("eu-.*") for an expression'),
    ("'<EOF>' expecting", "it ends too early"),
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
            return f"has the {what} {name!r}, which there is not; {meant(name, choices)}"
    return None


def untellable(source: str, kinds: Collection[type[Signal]]) -> str | None:
    """Return why *source* can be told of no signal of these *kinds*; None as far as an example of each shows nothing."""
    program = _program(source)
    known: Mapping[str, Any] = {
        **{each: dict.fromkeys(_LABELS.findall(source), "") for each in ("labels", "attributes")},
        **_EXAMPLE,
    }
    named = [name for name in sorted(set(program.variables())) if name in known]
    for kind in kinds:
        given = {name: known[name] for name in named if name in NAMES.get(kind, _ALL)}
        try:
            answer = program.execute(given)
        except TypeError:
            what = ", ".join(f"{name} {_sort(given[name])}" for name in given)
            return f"puts together what does not fit ({what})"
        except Exception:  # noqa: BLE001, S112 - another signal can have what this one has not
            continue
        if not isinstance(answer, bool):
            return f"{_sort(answer)} and no condition: compare it"
    return None


def _sort(value: Any) -> str:
    if isinstance(value, bool):
        return "is true or false"
    if isinstance(value, int | float):
        return "is a number"
    return {str: "is a text", dict: "are texts by name", datetime: "is a time"}.get(
        type(value), "is something else"
    )


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
        column, problem = (int(found[2]), found[3]) if found else (0, "it cannot be read")
        instead = next(
            (hint for said, hint in _SAID_INSTEAD if re.search(said, f"{problem} in {source}")),
            problem.partition(" expecting ")[0][:200],
        )
        message = f"is no CEL expression, from column {column} on: {instead}"
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
