"""What a call of the API may be given, checked; and how a call says that it will not do.

In: a request. Out: a number or a body of the right kind, or `Rejected` with the answer to give.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ancestry_core.service.exchange import error_answer

if TYPE_CHECKING:
    from ancestry_core.service.exchange import Request


class Rejected(Exception):  # noqa: N818 - an answer on its way out, no error of the program
    """A request that cannot be carried out.

    Args:
        status: The HTTP status of the answer.
        message: What is not right.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.answer = error_answer(status, message)


def whole_number(request: Request, name: str, default: int, most: int | None = None) -> int:
    """Return a number from the query, at least 1, cut to `most`.

    Raises:
        Rejected: It is no whole number from 1.
    """
    text = request.query.get(name, str(default))
    # Digits of other scripts pass isdigit(); a thousand digits are no page either.
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) >= 1):  # noqa: PLR2004 - as many as fit 32 bits
        raise Rejected(400, f"{name} must be a whole number from 1")
    return min(int(text), most) if most else int(text)


def json_object(request: Request) -> dict[str, Any]:
    """Return the body's JSON object.

    Raises:
        Rejected: The body is something else.
    """
    try:
        body = json.loads(request.body)
    except ValueError:
        raise Rejected(400, "the body must be JSON") from None
    if not isinstance(body, dict):
        raise Rejected(400, "the body must be a JSON object")
    return body
