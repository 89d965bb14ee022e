"""The published files: what is in each of them, and whether they may replace those of before."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from schemas.topics import DECLARED
from streams.errors import TocsinError
from streams.publishing import asyncapi
from streams.publishing.compatibility import incompatibilities

ASYNCAPI: Final = "asyncapi.json"
#: Example messages: a folder for each event type, a file for each message.
EXAMPLES: Final = Path("schemas/examples")
PUBLISHED: Final = Path("schemas/published")
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


class Incompatible(TocsinError):
    """A contract changed in a way that would break those who use it; the text names each place."""


def examples_of(event_type: str, folder: Path = EXAMPLES) -> dict[str, Any]:
    """Return the example messages of one contract, by name, as JSON values."""
    return {
        file.stem: json.loads(file.read_text(encoding="utf-8"))
        for file in sorted((folder / event_type).glob("*.json"))
    }


def documents(examples: Path = EXAMPLES) -> dict[str, str]:
    """Return every file, by name: a JSON Schema for each contract, and the AsyncAPI document."""
    made = {}
    for topic in DECLARED:
        name = topic.contract.event_type
        schema = topic.contract.model_json_schema()
        found = {"$schema": _DIALECT, "$id": f"urn:{name.replace('.', ':')}", **schema}
        made[_file(name)] = _written(
            {**found, "examples": list(examples_of(name, examples).values())}
        )
    files = {
        topic.contract.event_type: f"./{_file(topic.contract.event_type)}" for topic in DECLARED
    }
    shown = {name: list(examples_of(name, examples).items()) for name in files}
    made[ASYNCAPI] = _written(asyncapi.document(files, shown))
    return made


def published(folder: Path) -> dict[str, str]:
    """Return the files that *folder* holds."""
    return {file.name: file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.json"))}


def check_compatible(before: Mapping[str, str], after: Mapping[str, str]) -> None:
    """
    Do nothing.

    Raises:
        Incompatible: A contract of *after* breaks those who use that of *before*.
    """
    problems = []
    for name, text in before.items():
        if name == ASYNCAPI:
            continue
        contract = name.removesuffix(".schema.json")
        if name not in after:
            problems.append(f"  {contract}: is gone")
            continue
        found = incompatibilities(json.loads(text), json.loads(after[name]))
        problems.extend(f"  {contract}: {each}" for each in found)
    if problems:
        raise Incompatible(
            "\n".join(
                [
                    "these changes would break who reads or writes these messages:",
                    *problems,
                    "add a field with a default instead, or make a new class on a new topic",
                ]
            )
        )


def _file(event_type: str) -> str:
    return f"{event_type}.schema.json"


def _written(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
