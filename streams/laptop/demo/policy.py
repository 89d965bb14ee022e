"""The demo's policy: the example policy at a livelier pace."""

import shutil
from pathlib import Path
from typing import Any, Final

import yaml

from streams.errors import SettingsError

#: The example policy of a clone.
EXAMPLE: Final = Path(__file__).parents[3] / "deploy" / "policy"

#: What is right at three in the morning is long for somebody who watches.
RESOLVED_AFTER: Final = "3s"
LOGS_WITHIN: Final = "6s"


def write_policy(folder: Path) -> Path:
    """
    Write the demo's policy to *folder* and return it.

    Raises:
        SettingsError: The example policy is not there.
    """
    if not EXAMPLE.is_dir():
        message = (
            f"the example policy is not at {EXAMPLE}: run the demo in a clone of the repository"
        )
        raise SettingsError(message)
    folder.mkdir(parents=True)
    for file in sorted(EXAMPLE.glob("*.y*ml")):
        content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        changed = livelier(content)
        if changed == content:
            shutil.copy(file, folder / file.name)
        else:
            (folder / file.name).write_text(yaml.safe_dump(changed, allow_unicode=True))
    return folder


def livelier(content: dict[str, Any]) -> dict[str, Any]:
    """Return one file of a policy with shorter waits after the end: for auto-resolving, and for counting log records."""
    changed = dict(content)
    if "incidents" in changed:
        changed["incidents"] = {**changed["incidents"], "auto_resolve_after": RESOLVED_AFTER}
    if "rules" in changed:
        changed["rules"] = [
            {**rule, "within": LOGS_WITHIN} if rule.get("kind") == "log_pattern" else rule
            for rule in changed["rules"]
        ]
    return changed
