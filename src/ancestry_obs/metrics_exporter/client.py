"""Asks an exporter, from this process or another one: an address comes in, a page goes out."""

from __future__ import annotations

import urllib.request
from base64 import b64encode
from http.client import HTTPException, IncompleteRead
from urllib.error import URLError
from urllib.parse import unquote, urlsplit

from ancestry_obs.metrics_exporter.timed_http import Deadline, opener

__all__ = ["get", "part_user"]

_SECONDS = 10.0
_MOST_BYTES = 256 * 1024 * 1024


def part_user(url: str) -> tuple[str, tuple[str, str] | None]:
    """Part a URL, which may be logged, from the user and the password in it, which must not be.

    Example:
        >>> part_user("https://ada:s%40cret@localhost:9000/metrics")
        ('https://localhost:9000/metrics', ('ada', 's@cret'))
    """
    parts = urlsplit(url)
    user_info, _, host = parts.netloc.rpartition("@")
    if not user_info:
        return url, None
    user, _, password = map(unquote, user_info.partition(":"))
    return parts._replace(netloc=host).geturl(), (user, password)


def get(url: str, seconds: float = _SECONDS) -> bytes:
    """Fetch a page, from its server itself and not by way of a proxy.

    Args:
        url: The page's http or https address; a user and a password in it are sent as basic
            authentication. Certificates are trusted as OpenSSL is told to, by ``SSL_CERT_FILE`` for
            one.
        seconds: When the whole has to be over, whatever the server does.

    Raises:
        HTTPError: The server answers with an error, as a program without that page does.
        URLError: Nobody answers, or not in HTTP or not in time; `reason` says why.
    """
    address, user = part_user(url)
    request = urllib.request.Request(address)  # noqa: S310 - whoever asks has chosen the scheme
    if user is not None:
        encoded = b64encode(":".join(user).encode()).decode()
        request.add_header("Authorization", f"Basic {encoded}")
    try:
        # An exporter is near by, often on this very machine, which a proxy knows nothing of.
        direct = opener(Deadline(seconds), urllib.request.ProxyHandler({}))
        with direct.open(request, timeout=seconds) as answer:
            page: bytes = answer.read(_MOST_BYTES + 1)
            missing: int | None = answer.length
    except URLError:
        raise
    except (OSError, HTTPException) as error:
        raise URLError(repr(error)) from error
    if len(page) > _MOST_BYTES:
        raise URLError("its answer does not end")
    if missing:
        raise URLError(repr(IncompleteRead(page, missing)))
    return page
