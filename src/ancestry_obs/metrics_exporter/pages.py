"""What stands at which path: a path and an Accept header come in, a page goes out.

Nothing here knows sockets or HTTP beyond the status code, and nothing here raises: a page whose
function fails, with whatever exception, becomes a 500 with one line of text, and the log says so
once until it works again.
A page is compressed as it is written, so that the whole of it is never kept beside what is sent.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from http import HTTPStatus
from io import BytesIO
from itertools import chain
from typing import Final

from ancestry_obs.frozen import frozen, replaced
from ancestry_obs.metrics_exporter.page_files import HEADERS, page_files
from ancestry_obs.notices import Notices
from ancestry_obs.recording.failures import came_from_outside, shown, warn

__all__ = ["LiveNumbers", "Page", "Pages", "Render", "StatusReport"]

logger = Notices()

Render = Callable[[str], tuple[bytes | Iterable[bytes], str]]
"""From the Accept header (empty if there is none) to the exposition and its content type.

The exposition is one piece or many.
"""

StatusReport = Callable[[], Mapping[str, object]]
"""Gives the state of the instrumentation in a form that `json` can write."""

LiveNumbers = Callable[[], Iterable[bytes]]
"""Gives the numbers that the live page shows, as JSON in pieces."""

# An exposition repeats itself so much that the fastest level leaves a thirtieth of it. Level 6
# takes two to three times as long, to leave a tenth less of that at best (docs/performance.md).
_GZIP_LEVEL: Final = 1
_GZIP_FORMAT: Final = 16 + zlib.MAX_WBITS
# Below this a packet carries the page anyway.
_GZIP_FROM_BYTES: Final = 1024
# Whoever compresses lets the others run, and may have to wait to run again: not for every few rows.
_PIECE_BYTES: Final = 1 << 20

_TEXT = "text/plain; charset=utf-8"
_JSON = "application/json"
_INDEX = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>ancestry-obs</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 40em; margin: 3em auto; padding: 0 1em }
dt { margin-top: 1em }
</style>
<h1>ancestry-obs</h1>
<p>Metrics of a running Python program, for Prometheus to scrape.</p>
<dl>
<dt><a href="/metrics">/metrics</a><dd>The exposition: text or OpenMetrics, as asked for.
<dt><a href="/status">/status</a><dd>Every target with its state and reason, as JSON.
<dt><a href="/-/healthy">/-/healthy</a><dd>Answers as long as the exporter does.
</dl>
</html>
"""


@frozen()
class Page:
    """An answer before it is sent.

    Args:
        status: The HTTP status.
        content_type: With its charset.
        body: What is sent.
        encoding: How the body is compressed; empty if it is not.
        headers: What is told of it besides.
    """

    status: HTTPStatus
    content_type: str
    body: bytes
    encoding: str = ""
    headers: tuple[tuple[str, str], ...] = ()


class Pages:
    r"""The exporter's pages.

    Args:
        render: Gives the exposition.
        status: Gives what ``/status`` shows.
        live: Gives what the live page shows, which is at ``/`` then; else a short index is.

    Example:
        >>> pages = Pages(lambda accept: (b"up 1\n", "text/plain"), dict)
        >>> pages.answer("/metrics", accept="").body
        b'up 1\n'
    """

    DEAR: Final = frozenset({"/metrics", "/status", "/page/numbers"})
    """The pages that cost something, and run code of the program."""

    def __init__(
        self, render: Render, status: StatusReport, *, live: LiveNumbers | None = None
    ) -> None:
        self._status = status
        self._failing: set[str] = set()
        self._routes: dict[str, Callable[[str], tuple[bytes | Iterable[bytes], str]]] = {
            "/": self._index,
            "/metrics": render,
            "/status": self._status_page,
            "/-/healthy": self._healthy,
        }
        self._known = ", ".join(sorted(self._routes))
        live_routes: dict[str, Callable[[str], tuple[bytes | Iterable[bytes], str]]] = {}
        if live is not None and (files := page_files()):
            live_routes = {**files, "/page/numbers": lambda _accept: (live(), _JSON)}
        self._of_live_page = live_routes.keys()
        self._routes.update(live_routes)

    def answer(self, path: str, *, accept: str, gzip: bool = False) -> Page:
        """Give the page at a path.

        Args:
            path: Without the query.
            accept: The request's Accept header, or an empty text.
            gzip: Whether it may be compressed; a small page is not.

        Returns:
            The page; 404 if there is none, 500 if its function failed.
        """
        route = self._routes.get(path)
        if route is None:
            text = f"No such page; there are {self._known}\n"
            return Page(HTTPStatus.NOT_FOUND, _TEXT, text.encode())
        try:
            page = _page(*route(accept), gzip=gzip)
        except BaseException as error:  # program code runs in here and may raise anything
            if came_from_outside(error):
                raise
            return self._failure(path, error)
        self._failing.discard(path)
        return replaced(page, headers=HEADERS) if path in self._of_live_page else page

    def _failure(self, path: str, error: BaseException) -> Page:
        # A scrape comes every few seconds: a line each time would bury the first one.
        if path not in self._failing:
            self._failing.add(path)
            said = "%s cannot be rendered; it answers 500 meanwhile"
            warn(logger, said, path, traceback_of=error)
        text = f"{path} cannot be rendered: {shown(error)}; the program's log has the traceback\n"
        body = text.encode(errors="backslashreplace")
        return Page(HTTPStatus.INTERNAL_SERVER_ERROR, _TEXT, body)

    def _status_page(self, _accept: str) -> tuple[bytes, str]:
        text = json.dumps(self._status(), indent=2, default=str)
        return f"{text}\n".encode(), _JSON

    def _index(self, _accept: str) -> tuple[bytes, str]:
        return _INDEX.encode(), "text/html; charset=utf-8"

    def _healthy(self, _accept: str) -> tuple[bytes, str]:
        return b"OK\n", _TEXT


def _page(content: bytes | Iterable[bytes], content_type: str, *, gzip: bool) -> Page:
    pieces = iter((content,) if isinstance(content, bytes) else _gathered(content))
    first = next(pieces)
    if not gzip or len(first) < _GZIP_FROM_BYTES:
        # What is one piece is not copied.
        body = content if isinstance(content, bytes) else _joined(chain((first,), pieces))
        return Page(HTTPStatus.OK, content_type, body)
    body = _joined(_compressed(chain((first,), pieces)))
    return Page(HTTPStatus.OK, content_type, body, "gzip")


def _joined(pieces: Iterable[bytes]) -> bytes:
    # Not `bytes.join`, in which all threads stand still until the whole page is copied.
    page = BytesIO()
    page.writelines(pieces)
    return page.getvalue()


def _compressed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    compressor = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_FORMAT)
    yield from map(compressor.compress, pieces)
    yield compressor.flush()


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Make large pieces of small ones, and one of none."""
    waiting, size = [], 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= _PIECE_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)
