"""What comes back from an attempt: an `ApiResponse`, or an `AttemptFailed` that says why not.

In: an answer of the service. Out: a value that can be kept and shared, or the reasons that a
retry is decided on. Nothing is sent or waited for here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

REJECTED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
"""The session has ended, or the service says so."""

ABSENT = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
"""An answer too: what was asked for does not exist."""

_NOT_DECODED: Any = object()


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """An answer of the service, immutable, so that the cache need not copy it.

    Attributes:
        status_code: The HTTP status.
        url: Where it came from.
        headers: The answer's headers.
        body: The answer's body.
        from_cache: True if nothing was sent for it.
    """

    status_code: int
    url: str
    # Neither cookies nor what people wrote to each other belong into a log.
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    from_cache: bool = False
    _decoded: Any = field(default=_NOT_DECODED, repr=False, compare=False)

    @property
    def ok(self) -> bool:
        """Whether the service did what was asked: a status from 200 to 299."""
        return HTTPStatus.OK <= self.status_code < HTTPStatus.MULTIPLE_CHOICES

    @property
    def is_json(self) -> bool:
        """Whether it is a good answer with a JSON body."""
        return self.ok and "json" in self.headers.get("Content-Type", "")

    @property
    def text(self) -> str:
        """The body as text; what is not UTF-8 is replaced."""
        return self.body.decode("utf-8", errors="replace")

    def json(self) -> Any:  # noqa: ANN401 - the service's payloads; `api_calls` types them
        """Decode the body.

        Returns:
            The value; the same object each time for a fresh answer, a new one from the cache.

        Raises:
            ValueError: If the body is not JSON.
        """
        return _decode(self.body) if self._decoded is _NOT_DECODED else self._decoded

    def undecoded(self) -> Self:
        """Give the answer without the decoded value that its reader may change.

        Returns:
            The answer as the cache keeps it.
        """
        return replace(self, from_cache=True, _decoded=_NOT_DECODED)

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self


class AttemptFailed(Exception):  # noqa: N818 - a turn of events that the retry loop handles, no error yet
    """One attempt did not succeed, and another may.

    Args:
        reason: What happened, fit for a message.
        status: The HTTP status, None without an answer.
        retry_after: Seconds that the service asks to wait, None if it does not.
        may_have_arrived: True if the service may have done what was asked.
    """

    def __init__(
        self,
        reason: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        may_have_arrived: bool,
    ) -> None:
        self.status = status
        self.retry_after = retry_after
        self.may_have_arrived = may_have_arrived
        super().__init__(reason)

    @property
    def rejected(self) -> bool:
        """Whether the session was not accepted."""
        return self.status in REJECTED

    @property
    def throttled(self) -> bool:
        """Whether the service had too many requests."""
        return self.status == HTTPStatus.TOO_MANY_REQUESTS


def response_of(answer: requests.Response, url: str) -> ApiResponse:
    """Take over an answer, unless it calls for another attempt.

    Args:
        answer: The answer, its body read.
        url: What was asked for, without the query.

    Returns:
        The response, of a good status or of one that no retry will change; decoded if it is JSON.

    Raises:
        AttemptFailed: If the session was not accepted, the service had too many requests or
            failed, or its JSON is broken.
    """
    status = answer.status_code
    if (
        status in REJECTED
        or status == HTTPStatus.TOO_MANY_REQUESTS
        or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    ):
        raise AttemptFailed(
            status_text(status),
            status=status,
            retry_after=retry_after_seconds(answer.headers),
            may_have_arrived=status >= HTTPStatus.INTERNAL_SERVER_ERROR,
        )
    response = ApiResponse(status, url, answer.headers, answer.content)
    if not response.is_json:
        return response
    try:
        return replace(response, _decoded=_decode(response.body))
    except ValueError:
        failure = AttemptFailed("the answer is broken JSON", status=status, may_have_arrived=True)
    # Outside the handler: the decoder's error holds the body, which may be a message.
    raise failure


def _decode(body: bytes) -> Any:  # noqa: ANN401 - decoded JSON
    value = json.loads(body)
    if b"\\ud" not in body.lower():
        return value
    # JSON can hold half of a surrogate pair, as of an emoji that was cut in two; UTF-8 cannot, so
    # neither could the database nor a further request.
    return json.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace"))


def status_text(status: int) -> str:
    """Give a status as text.

    Args:
        status: The HTTP status.

    Returns:
        Number and phrase.

    Example:
        >>> status_text(503)
        '503 Service Unavailable'
    """
    known = status in HTTPStatus.__members__.values()
    return f"{status} {HTTPStatus(status).phrase}" if known else str(status)


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Read Retry-After, in seconds or as a date (RFC 9110, section 10.2.3).

    A date is taken against the answer's own Date, so that a wrong clock here does no harm.

    Args:
        headers: The answer's headers.

    Returns:
        Seconds from the answer on, not below 0; None without a usable header.

    Example:
        >>> retry_after_seconds({"Retry-After": "2"})
        2.0
    """
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        until = parsedate_to_datetime(value)
        return max(0.0, (until - parsedate_to_datetime(headers.get("Date", ""))).total_seconds())
    except (ValueError, TypeError):
        return None
