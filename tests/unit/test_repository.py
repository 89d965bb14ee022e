"""What holds for every file."""

import re
import subprocess
import tomllib
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
MACHINES = re.compile(r"/(?:root|work|home)/(?!\$)\w")
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b|NotImplemented" r"Error")


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


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


def test_no_name_says_nothing() -> None:
    """Whatever has no place goes there."""
    nameless = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "core", "base"}
    assert [path for path in TRACKED if nameless & {*path.parts, path.stem}] == []


def test_the_licence_is_whole() -> None:
    """Who gives the program on has to give the licence with it."""
    licence = text_of(Path("LICENSE"))
    assert "Apache License\n                           Version 2.0, January 2004" in licence
    assert "END OF TERMS AND CONDITIONS" in licence


def test_every_dependency_is_pinned_with_hashes() -> None:
    """Two installations of one version would differ."""
    project = tomllib.loads(text_of(Path("pyproject.toml")))["project"]
    extras = project["optional-dependencies"]
    wanted = {
        re.split(r"[\[=;<> ]", line)[0].lower()
        for line in [*project["dependencies"], *extras["laptop"], *extras["dev"]]
    }
    lock = text_of(Path("requirements.lock"))
    pins = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", lock, re.MULTILINE))
    assert wanted <= set(pins)
    blocks = re.split(r"^(?=[a-z0-9-]+==)", lock, flags=re.MULTILINE)[1:]
    assert [block.split("==")[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_the_change_log_says_what_is_to_come() -> None:
    """An operator would find out by surprise."""
    assert re.search(r"^## Unreleased$\n\n### ", text_of(Path("CHANGELOG.md")), re.MULTILINE)
