"""The label functions that every map may call; `BUILTIN_FUNCTIONS` is the list.

They run at every instrumented call, so each is a few bytecodes or a function in C. They look at
values and never change them. What they cannot handle they refuse with an exception, which the
woven code turns into the label value ``error``.
"""

from __future__ import annotations

import os
import sys
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.expressions.endpoints import endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "BUILTIN_FUNCTIONS",
    "arguments_of",
    "bucket",
    "clamp",
    "first_word",
    "full_type_name",
    "get",
    "host",
    "ok",
    "outcome",
    "path_prefix",
    "span_id",
    "status_family",
    "trace_id",
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


def first_word(text: str) -> str:
    """Give a text up to its first blank, such as the verb of a statement in SQL.

    Args:
        text: The text; blanks in front are passed over.

    Returns:
        The word; empty if there is none.

    Raises:
        TypeError: It is no text.
    """
    words = str.split(text, None, 1)
    return words[0] if words else ""


def host(url: str) -> str:
    """Give the host of a URL, in lower case, without user and port.

    Args:
        url: The URL; without a scheme it has a host only if it begins with two slashes (RFC 3986,
            section 4.2).

    Returns:
        The host; empty if there is none.

    Raises:
        TypeError: It is no text.
    """
    scheme, mark, rest = str.partition(url, "//")
    if not mark or (scheme not in _USUAL_SCHEMES and not _is_scheme(scheme)):
        return ""
    # As browsers take it: a backslash is a slash.
    for end in "/?#\\":
        rest = rest.partition(end)[0]
    name = rest.rpartition("@")[2]
    if name.startswith("["):
        return name.partition("]")[0].removeprefix("[").lower()
    return name.partition(":")[0].lower()


def _is_scheme(text: str) -> bool:
    """Whether a text is a scheme with its colon (RFC 3986, section 3.1)."""
    name = text[:-1].translate(_MARKS)
    return text.endswith(":") and name.isascii() and name.isalnum()


_MARKS: Final = str.maketrans("", "", "+-.")
# Known without a look at their characters; the empty one is that of a URL that begins with "//".
_USUAL_SCHEMES: Final = frozenset({"", "http:", "https:"})


def path_prefix(path: str, segments: int) -> str:
    """Give the first parts of a path.

    Args:
        path: A path, or a URL, of which the path is taken.
        segments: How many parts.

    Returns:
        ``/v1/items`` for two parts of ``https://example.org/v1/items/17?page=2``.

    Raises:
        TypeError: It is no text.
    """
    plain = str.partition(path, "?")[0].partition("#")[0]
    scheme, mark, rest = plain.partition("//")
    if mark and (not scheme or _is_scheme(scheme)):
        plain = rest.partition("/")[2]
    parts = [part for part in plain.split("/") if part][: max(segments, 0)]
    return "/" + "/".join(parts)


def full_type_name(value: object) -> str:
    """Name the type of a value with its module: ``requests.exceptions.ReadTimeout``.

    OpenTelemetry's ``error.type`` is written so. Types that are built in have no module in it.
    """
    kind = type(value)
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def clamp(value: float, low: float, high: float) -> float:
    """Give a number, or the bound that it is beyond."""
    return min(max(value, low), high)


def get(mapping: Mapping[object, object], key: object, default: object = None) -> object:
    """Read a key of a mapping, such as a keyword in ``**options``, or give the default."""
    return mapping[key] if key in mapping else default  # noqa: SIM401 - .get may be overridden


def trace_id() -> str | None:
    """Give the trace of the running OpenTelemetry span, as 32 hexadecimal digits.

    Returns:
        It, or `None` if no valid span is running or the program has no OpenTelemetry.
    """
    # Looked up at each call: the program may import it at any time, and nobody else does.
    tracing: Any = sys.modules.get("opentelemetry.trace")
    if tracing is None:
        return None
    context = tracing.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else None


def span_id() -> str | None:
    """Give the running OpenTelemetry span, as 16 hexadecimal digits; `None` as `trace_id`."""
    # As above, and not by a function that both call, which would cost each of them a call more.
    tracing: Any = sys.modules.get("opentelemetry.trace")
    if tracing is None:
        return None
    context = tracing.get_current_span().get_span_context()
    return f"{context.span_id:016x}" if context.is_valid else None


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
    return _ARGUMENTS.get(function, (1, 1))


_ARGUMENTS: Final[Mapping[str, tuple[int, int | None]]] = {
    "bucket": (2, None),
    "clamp": (3, 3),
    "get": (2, 3),
    "max": (2, None),
    "min": (2, None),
    "path_prefix": (2, 2),
    "pid": (0, 0),
    "round": (1, 2),
    "span_id": (0, 0),
    "startswith": (2, 2),
    "strip": (1, 2),
    "trace_id": (0, 0),
}


BUILTIN_FUNCTIONS: Final[Mapping[str, Callable[..., object]]] = MappingProxyType(
    {
        "bucket": bucket,
        "clamp": clamp,
        "endpoint": endpoint,
        "first_word": first_word,
        "full_type_name": full_type_name,
        "get": get,
        "host": host,
        "len": len,
        "length": len,
        "lower": str.lower,
        "max": max,
        "min": min,
        "number": float,
        "ok": ok,
        "outcome": outcome,
        "path_prefix": path_prefix,
        "pid": os.getpid,
        "round": round,
        "span_id": span_id,
        "startswith": str.startswith,
        "status_family": status_family,
        "strip": str.strip,
        "text": str,
        "trace_id": trace_id,
        "type_name": type_name,
        "upper": str.upper,
    }
)
