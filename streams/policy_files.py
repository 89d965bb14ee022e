"""
The files of a policy: YAML with places, and names of the environment replaced.

``${NAME}`` in a text stands for what the environment has under that name, ``${NAME:-else}`` for *else* where it has nothing, and
``$${`` for ``${``. Values are put in after the file was read, so none of them can change its shape, and no message shows one.
"""

import re
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

Place = tuple[str | int, ...]

_NAMED: Final = re.compile(r"\$(\$\{)|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
#: Values of the environment that are shorter are not looked for in messages: they would be found in any word.
_SHORTEST: Final = 4


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where, and what instead."""

    file: str
    line: int
    place: str
    text: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: " if self.line else f"{self.file}: "
        return where + (f"{self.place}: " if self.place else "") + self.text


@dataclass
class Document:
    """One file, as it was written and as it is meant."""

    name: str
    written: Any = None
    """Without the environment's values: what messages may quote."""
    meant: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    """Values that the environment gave, by name."""
    problems: list[Problem] = field(default_factory=list)

    def problem(self, place: Place, text: str) -> Problem:
        """Return a problem at *place*, without any of the environment's values."""
        for name, value in self.secrets.items():
            if len(value) >= _SHORTEST:
                text = text.replace(value, f"${{{name}}}")
        return Problem(self.name, self._line(place), shown(place), text)

    def written_at(self, place: Place) -> Any:
        """Return what was written at *place*; None where nothing was."""
        found = self.written
        for step in place:
            try:
                found = found[step]
            except (KeyError, IndexError, TypeError):
                return None
        return found

    def _line(self, place: Place) -> int:
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 0)


def shown(place: Place) -> str:
    """Return *place* as people write it: ``rules[0].match``."""
    text = ""
    for step in place:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def files_of(path: Path) -> list[Path]:
    """Return the YAML files of *path*, a file or a folder, in the order of their names."""
    if not path.is_dir():
        return [path]
    return sorted(each for each in path.iterdir() if each.suffix in {".yaml", ".yml"})


def documents(path: Path, environment: Mapping[str, str]) -> Iterator[Document]:
    """Yield the YAML files of *path*, a file or a folder, in the order of their names."""
    for file in files_of(path):
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = str(error.strerror) if isinstance(error, OSError) else "it is not UTF-8 text"
            if isinstance(error, FileNotFoundError):
                why += "; name the policy's folder, or set TOCSIN_POLICY to it"
            unread = Problem(file.name, 0, "", f"cannot be read: {why}")
            yield Document(file.name, problems=[unread])
        else:
            yield document_of(file.name, text, environment)


def document_of(name: str, text: str, environment: Mapping[str, str] | None) -> Document:
    """Return the file called *name* that holds *text*; without an *environment* it is meant as it is written."""
    document = Document(name)
    try:
        node = yaml.compose(text, yaml.SafeLoader)
        if node is not None:
            _walk(document, node, (), frozenset())
            document.written = _construct(node)
    except yaml.YAMLError as error:
        document.problems.append(_unreadable(document, error))
    except ValueError as error:
        # What looks like a date and is none.
        document.problems.append(Problem(document.name, 0, "", f"is no YAML: {error}"))
    else:
        document.meant = (
            document.written
            if environment is None
            else _replaced(document, document.written, (), environment)
        )
    return document


def part_of(document: Document, place: Place, environment: Mapping[str, str]) -> Document:
    """Return what stands at *place* as a file of its own, on the same lines."""
    begin = len(place)
    part = Document(
        document.name,
        document.written_at(place),
        lines={
            each[begin:]: line for each, line in document.lines.items() if each[:begin] == place
        },
    )
    part.meant = _replaced(part, part.written, (), environment)
    return part


def _construct(node: yaml.Node) -> Any:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _walk(document: Document, node: yaml.Node, place: Place, above: frozenset[int]) -> None:
    """Remember the lines of all places, and find what a reader of YAML would drop silently."""
    document.lines[place] = node.start_mark.line + 1
    if id(node) in above:
        raise yaml.composer.ComposerError(None, None, "an alias contains itself", node.start_mark)
    above |= {id(node)}
    if isinstance(node, yaml.SequenceNode):
        for number, child in enumerate(node.value):
            _walk(document, child, (*place, number), above)
    elif isinstance(node, yaml.MappingNode):
        seen: set[Hashable] = set()
        for key, child in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else None
            if name is None:
                continue
            below = (*place, int(name) if key.tag.endswith(":int") and name.isdecimal() else name)
            if name in seen:
                line = key.start_mark.line + 1
                text = "stands twice; only the last would count"
                document.problems.append(Problem(document.name, line, shown(below), text))
            seen.add(name)
            _walk(document, child, below, above)


def _replaced(document: Document, part: Any, place: Place, environment: Mapping[str, str]) -> Any:
    if isinstance(part, Mapping):
        return {
            key: _replaced(document, value, (*place, key), environment)
            for key, value in part.items()
        }
    if isinstance(part, list):
        return [
            _replaced(document, value, (*place, number), environment)
            for number, value in enumerate(part)
        ]
    return _put_in(document, part, place, environment) if isinstance(part, str) else part


def _put_in(document: Document, text: str, place: Place, environment: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        escaped, name, otherwise = found.groups()
        if escaped:
            return str(escaped)
        given = environment.get(name) or otherwise
        if given is None:
            told = f"the environment has no {name}; set it, or write ${{{name}:-a default}}"
            document.problems.append(document.problem(place, told))
            return "unset"
        if name in environment:
            document.secrets[name] = given
        return str(given)

    return _NAMED.sub(value, text)


def _unreadable(document: Document, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or "it cannot be read"
    return Problem(document.name, mark.line + 1 if mark else 0, "", f"is no YAML: {what}")
