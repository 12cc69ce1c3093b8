"""What stands at which path: a path and an Accept header come in, a page goes out.

Nothing here knows sockets or HTTP beyond the status code, and nothing here raises: a page whose
function fails becomes a 500 with one line of text, and the log says so once until it works again.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

__all__ = ["Page", "Pages", "Render", "StatusReport"]

logger = logging.getLogger("ancestry_obs")

Render = Callable[[str], tuple[bytes, str]]
"""From the Accept header (empty if there is none) to the exposition and its content type."""

StatusReport = Callable[[], Mapping[str, object]]
"""Gives the state of the instrumentation in a form that `json` can write."""

_TEXT = "text/plain; charset=utf-8"
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


@dataclass(frozen=True, slots=True)
class Page:
    """An answer before it is sent.

    Args:
        status: The HTTP status.
        content_type: With its charset.
        body: Not compressed.
    """

    status: HTTPStatus
    content_type: str
    body: bytes


class Pages:
    r"""The exporter's pages.

    Args:
        render: Gives the exposition.
        status: Gives what ``/status`` shows.

    Example:
        >>> pages = Pages(lambda accept: (b"up 1\n", "text/plain"), dict)
        >>> pages.answer("/metrics", accept="").body
        b'up 1\n'
    """

    def __init__(self, render: Render, status: StatusReport) -> None:
        self._render = render
        self._status = status
        self._failing: set[str] = set()
        self._routes: dict[str, Callable[[str], Page]] = {
            "/": self._index,
            "/metrics": self._metrics,
            "/status": self._status_page,
            "/-/healthy": self._healthy,
        }

    def answer(self, path: str, *, accept: str) -> Page:
        """Give the page at a path.

        Args:
            path: Without the query.
            accept: The request's Accept header, or an empty text.

        Returns:
            The page; 404 if there is none, 500 if its function failed.
        """
        route = self._routes.get(path)
        if route is None:
            known = ", ".join(sorted(self._routes))
            return Page(HTTPStatus.NOT_FOUND, _TEXT, f"No such page; there are {known}\n".encode())
        try:
            page = route(accept)
        except Exception as error:  # noqa: BLE001 - program code runs in here and may raise anything
            return self._failure(path, error)
        self._failing.discard(path)
        return page

    def _failure(self, path: str, error: Exception) -> Page:
        # A scrape comes every few seconds: a line each time would bury the first one.
        if path not in self._failing:
            self._failing.add(path)
            logger.warning("%s cannot be rendered; it answers 500 meanwhile", path, exc_info=error)
        text = f"{path} cannot be rendered: {error!r}; the program's log has the traceback\n"
        body = text.encode(errors="backslashreplace")
        return Page(HTTPStatus.INTERNAL_SERVER_ERROR, _TEXT, body)

    def _metrics(self, accept: str) -> Page:
        body, content_type = self._render(accept)
        return Page(HTTPStatus.OK, content_type, body)

    def _status_page(self, _accept: str) -> Page:
        text = json.dumps(self._status(), indent=2, default=str)
        return Page(HTTPStatus.OK, "application/json", f"{text}\n".encode())

    def _index(self, _accept: str) -> Page:
        return Page(HTTPStatus.OK, "text/html; charset=utf-8", _INDEX.encode())

    def _healthy(self, _accept: str) -> Page:
        return Page(HTTPStatus.OK, _TEXT, b"OK\n")
