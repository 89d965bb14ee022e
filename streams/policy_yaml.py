"""
YAML as the files of a policy have it, and what is wrong where a file is none, in words for its author.

Plain words are read as YAML 1.2 reads them: ``true`` and ``false`` are truth, ``on``, ``yes`` and ``NO`` are words; ``1:30`` and
``2026-02-30`` are texts, which whoever reads the setting judges, and no numbers that nobody wrote.
"""

import re
from typing import Any, Final

import yaml

_NEVER_CLOSED: Final = "is never closed"
#: Places of one file, with everything that its aliases repeat.
MOST_PLACES: Final = 200_000

#: What the library says, in the course of what, on what sort of line, and what is said instead; the first that fits.
_SAID_INSTEAD: Final = (
    ("", "", "\N{NO-BREAK SPACE}", "has a no-break space (U+00A0): write a plain one"),
    (r"'\\t' that cannot start", "", "", "has a tab where only spaces may stand"),
    ("'(.+)' that cannot start", "", "", "no text begins with {0}: put it in quotes"),
    (
        "undefined alias '(.*)'",
        "",
        "",
        "*{0} stands for nothing; a text that begins with * is put in quotes",
    ),
    ("", "an alias", "", "a text that begins with * is put in quotes"),
    ("", "an anchor", "", "a text that begins with & is put in quotes"),
    (
        "unknown escape character '(.*)'",
        "",
        "",
        r"\{0} means nothing in double quotes: put the text in single ones",
    ),
    ("unexpected end of stream", "quoted", "", f"a quote that begins here {_NEVER_CLOSED}"),
    (
        "but got",
        "flow",
        r"\$\{",
        'between { and }, or [ and ], a text with ${…} is put in quotes: "${NAME}"',
    ),
    (
        "but got '<(stream|block) end>'",
        "flow mapping",
        "",
        f"a {{ {_NEVER_CLOSED}",
    ),
    (
        "but got '<(stream|block) end>'",
        "flow sequence",
        "",
        f"a [ {_NEVER_CLOSED}",
    ),
    ("but got", "flow mapping", "", "a comma is missing, or a { before it is never closed"),
    ("but got", "flow sequence", "", "a comma is missing, or a [ before it is never closed"),
    (
        "node content, but found '<stream end>'",
        "flow node",
        "",
        "a [ or { before it is never closed",
    ),
    (
        "node content, but found '-'",
        "flow node",
        "",
        "between [ and ] entries have commas, and no - before them",
    ),
    ("another document", "", "", "--- begins a second document: put it into a file of its own"),
    (
        "mapping values",
        "",
        r": .*:(\s|$)",
        "a text with a colon and a space in it is put in quotes",
    ),
    (
        "mapping values|<block end>",
        "",
        r"[:-] *\{\{",
        "a text that begins with {{ is put in quotes",
    ),
    (
        "<block end>.*<scalar>",
        "",
        "",
        "a text goes on after its closing quote: put all of it in quotes of the other sort",
    ),
    ("mapping values|<block end>", "", "", "is not indented like what it belongs to"),
    ("expected ':'", "", "", "a colon and a space must follow a name"),
    (
        "for the tag '(.*)'",
        "",
        "",
        "there are no tags such as {0}; values of the environment are written ${NAME}",
    ),
)


_FLOAT: Final = (
    r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)


class Reader(yaml.SafeLoader):
    """Reads plain words as YAML 1.2 does."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - as PyYAML has it, whose own is not to be changed


for _tag, _written, _begins in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?(?:0|[1-9][0-9_]*)|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        _FLOAT,
        "-+.0123456789",
    ),
    ("merge", r"<<", "<"),
):
    Reader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_written})\Z"), list(_begins)
    )


def fault(text: str, error: yaml.YAMLError) -> tuple[int, str]:
    """Return the line on which *text* is no YAML, 0 where nobody knows, and what would be right there."""
    if isinstance(error, yaml.reader.ReaderError):
        code = int(error.character)
        line = text.count("\n", 0, error.position) + 1
        return line, f"the character U+{code:04X} cannot stand there: remove it"
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return 0, "it cannot be read"
    number = error.problem_mark.line
    lines = text.splitlines()
    told = _said_instead(error, lines[number] if number < len(lines) else "")
    if told.endswith(_NEVER_CLOSED) and error.context_mark is not None:
        # Where it begins is what has to be mended.
        number = error.context_mark.line
    return number + 1, told


def _said_instead(error: yaml.MarkedYAMLError, line: str) -> str:
    problem, context = error.problem or "it cannot be read", error.context or ""
    for said, during, on, instead in _SAID_INSTEAD:
        found = re.search(said, problem)
        if found and during in context and re.search(on, line):
            what = found[1] if found.groups() else ""
            return instead.replace("{0}", (what or "").replace("tag:yaml.org,2002:", "!!"))
    return problem
