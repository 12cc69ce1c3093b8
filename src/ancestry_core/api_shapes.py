"""Check that an answer has the shape that its reader relies on.

In: a decoded answer. Out: the same, or a `ServiceError` of one line. Only what a whole answer hangs
on is checked here. What is odd about a single match or message, its reader meets (`MALFORMED`), and
it fails alone.
"""

from __future__ import annotations

from typing import Any

from ancestry_core.exceptions import ServiceError

MALFORMED = (AttributeError, LookupError, TypeError, ValueError)
"""What it raises to read a part of an answer that has not its shape in `api_payloads`."""


def with_keys(payload: Any, keys: tuple[str, ...], url: str) -> Any:  # noqa: ANN401 - decoded JSON
    """Check an object.

    Args:
        payload: What should be an object.
        keys: What it must have.
        url: Where it came from.

    Returns:
        The object.

    Raises:
        ServiceError: If it is no object, or lacks a key.
    """
    for key in keys:
        if not isinstance(payload, dict) or key not in payload:
            raise unusable(url, repr(key))
    return payload


def list_of(payload: Any, kind: type, wanted: str, url: str) -> Any:  # noqa: ANN401 - decoded JSON
    """Check a list.

    Args:
        payload: What should be a list.
        kind: What each of its items must be.
        wanted: What it is, for the message.
        url: Where it came from.

    Returns:
        The list.

    Raises:
        ServiceError: If it is no list, or one of its items is of another kind.
    """
    if not isinstance(payload, list) or not all(isinstance(item, kind) for item in payload):
        raise unusable(url, wanted)
    return payload


def unusable(url: str, wanted: str) -> ServiceError:
    """Give the error for an answer of another shape.

    Args:
        url: Where it came from.
        wanted: What it lacks.

    Returns:
        The error to raise.
    """
    return ServiceError(
        f"{url}: the answer has not the expected shape ({wanted} is missing); "
        "the service may have changed, or ANCESTRY_BASE_URL is not its address"
    )
