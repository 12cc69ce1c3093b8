"""Asks an exporter, from this process or another one: an address comes in, a page goes out."""

from __future__ import annotations

import urllib.request
from base64 import b64encode
from functools import cache
from http.client import HTTPException
from urllib.error import URLError

from ancestry_obs.metrics_exporter.addresses import part_user

__all__ = ["get"]

_SECONDS = 10.0


# Made when it is needed: it reads every certificate of the machine, which takes 20 ms.
@cache
def _opener() -> urllib.request.OpenerDirector:
    # An exporter is near by, often on this very machine, which a proxy knows nothing of.
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


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
