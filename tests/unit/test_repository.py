"""What holds for every file."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

TRACKED = [
    Path(name)
    for name in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    if Path(name).is_file()
]
PYTHON = [path for path in TRACKED if path.suffix == ".py"]
OURS = [path for path in PYTHON if path.parts[0] in {"streams", "schemas"}]
PROJECT = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCKS = [path for path in TRACKED if path.name == "requirements.lock"]
TOP_LEVEL = {
    *("pyproject.toml", "README.md", "streams", "schemas", "deploy", "tests", "docker-compose.yml"),
    # What tools demand.
    *(".ci", ".dockerignore", ".gitignore", "CHANGELOG.md", "LICENSE", "Makefile"),
    "requirements.lock",
}
#: Written so that this file does not hold them.
REGISTRIES = re.compile(
    r"py" r"pi\.org|python" r"hosted|index-" r"url (http|=)|registry\.np" r"mjs"
)
MACHINES = re.compile(r"/(?:root|work|home|Users)/(?!\$)\w")
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b|NotImplemented" r"Error")


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def parsed(path: Path) -> ast.Module:
    return ast.parse(text_of(path))


def test_the_top_level_holds_what_tools_demand_and_no_more() -> None:
    """The front page would become an attic."""
    assert {path.parts[0] for path in TRACKED} == TOP_LEVEL


@pytest.mark.parametrize(
    ("forbidden", "why"),
    [(REGISTRIES, "a registry's address"), (MACHINES, "a machine's path")],
    ids=["registries", "machines"],
)
def test_no_file_names_where_it_was_made(forbidden: re.Pattern[str], why: str) -> None:
    """It would hold on one machine only."""
    found = [
        f"{path}:{number}: {why}: {line.strip()}"
        for path in TRACKED
        for number, line in enumerate(text_of(path).splitlines(), 1)
        if forbidden.search(line)
    ]
    assert found == []


def test_nothing_is_left_for_later() -> None:
    """A promise in a comment is a fault that is known."""
    assert [path for path in PYTHON if UNFINISHED.search(text_of(path))] == []


def test_no_file_has_become_two_rooms() -> None:
    """Nobody finds their way in more than 500 lines."""
    assert [path for path in PYTHON if len(text_of(path).splitlines()) > 500] == []


def test_every_module_says_what_it_is() -> None:
    """A reader who walks the tree finds each decision by that line."""
    silent = [path for path in OURS if text_of(path) and not ast.get_docstring(parsed(path))]
    assert silent == []


def test_no_name_says_nothing() -> None:
    """Whatever has no place goes there."""
    nameless = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "core", "base"}
    assert [path for path in TRACKED if nameless & {*path.parts, path.stem}] == []


def test_the_licence_is_whole() -> None:
    """Who gives the program on has to give the licence with it."""
    licence = text_of(Path("LICENSE"))
    assert "Apache License\n                           Version 2.0, January 2004" in licence
    assert "END OF TERMS AND CONDITIONS" in licence


def declared(*extras: str) -> set[str]:
    """Names of the project's dependencies, with those of *extras*."""
    more = (PROJECT["optional-dependencies"][extra] for extra in extras)
    lines = [*PROJECT["dependencies"], *(line for extra in more for line in extra)]
    return {re.split(r"[\[=;<> ]", line)[0].lower() for line in lines}


@pytest.mark.parametrize("lock", LOCKS, ids=str)
def test_every_dependency_is_pinned_with_hashes(lock: Path) -> None:
    """Two installations of one version would differ."""
    extras = ("laptop", "dev") if lock == Path("requirements.lock") else ()
    blocks = re.split(r"^(?=[a-z0-9-]+==)", text_of(lock), flags=re.MULTILINE)[1:]
    assert declared(*extras) <= {block.split("==")[0] for block in blocks}
    assert [block.split("==")[0] for block in blocks if "--hash=sha256:" not in block] == []


def imported(path: Path) -> Iterator[str]:
    """Top-level names of what a file imports from elsewhere, wherever in it that stands."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def test_what_is_imported_is_declared() -> None:
    """The image has what is declared and no more: a worker would end at its first import."""
    sources = packages_distributions()
    # Faust and Jinja are written in these, and hand out their objects.
    anywhere = declared() | {"mode-streaming", "markupsafe"}
    # The last is Python's own from 3.14 on.
    known = {"streams", "schemas", *sys.stdlib_module_names, "compression"}
    undeclared = [
        f"{path}: {name}"
        for path in OURS
        for name in imported(path)
        if name not in known
        for allowed in [anywhere | declared("laptop") if "laptop" in path.parts else anywhere]
        if not allowed & {re.sub(r"[._]", "-", it).lower() for it in sources.get(name, [])}
    ]
    assert undeclared == []


def test_the_change_log_says_what_is_to_come() -> None:
    """An operator would find out by surprise."""
    assert re.search(r"^## Unreleased$\n\n### ", text_of(Path("CHANGELOG.md")), re.MULTILINE)
