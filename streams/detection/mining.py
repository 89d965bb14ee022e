"""
Which records of a log say the same, but for what changes from one to the next.

After P. He, J. Zhu, Z. Zheng and M. R. Lyu, "Drain: An Online Log Parsing Approach with Fixed Depth Tree" (ICWS 2017), written anew. What
is known to change is masked first: identifiers, addresses, numbers, quoted texts. The words that are left lead down a tree of
fixed depth, by their number and then by the first of them; at its end, a record joins the template that it has the most words in
common with, if these are enough, and whatever differs becomes a gap. Otherwise it is a template of its own.

Nothing depends on chance, and everything is bounded: the words that are looked at, the children of a node, the templates. Of too many
templates, the one that was not seen for the longest gives way.
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

GAP: Final = "<*>"
#: Characters and words of a record that are looked at: what comes later tells few records apart.
CHARACTERS: Final = 500
WORDS: Final = 40
#: Words that lead down the tree.
DEPTH: Final = 2
#: Different words at one place of the tree; further ones go the way of gaps.
CHILDREN: Final = 40
#: The share of words that must be the same.
ALIKE: Final = 0.5
#: Texts whose words are kept: which digits stand in them makes no other text.
TEXTS: Final = 4_096
#: Different records that a tree can recall the template of.
RECALLED: Final = 1_000

#: What is known to change. What is longest stands first: an address is not four numbers.
_MASKED: Final = (
    r'"[^"]*"|\B\'[^\']*\'\B',
    r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b",
    r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?",
    r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?::\d+)?\b",
    r"\b(?:[0-9a-fA-F]{1,4}:){3,7}:?[0-9a-fA-F]{1,4}\b|\b(?:[0-9a-fA-F]{1,4}:)+:[0-9a-fA-F:]*",
    r"\b0[xX][0-9a-fA-F]+\b",
    r"\b(?:[0-9]+[a-fA-F]|[a-fA-F]+[0-9])[0-9a-fA-F]+\b",
    r"(?:\B[-+])?\d+(?:[.,]\d+)*(?:e[-+]?\d+)?",
)
#: Nobody else writes these expressions, none of them can go back over more than a word, and few characters are looked at: RE2 would
#: bound nothing, and takes three times as long to replace.
_CHANGING: Final = re.compile("|".join(_MASKED), re.ASCII)


#: A digit is as good as another, but before an x.
_DIGITS: Final = bytes.maketrans(b"023456789", b"111111111")


class Shape(NamedTuple):
    """What a record says, with gaps for what is known to change."""

    text: str
    words: list[str]


@dataclass(slots=True)
class Template:
    """What records have in common."""

    words: list[str]
    seen: int
    """When it was seen last."""


class _Recalling:
    """What is known only while it runs: a field would be written down."""

    __slots__ = ("recalled",)

    def __post_init__(self) -> None:
        #: The template that a record joins without changing it, by the text of the record, since the templates changed.
        self.recalled: dict[str, Template] = {}


@dataclass(slots=True)
class Tree(_Recalling):
    """The templates of one series, by the way that leads to them: the number of words, and the first of them."""

    leaves: dict[str, list[Template]] = field(default_factory=dict)
    count: int = 0

    def recall(self, shape: Shape) -> Template | None:
        """Return the template that a record would join, if that would change nothing but when it was seen."""
        found = self.recalled.get(shape.text)
        if found is None:
            found = _most_alike(self.leaves.get(self._way(shape.words), []), shape.words)
            if found is None or not _covers(found.words, shape.words):
                return None
            if len(self.recalled) >= RECALLED:
                self.recalled.clear()
            self.recalled[shape.text] = found
        return found

    def learn(self, words: list[str], at: int, most: int) -> bool:
        """Take in a record and return whether it is a template that was not there."""
        self.recalled.clear()
        way = self._way(words)
        leaf = self.leaves.get(way)
        if leaf is None:
            leaf = self.leaves[way] = []
        found = _most_alike(leaf, words)
        if found is not None:
            found.words = _common(found.words, words)
            found.seen = max(found.seen, at)
            return False
        leaf.append(Template(words, at))
        self.count += 1
        if self.count > most:
            self._forget_one(leaf[-1])
        return True

    def covers(self, words: list[str]) -> bool:
        """Whether a template says the same already, to the word."""
        leaf = self.leaves.get(self._way(words), ())
        return any(_covers(each.words, words) for each in leaf)

    def _way(self, words: list[str]) -> str:
        length = str(len(words))
        steps = [GAP if GAP in word else word for word in words[:DEPTH]]
        way = " ".join([length, *steps])
        if way in self.leaves:
            return way
        # Nobody went there before: where a node has too many children, the way leads on through its gap.
        way = length
        for step in steps:
            met = {
                key[len(way) + 1 :].split(" ", 1)[0]
                for key in self.leaves
                if key.startswith(f"{way} ")
            }
            crowded = step not in met and len(met - {GAP}) >= CHILDREN
            way = f"{way} {GAP if crowded else step}"
        return way

    def _forget_one(self, new: Template) -> None:
        oldest, where = None, ""
        for way, leaf in self.leaves.items():
            for each in leaf:
                if each is not new and (oldest is None or each.seen < oldest.seen):
                    oldest, where = each, way
        if oldest is not None:
            self.leaves[where].remove(oldest)
            if not self.leaves[where]:
                del self.leaves[where]
            self.count -= 1


def shape_of(body: str) -> Shape:
    """Return what a record says."""
    return _shape_of(_any_digits(body[:CHARACTERS].encode(errors="surrogatepass")))


def words_of(body: str) -> list[str]:
    """Return the words of a record, with gaps for what is known to change."""
    return shape_of(body).words


def _any_digits(text: bytes) -> bytes:
    """Return *text* with other digits: all that have the same words become one."""
    if b"0x" in text or b"0X" in text:
        # No character has these bytes.
        text = text.replace(b"0x", b"\xfe").replace(b"0X", b"\xff").translate(_DIGITS)
        return text.replace(b"\xfe", b"0x").replace(b"\xff", b"0X")
    return text.translate(_DIGITS)


@lru_cache(TEXTS)
def _shape_of(text: bytes) -> Shape:
    words = _CHANGING.sub(GAP, text.decode(errors="surrogatepass")).split()[:WORDS]
    return Shape(" ".join(words), words)


def _most_alike(leaf: list[Template], words: list[str]) -> Template | None:
    best, most = None, -1
    for each in leaf:
        same = sum(a == b for a, b in zip(each.words, words, strict=True))
        if same > most:
            best, most = each, same
    return best if best is not None and most >= ALIKE * len(words) else None


def _common(template: list[str], words: list[str]) -> list[str]:
    if template == words:
        return template
    return [a if a == b else GAP for a, b in zip(template, words, strict=True)]


def _covers(template: list[str], words: list[str]) -> bool:
    return all(a in {b, GAP} for a, b in zip(template, words, strict=True))
