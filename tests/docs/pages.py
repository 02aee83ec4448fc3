"""The pages of the documentation: their blocks of code, headings and links."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from roadgraph.config import REPOSITORY

DOCS = REPOSITORY / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
FENCE = "```"
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class Block:
    """What stands between two fences.

    Attributes:
        page: the page.
        line: of its first line, from 1.
        language: what the opening fence names, such as ``sh``.
        text: the lines between the fences.
    """

    page: Path
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        """Where it stands, for messages."""
        return f"{name_of(self.page)}:{self.line}"


def name_of(page: Path) -> str:
    """Return how messages call a page."""
    return str(page.relative_to(REPOSITORY))


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of code of a page in their order.

    A fence that is indented, or without a language, is an error: nothing would look at its lines.
    """
    blocks = []
    begin, language, lines = 0, "", list[str]()
    for number, line in enumerate(page.read_text("utf-8").splitlines(), start=1):
        if FENCE not in line:
            lines.append(line)
        elif begin:
            assert line == FENCE, f"{name_of(page)}:{number}: a block ends by a bare fence"
            blocks.append(Block(page, begin, language, "\n".join(lines) + "\n"))
            begin = 0
        else:
            language = line.removeprefix(FENCE)
            assert re.fullmatch("[a-z]+", language), f"{name_of(page)}:{number}: {line}"
            begin, lines = number + 1, []
    assert not begin, f"{name_of(page)}:{begin}: the last block does not end"
    return blocks


def prose_of(page: Path) -> str:
    """Return a page without its blocks of code."""
    parts = page.read_text("utf-8").split(f"\n{FENCE}")
    return "\n".join(parts[::2])


def anchors_of(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as code hosts make them."""
    found = set()
    for heading in re.findall(r"^#+ (.+)$", prose_of(page), re.MULTILINE):
        kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
        found.add(kept.replace(" ", "-"))
    return found


def links_of(page: Path) -> Iterator[str]:
    """Yield what the links of a page point to."""
    yield from LINK.findall(prose_of(page))


def code_of(page: Path) -> Iterator[str]:
    """Yield what stands in backticks in a page's text, its blocks left out."""
    yield from CODE.findall(prose_of(page))
