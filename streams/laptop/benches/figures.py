"""How a measurement is told: one JSON object a line."""

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Figures:
    """The figures of one run, printed as they come."""

    targets: dict[str, dict[str, Any]] = field(default_factory=dict)

    def tell(self, name: str, value: float, unit: str, **more: Any) -> None:
        """Print one figure; *more* are its ``reference``, ``reference_value`` and what else explains it."""
        besides = {
            each: _rounded(said) if isinstance(said, float) else said for each, said in more.items()
        }
        line: dict[str, Any] = {"name": name, "value": _rounded(value), "unit": unit, **besides}
        if more.get("reference_value"):
            line["ratio"] = _rounded(value / more["reference_value"])
        print(json.dumps(line), flush=True)  # noqa: T201 - the output of a measurement

    def judge(
        self,
        name: str,
        value: float,
        *,
        at_most: float | None = None,
        at_least: float | None = None,
    ) -> None:
        """Compare a figure with its target: one of the two bounds."""
        bound = at_most if at_most is not None else at_least
        self.targets[name] = {
            "target": bound,
            "value": _rounded(value),
            "held": (at_most is None or value <= at_most)
            and (at_least is None or value >= at_least),
        }

    def close(self) -> None:
        """Print the summary."""
        print(json.dumps({"name": "summary", "targets": self.targets}), flush=True)  # noqa: T201 - as above


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
