"""The files of the live page: nothing comes in, a function for each path goes out.

What stands in the folder `live_page` is served as it is, whenever somebody asks: nothing of it is
kept in the program. A file is added by putting it there.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FOLDER", "HEADERS", "page_files"]

FOLDER: Final = Path(__file__).with_name("live_page")
"""Where the files are."""

_INDEX: Final = "index.html"
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

HEADERS: Final = (
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    # Another release may answer at the same address the next time.
    ("Cache-Control", "no-cache"),
)
"""What a browser is told of each file: it runs nothing but these, and asks nobody else."""


def page_files() -> dict[str, Callable[[str], tuple[bytes, str]]]:
    """Give the files by path, as functions from an Accept header to content and content type.

    Returns:
        The page at ``/``; what it needs stands below ``/page/``, which it names relatively, so that
        it works wherever a proxy puts it. Nothing where the toolkit is read from an archive.
    """
    if not FOLDER.is_dir():
        return {}
    files = {path.name: partial(_read, path) for path in FOLDER.iterdir() if path.suffix in _TYPES}
    index = files.pop(_INDEX)
    return {"/": index, **{f"/page/{name}": file for name, file in sorted(files.items())}}


def _read(path: Path, _accept: str) -> tuple[bytes, str]:
    return path.read_bytes(), _TYPES[path.suffix]
