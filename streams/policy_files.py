"""
The files of a policy: YAML with places, and names of the environment replaced.

``${NAME}`` in a text stands for what the environment has under that name, ``${NAME:-else}`` for *else* where it has nothing, and
``$${`` for ``${``. Values are put in after the file was read, so none of them can change its shape, and no message shows one.
"""

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from streams.policy_yaml import MOST_PLACES, Reader, fault

Place = tuple[str | int, ...]

_NAMED: Final = re.compile(
    r"\$(\$\{)|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|(\$\{[A-Za-z_][^}]*\}?|\A\$[A-Z_][A-Z0-9_]*\Z)"
)
#: Other files that are told of.
_OTHERS: Final = 5
#: How the names of YAML files end.
SUFFIXES: Final = (".yaml", ".yml")
#: What may be wrong with the path of a policy that is nowhere.
POLICY_MISSING: Final = "; name the policy's folder, or set TOCSIN_POLICY to it"
_TEXT: Final = "tag:yaml.org,2002:str"
_INTEGER: Final = "tag:yaml.org,2002:int"
_MERGE: Final = "tag:yaml.org,2002:merge"
#: Values of the environment that are shorter are not looked for in messages: they would be found in any word.
_SHORTEST: Final = 4


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where, and what instead."""

    file: str
    line: int
    place: str
    text: str
    names: str = ""
    """The part of the policy in which something is named that is not there."""

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
    plain: dict[Place, str] = field(default_factory=dict)
    """Numbers and the like as they are written: 1e3 for 1000."""
    told: set[Place] = field(default_factory=set)
    """Places of which enough is said: whatever else is wrong there follows from it."""
    secrets: dict[str, str] = field(default_factory=dict)
    """Values that the environment gave, by name."""
    problems: list[Problem] = field(default_factory=list)

    def problem(self, place: Place, text: str, names: str = "") -> Problem:
        """Return a problem at *place*, without any of the environment's values; it *names* what is not in that part."""
        for name, value in self.secrets.items():
            if len(value) >= _SHORTEST:
                text = text.replace(value, f"${{{name}}}")
        return Problem(self.name, self._line(place), shown(place), text, names)

    def written_at(self, place: Place) -> Any:
        """Return what was written at *place*; None where nothing was."""
        found = self.written
        for step in place:
            try:
                found = found[step]
            except (KeyError, IndexError, TypeError):
                return None
        return found

    def quoted(self, place: Place) -> str:
        """Return what was written at *place* as a message shows it."""
        return self.plain.get(place) or repr(self.written_at(place))

    def is_told(self, place: Place) -> bool:
        """Whether enough is said of *place*, or of what it is in."""
        return any(place[:length] in self.told for length in range(len(place) + 1))

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
    found = (each for each in path.iterdir() if each.suffix in SUFFIXES)
    # Editors leave files beside those that they edit.
    return sorted(each for each in found if not each.name.startswith("."))


def there_instead(folder: Path) -> str:
    """Return what there is in a *folder* without YAML files, as the end of a message."""
    below = sorted({each.relative_to(folder).parts[0] for each in _below(folder)})
    if below:
        return f"; those of folders below it are not read: {', '.join(below)}"
    others = sorted(each.name for each in folder.iterdir() if each.is_file())
    return f"; there is {', '.join(others[:_OTHERS])}" if others else ""


def parts_below(folder: Path, parts: Collection[str]) -> Iterator[Problem]:
    """Yield the files below *folder* that have *parts* of a policy, which nobody reads; cases of tests may stand there."""
    for file in _below(folder):
        text = text_of(file, file.name)
        document = None if isinstance(text, Problem) else document_of(file.name, text, None)
        named = document.meant if document and isinstance(document.meant, dict) else {}
        if named and set(named) <= set(parts):
            name = file.relative_to(folder).as_posix()
            told = "is not read: the files of a policy stand in its folder, and not below it"
            yield Problem(name, 0, "", told)


def _below(folder: Path) -> list[Path]:
    """Return the YAML files one level below *folder*, but those that are hidden."""
    return sorted(
        each
        for each in folder.glob("*/*.y*ml")
        if each.suffix in SUFFIXES
        and not any(part.startswith(".") for part in each.relative_to(folder).parts)
    )


def documents(path: Path, environment: Mapping[str, str]) -> Iterator[Document]:
    """Yield the YAML files of *path*, a file or a folder, in the order of their names."""
    for file in files_of(path):
        text = text_of(file, file.name, POLICY_MISSING)
        if isinstance(text, Problem):
            yield Document(file.name, problems=[text])
        else:
            yield document_of(file.name, text, environment)


def text_of(file: Path, name: str, missing: str = "") -> str | Problem:
    """Return the text of *file*, or why it cannot be read; messages call it *name*, and say *missing* where it is nowhere."""
    try:
        read = file.read_bytes()
    except OSError as error:
        why = str(error.strerror)
        if isinstance(error, FileNotFoundError):
            why += missing
        return Problem(name, 0, "", f"cannot be read: {why}")
    try:
        return read.decode("utf-8")
    except UnicodeDecodeError as error:
        line = read.count(b"\n", 0, error.start) + 1
        wide = read.startswith((BOM_UTF16_LE, BOM_UTF16_BE))
        why = "is UTF-16" if wide else "is not UTF-8 text"
        return Problem(name, line, "", f"{why}: save the file as UTF-8")


def document_of(name: str, text: str, environment: Mapping[str, str] | None) -> Document:
    """Return the file called *name* that holds *text*; without an *environment* it is meant as it is written."""
    document = Document(name)
    try:
        node = yaml.compose(text, Reader)
        if node is not None:
            _walk(document, node, (), frozenset())
            document.written = _construct(node)
    except yaml.YAMLError as error:
        line, told = fault(text, error)
        document.problems.append(Problem(document.name, line, "", f"is no YAML: {told}"))
    except RecursionError:
        document.problems.append(Problem(document.name, 0, "", "is no YAML: is nested too deeply"))
    except ValueError as error:
        # What is marked as a number or a date, and is none.
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
        plain={
            each[begin:]: text for each, text in document.plain.items() if each[:begin] == place
        },
    )
    part.meant = _replaced(part, part.written, (), environment)
    return part


def _construct(node: yaml.Node) -> Any:
    loader = Reader("")
    try:
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _walk(document: Document, node: yaml.Node, place: Place, above: frozenset[int]) -> None:
    """Remember the lines of all places, and find what a reader of YAML would drop silently."""
    document.lines[place] = node.start_mark.line + 1
    if id(node) in above:
        raise yaml.composer.ComposerError(None, None, "an alias contains itself", node.start_mark)
    if len(document.lines) > MOST_PLACES:
        text = f"its aliases repeat more than {MOST_PLACES} settings"
        raise yaml.composer.ComposerError(None, None, text, node.start_mark)
    above |= {id(node)}
    if isinstance(node, yaml.ScalarNode) and node.tag != _TEXT:
        document.plain[place] = node.value
    elif isinstance(node, yaml.SequenceNode):
        for number, child in enumerate(node.value):
            _walk(document, child, (*place, number), above)
    elif isinstance(node, yaml.MappingNode):
        _walk_map(document, node, place, above)


def _walk_map(
    document: Document, node: yaml.MappingNode, place: Place, above: frozenset[int]
) -> None:
    seen: dict[str, int] = {}
    for key, child in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            text = "has a map or a list for a name; a text that begins with {{ is put in quotes"
            raise yaml.composer.ComposerError(None, None, text, key.start_mark)
        if key.tag == _MERGE:
            _walk(document, child, (*place, key.value), above)
            continue
        number = key.tag == _INTEGER and key.value.isdecimal()
        if not number:
            # Names are texts, whatever they look like.
            key.tag = _TEXT
        below = (*place, int(key.value) if number else key.value)
        if key.value in seen:
            text = f"stands in line {seen[key.value]} as well: only the last one would count"
            document.problems.append(Problem(document.name, line, shown(below), text))
        elif key.value != key.value.strip():
            document.told.add(below)
            text = "has a space that is none of YAML's, such as a no-break space: write a plain one"
            document.problems.append(Problem(document.name, line, shown(below), text))
        seen[key.value] = line
        _walk(document, child, below, above)
        # What is wrong is looked for at its name, also where its value begins below it.
        document.lines[below] = line


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
        escaped, name, otherwise, odd = found.groups()
        if escaped:
            return str(escaped)
        if odd:
            told = "has what looks like a name of the environment: write ${NAME} or ${NAME:-a default}, and $${ for ${ itself"
            document.problems.append(document.problem(place, told))
            document.told.add(place)
            return "unset"
        given = environment.get(name) or otherwise
        if given is None:
            told = f"the environment has no {name}; set it, or write ${{{name}:-a default}}"
            document.problems.append(document.problem(place, told))
            document.told.add(place)
            return "unset"
        if name in environment:
            document.secrets[name] = given
        return str(given)

    return _NAMED.sub(value, text)
