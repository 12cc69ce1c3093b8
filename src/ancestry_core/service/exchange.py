"""A request and an answer, free of sockets: what the application takes and gives.

Plain data; the server turns bytes into the one and the other into bytes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

JSON_TYPE = "application/json"
HTML_TYPE = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Args:
        method: `GET` or `POST`.
        path: Without the query.
        query: First value per name.
        headers: By lower-case name.
        cookies: By name.
        body: As received.
    """

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(slots=True)
class Answer:
    """One answer.

    Args:
        status: The HTTP status; 0 closes the connection without an answer.
        body: What is sent.
        content_type: The body's type.
        headers: Further headers; a name may occur more than once.
        endpoint: Method and path template that the request was for, for the record.
    """

    status: int
    body: bytes = b""
    content_type: str = JSON_TYPE
    headers: list[tuple[str, str]] = field(default_factory=list)
    endpoint: str = "other"


def json_answer(content: Any, status: int = 200) -> Answer:  # noqa: ANN401 - whatever JSON can hold
    """Return an answer with a JSON body."""
    return Answer(status, json.dumps(content, separators=(",", ":")).encode())


def error_answer(status: int, message: str) -> Answer:
    """Return an answer that says in JSON what was not right."""
    return json_answer({"error": {"code": status, "message": message}}, status)


def html_answer(page: str, status: int = 200) -> Answer:
    """Return an answer with a page."""
    return Answer(status, page.encode(), HTML_TYPE)


def redirect(to: str) -> Answer:
    """Return an answer that sends a browser to another page of the service."""
    return Answer(302, content_type=HTML_TYPE, headers=[("Location", to)])


def cut_off(answer: Answer) -> None:
    """Cut the answer's JSON in the middle, so that no parser takes it."""
    answer.body = answer.body[: len(answer.body) // 2]
