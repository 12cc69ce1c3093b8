"""The pictures of the live page, in the README and in the page on monitoring."""

from __future__ import annotations

import re
import struct

import pytest


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    ("page", "folder"), [("README.md", "docs/images"), ("docs/monitoring.md", "images")]
)
def test_it_is_shown_with_words_for_who_cannot_see_it(repository, page, folder, theme):
    text = (repository / page).read_text("utf-8")
    link = re.escape(f"{folder}/live_page_{theme}.png")
    (words,) = re.findall(rf"!\[([^\]]+)\]\({link}\)", text)
    assert len(words.split()) > 10


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_is_as_wide_as_the_command_makes_it(repository, theme):
    path = repository / f"docs/images/live_page_{theme}.png"
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    script = (repository / "docs/images/live_page.py").read_text("utf-8")
    size = re.search(r"WIDTH, HEIGHT = (\d+), (\d+)", script).groups()
    assert struct.unpack(">II", head[16:]) == tuple(map(int, size))
