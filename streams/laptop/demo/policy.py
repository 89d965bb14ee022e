"""The demo's policy: the example policy, with the demo's own probes and a livelier pace."""

import shutil
from pathlib import Path
from typing import Any, Final

import yaml

from streams.errors import SettingsError
from streams.laptop.demo.service import SERVICE

#: The example policy of a clone.
EXAMPLE: Final = Path(__file__).parents[3] / "deploy" / "policy"
#: What the demo replaces: a file of the example that has one of these is left out or rewritten without it.
_ENDPOINTS: Final = {
    "API Health": ("/api/health", True),
    "Database": ("/api/health/database", True),
    "Redis": ("/api/health/redis", False),
    "AI Service": ("/api/health/ai", False),
}


def write_policy(folder: Path, *, service_url: str) -> Path:
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
    overridden = overrides(service_url)
    for file in sorted(EXAMPLE.glob("*.y*ml")):
        content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        if overridden.keys() & content.keys():
            kept = {key: value for key, value in content.items() if key not in overridden}
            (folder / file.name).write_text(yaml.safe_dump(kept, allow_unicode=True))
        else:
            shutil.copy(file, folder / file.name)
    (folder / "demo.yaml").write_text(yaml.safe_dump(overridden, allow_unicode=True))
    return folder


def overrides(service_url: str) -> dict[str, Any]:
    """Return the parts of the policy that are the demo's own."""
    return {
        "probes": [
            {
                "name": name,
                "service": SERVICE,
                "url": f"{service_url}{path}",
                "critical": critical,
                "every": "1s",
                "within": "900ms",
            }
            for name, (path, critical) in _ENDPOINTS.items()
        ],
        # A minute is right at three in the morning, and long for somebody who watches.
        "incidents": {"auto_resolve_after": "4s"},
    }
