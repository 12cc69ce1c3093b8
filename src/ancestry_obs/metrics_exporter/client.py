"""Asks an exporter, from this process or another one: an address comes in, a page goes out."""

from __future__ import annotations

import urllib.request
from base64 import b64encode
from functools import cache
from http.client import HTTPException
from urllib.error import URLError
from urllib.parse import unquote, urlsplit

__all__ = ["get", "part_user"]

_SECONDS = 10.0


# Made when it is needed: it reads every certificate of the machine, which takes 20 ms.
@cache
def _opener() -> urllib.request.OpenerDirector:
    # An exporter is near by, often on this very machine, which a proxy knows nothing of.
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


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


def get(url: str) -> bytes:
    """Fetch a page, from its server itself and not by way of a proxy.

    Args:
        url: The page's http or https address; a user and a password in it are sent as basic
            authentication. Certificates are trusted as OpenSSL is told to, by ``SSL_CERT_FILE`` for
            one.

    Raises:
        HTTPError: The server answers with an error, as a program without that page does.
        URLError: Nobody answers, or not in HTTP; `reason` says why.
    """
    address, user = part_user(url)
    request = urllib.request.Request(address)  # noqa: S310 - whoever asks has chosen the scheme
    if user is not None:
        encoded = b64encode(":".join(user).encode()).decode()
        request.add_header("Authorization", f"Basic {encoded}")
    try:
        with _opener().open(request, timeout=_SECONDS) as answer:
            page: bytes = answer.read()
    except URLError:
        raise
    except (OSError, HTTPException) as error:
        raise URLError(repr(error)) from error
    return page
