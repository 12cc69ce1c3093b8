"""Reads the pages: blocks, headings, links and tables come out, for tests to execute and compare.

A fenced block's info string is its language and, after a blank, what the block is: a file's name,
`/metrics` (lines of the exposition), or a command whose output it shows.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    page: str
    line: int
    section: str
    language: str
    name: str
    text: str

    def __str__(self):
        return f"{self.page}:{self.line}"


@dataclass
class Page:
    """A Markdown page."""

    name: str
    blocks: list[Block] = field(default_factory=list)
    anchors: list[str] = field(default_factory=list)
    prose: dict[str, list[str]] = field(default_factory=dict)

    @property
    def text(self):
        return "\n".join(line for lines in self.prose.values() for line in lines)

    @property
    def links(self):
        return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", self.text))

    def table(self, section, number=0):
        """Give a table of a section: for each row its cells, without the head."""
        tables = [[]]
        for line in self.prose[section]:
            if line.startswith("|"):
                tables[-1].append([cell.strip() for cell in re.split(r"(?<=\s)\|\s", line[1:-1])])
            elif tables[-1]:
                tables.append([])
        return tables[number][2:]

    def block(self, name):
        """Give the one block of a name."""
        (block,) = (each for each in self.blocks if each.name == name)
        return block

    def files_before(self, block):
        """Give the files that the page has shown by then, each as it was shown last.

        A second block of a name in the same section continues the first one.
        """
        files, sections = {}, {}
        for each in self.blocks[: self.blocks.index(block)]:
            if "." in each.name and " " not in each.name:
                goes_on = sections.get(each.name) == each.section
                files[each.name] = files[each.name] + each.text if goes_on else each.text
                sections[each.name] = each.section
        return files


def anchor_of(heading):
    """Give the anchor that GitHub makes of a heading."""
    text = re.sub(r"[^\w\- ]", "", heading.lower())
    return text.strip().replace(" ", "-")


def read_page(name):
    page = Page(name)
    section, fence, body = "", None, []
    for number, line in enumerate((REPOSITORY / name).read_text("utf-8").splitlines(), start=1):
        if line.startswith("```") and fence is None:
            fence, body = (number, line.removeprefix("```")), []
        elif line == "```":
            language, _, title = fence[1].partition(" ")
            text = "\n".join(body) + "\n"
            page.blocks.append(Block(name, fence[0], section, language, title, text))
            fence = None
        elif fence is not None:
            body.append(line)
        else:
            if line.startswith("#"):
                section = anchor_of(line.lstrip("#"))
                page.anchors.append(section)
            page.prose.setdefault(section, []).append(line)
    return page


PAGES = {
    name: read_page(name)
    for name in [
        "README.md",
        *(f"docs/{path.name}" for path in sorted((REPOSITORY / "docs").glob("*.md"))),
    ]
}


def _is_live(block):
    page = PAGES[block.page]
    here = [each.text for each in page.blocks if each.section == block.section]
    # What installs by itself, or runs a program, starts the exporter too.
    return any(re.search(r"ancestry_obs\.install\(|--hold|obs run", text) for text in here)


def _parameter(block):
    marks = [pytest.mark.live] if _is_live(block) else []
    if block.text.startswith("prometheus "):
        marks.append(pytest.mark.real)
    return pytest.param(block, marks=marks, id=f"{block.page}:{block.line}")


def pytest_generate_tests(metafunc):
    """Make a test of each block of a kind, for the tests that ask for one."""
    blocks = [block for page in PAGES.values() for block in page.blocks]
    kinds = {
        "exposition": [block for block in blocks if block.name == "/metrics"],
        "verdict": [block for block in blocks if block.name.startswith("ancestry-obs ")],
        # What two pages show alike is run once.
        "commands": [*{block.text: block for block in blocks if block.language == "sh"}.values()],
    }
    for name, chosen in kinds.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, list(map(_parameter, chosen)))


@pytest.fixture(scope="session")
def repository():
    """The repository's folder."""
    return REPOSITORY


@pytest.fixture(scope="session")
def require():
    """Skip a test without a real program, or fail it in CI, which installs them all."""

    def find(program):
        if shutil.which(program) is None:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{program} is not installed")

    return find


@pytest.fixture(scope="session")
def pages():
    """Every page by its path in the repository."""
    return PAGES


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder to work in; what is imported from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def files_of(folder, pages):
    """Write the files that a page has shown before a block; give their names."""

    def write(block):
        files = pages[block.page].files_before(block)
        for name, text in files.items():
            (folder / name).write_text(text, "utf-8")
        return files

    return write
