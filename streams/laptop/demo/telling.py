"""What the demo says while it goes: a spinner and colours on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console, RenderableType
from rich.text import Text

#: Columns where nothing says how many there are.
_WIDTH: Final = 140


class Telling:
    """Says what happens, with the seconds since the beginning before it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        if not console.is_terminal:
            # Whoever reads it later has more room than the eighty columns that are taken for granted.
            console.width = max(console.width, _WIDTH)
        self._begun = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._begun

    def chapter(self, title: str) -> None:
        """Begin a part of the story."""
        self._console.print()
        self._console.print(Text(title, style="bold"))

    def said(self, text: str, *, good: bool = True) -> None:
        """Say that something happened."""
        mark = ("✓", "green") if good else ("·", "dim")
        line = Text.assemble((f"{self.elapsed:6.1f} s ", "dim"), mark, " ", text)
        self._console.print(line, soft_wrap=True)

    def quoted(self, text: str) -> None:
        """Print lines of somebody else, or something to copy, as they are."""
        self._console.print(Text(text.rstrip("\n")), soft_wrap=True)

    def shown(self, what: RenderableType) -> None:
        """Print a table."""
        self._console.print(what)

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Show what is waited for while the block runs."""
        if not self._console.is_terminal:
            yield
            return
        with self._console.status(Text(what)):
            yield
