"""The label functions that every map may call; `BUILTIN_FUNCTIONS` is the list.

They run at every instrumented call, so each is a few bytecodes or a function in C. They look at
values and never change them. What they cannot handle they refuse with an exception, which the
woven code turns into the label value ``error``.
"""

from __future__ import annotations

import os
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from ancestry_obs.expressions.endpoints import endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "BUILTIN_FUNCTIONS",
    "arguments_of",
    "bucket",
    "get",
    "ok",
    "outcome",
    "status_family",
    "type_name",
]

_FAMILIES: Final = {1: "1xx", 2: "2xx", 3: "3xx", 4: "4xx", 5: "5xx"}
_FIRST_FAILURE: Final = 400
# By name, since importing asyncio for its class would cost a program that does not use it 30 ms.
_CANCELLED: Final = frozenset({"CancelledError", "Cancelled"})


def status_family(value: object) -> str:
    """Name the family of an HTTP status.

    Args:
        value: A status; a response (``.status_code`` or ``.status``); or an exception that carries
            one, itself or in its ``.response``.

    Returns:
        ``1xx`` to ``5xx``, or ``error`` if there is no status (`None` included).

    Example:
        >>> status_family(404), status_family(None)
        ('4xx', 'error')
    """
    status = value if isinstance(value, int) else _status(value)
    return "error" if status is None else _FAMILIES.get(status // 100, "error")


def ok(value: object) -> bool:
    """Tell whether a call's result counts as a success.

    Args:
        value: What the call returned, or the exception it raised.

    Returns:
        False for `None`, `False`, an exception and a response with a status of 400 or more
        (RFC 9110, section 15: client and server errors); otherwise True.
    """
    if value is None or value is False or isinstance(value, BaseException):
        return False
    status = _status(value)
    return status is None or status < _FIRST_FAILURE


def outcome(error: BaseException | None) -> str:
    """Name how a call ended.

    Args:
        error: The exception, or `None`.

    Returns:
        ``success``; ``cancelled`` for the cancellation of asyncio, concurrent.futures or trio;
        ``abandoned`` for a generator that was closed before its end; otherwise ``error``.
    """
    if error is None:
        return "success"
    if isinstance(error, GeneratorExit):
        return "abandoned"
    names = {base.__name__ for base in type(error).__mro__}
    return "error" if names.isdisjoint(_CANCELLED) else "cancelled"


def type_name(value: object) -> str:
    """Name the type of a value, without its module: ``TimeoutError``, ``NoneType``."""
    return type(value).__name__


def bucket(value: float, *bounds: float) -> str:
    """Name the first bound that a number does not exceed.

    Args:
        value: The number.
        bounds: At least one bound, ascending.

    Returns:
        ``<=10`` for the bound 10, or ``>100`` when it is beyond the last one, here 100.

    Raises:
        IndexError: There are no bounds.
    """
    for bound in bounds:
        if value <= bound:
            return f"<={bound}"
    return f">{bounds[-1]}"


def get(mapping: Mapping[object, object], key: object, default: object = None) -> object:
    """Read a key of a mapping, such as a keyword in ``**options``, or give the default."""
    return mapping[key] if key in mapping else default  # noqa: SIM401 - .get may be overridden


def _status(value: object) -> int | None:
    """Find the HTTP status that a response or an exception carries."""
    # The usual case first and without a loop: most calls return a response of this form.
    status = getattr(value, "status_code", None)
    if isinstance(status, int):
        return status
    response = getattr(value, "response", None)
    candidates = (
        getattr(value, "status", None),
        getattr(response, "status_code", None),
        getattr(response, "status", None),
    )
    return next((status for status in candidates if isinstance(status, int)), None)


def arguments_of(function: str) -> tuple[int, int | None]:
    """Give the least and the greatest number of arguments that a built-in function takes.

    Args:
        function: Its name in a map.

    Returns:
        Both numbers; the second is `None` where there is no limit.
    """
    return {"bucket": (2, None), "get": (2, 3), "pid": (0, 0)}.get(function, (1, 1))


BUILTIN_FUNCTIONS: Final[Mapping[str, Callable[..., object]]] = MappingProxyType(
    {
        "bucket": bucket,
        "endpoint": endpoint,
        "get": get,
        "length": len,
        "lower": str.lower,
        "number": float,
        "ok": ok,
        "outcome": outcome,
        "pid": os.getpid,
        "status_family": status_family,
        "text": str,
        "type_name": type_name,
        "upper": str.upper,
    }
)
