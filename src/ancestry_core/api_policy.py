"""Which answers can be used, and when another attempt is not to be made.

In: an answer, or why an attempt failed. Out: nothing, or the error that ends the request. It
waits for nothing and counts nothing.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from ancestry_core.api_responses import ABSENT, status_text
from ancestry_core.exceptions import RequestFailed, ServiceError, UncertainSendError

if TYPE_CHECKING:
    from ancestry_core.api_responses import ApiResponse, AttemptFailed


class Patience(NamedTuple):
    """How much is borne before a request is given up.

    Attributes:
        retries: Attempts after the first one.
        max_pause_seconds: The longest Retry-After that is waited for.
    """

    retries: int
    max_pause_seconds: float


def require_repeatable(what: str, cause: AttemptFailed, *, send: bool, renewed: bool) -> None:
    """Raise where another attempt would do harm, or cannot help.

    Args:
        what: Method and URL.
        cause: Why the last attempt failed.
        send: Whether the request says something to somebody.
        renewed: Whether the session was renewed for it already.

    Raises:
        UncertainSendError: If it is a send that may have arrived.
        ServiceError: If the renewed session was rejected too.
    """
    if send and cause.may_have_arrived:
        raise uncertain(what, str(cause))
    if cause.rejected and renewed:
        raise ServiceError(
            f"{what}: {cause}, with a renewed session too; check that the account may do this",
            cause.status,
        )


def require_patience(what: str, cause: AttemptFailed, failed: int, patience: Patience) -> None:
    """Raise where enough attempts have failed, or the service asks for too long a pause.

    Args:
        what: Method and URL.
        cause: Why the last attempt failed.
        failed: How many attempts have failed.
        patience: How much is borne.

    Raises:
        RequestFailed: If the request is given up.
    """
    remedy = ""
    if failed > patience.retries:
        remedy = "try again later, or allow more attempts with ANCESTRY_HTTP_RETRIES"
    elif (cause.retry_after or 0.0) > patience.max_pause_seconds:
        remedy = (
            f"run again in {cause.retry_after:g} s, as the service asks, "
            "or allow such a pause with ANCESTRY_MAX_PAUSE_SECONDS"
        )
    if remedy:
        raise RequestFailed(
            f"{what}: {cause}; given up after attempt {failed}; {remedy}",
            status=cause.status,
            attempts=failed,
        )


def usable(what: str, response: ApiResponse, *, send: bool) -> ApiResponse:
    """Give back an answer that its caller can use.

    Args:
        what: Method and URL.
        response: The answer, of a status that no retry will change.
        send: Whether the request says something to somebody.

    Returns:
        The answer: JSON, or a 404 or 410.

    Raises:
        ServiceError: If it is a refusal, or not JSON.
        UncertainSendError: If it is a send, accepted by who knows what.
    """
    status = response.status_code
    if response.is_json or status in ABSENT:
        return response
    if status >= HTTPStatus.BAD_REQUEST:
        raise ServiceError(
            f"{what}: {status_text(status)}; the service does not accept this request, "
            "and sending it again will not help",
            status,
        )
    found = response.headers.get("Content-Type", "nothing")
    if send:
        raise uncertain(what, f"{status_text(status)} with {found} where JSON belongs")
    raise ServiceError(
        f"{what}: {status_text(status)} with {found} where JSON belongs; "
        "check that ANCESTRY_BASE_URL is the service's address",
        status,
    )


def uncertain(what: str, reason: str) -> UncertainSendError:
    """Give the error for a send that may or may not have arrived.

    Args:
        what: Method and URL.
        reason: Why that is not known.

    Returns:
        The error to raise.
    """
    return UncertainSendError(
        f"{what}: {reason}, so the message may or may not have arrived and is not sent again; "
        "look into the conversation before writing once more"
    )
