"""Send one HTTP request and get one answer: the only module that speaks to requests.

In: method, URL, fields. Out: a `requests.Response` of whatever status, or a `TransportError`. It
does not retry, does not judge a status, and does not look at the environment.

An exception of requests carries the request, with its cookies and its body. None leaves this
module, not even as the cause or context of another: see `HttpTransport.send`.
"""

from __future__ import annotations

from ssl import SSLCertVerificationError
from typing import TYPE_CHECKING

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import ChunkedEncodingError, ConnectTimeout, ContentDecodingError, SSLError
from requests.exceptions import ConnectionError as RequestsConnectionError
from requests.exceptions import Timeout as RequestsTimeout
from urllib3.exceptions import MaxRetryError, NewConnectionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests.adapters import BaseAdapter
    from requests.cookies import RequestsCookieJar

    from ancestry_core.config import HttpSettings


class TransportError(Exception):
    """There is no (whole) answer.

    Args:
        reason: What happened, fit for a message.
        never_sent: True if the service certainly did not get the request.
    """

    def __init__(self, reason: str, *, never_sent: bool = False) -> None:
        self.never_sent = never_sent
        super().__init__(reason)


class HttpTransport:
    """One `requests.Session` with a kept-alive connection to one service.

    Args:
        base_url: The service's URL, without a slash at the end.
        settings: The timeouts.
        adapter: What sends; requests' own when left out.
    """

    def __init__(
        self, base_url: str, settings: HttpSettings, *, adapter: BaseAdapter | None = None
    ) -> None:
        self.base_url = base_url
        self._timeouts = (settings.connect_timeout_seconds, settings.read_timeout_seconds)
        self._session = requests.Session()
        # Proxies and .netrc would be looked up for each request, and .netrc can hold a password
        # that was never meant for this service.
        self._session.trust_env = False
        for prefix in ("http://", "https://"):
            self._session.mount(prefix, adapter or HTTPAdapter(pool_connections=1, pool_maxsize=1))

    @property
    def cookies(self) -> RequestsCookieJar:
        """The cookies that answers have set."""
        return self._session.cookies

    def send(  # noqa: PLR0913 - each is a part of an HTTP request
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        json: object = None,
        data: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> requests.Response:
        """Send one request.

        Args:
            method: The HTTP method.
            url: Absolute.
            headers: Sent beside requests' own.
            params: The query.
            json: A body to encode as JSON.
            data: The fields of a form, as the body.
            timeout: Seconds without a byte; the settings' when left out.

        Returns:
            The answer, its body read; a redirect is an answer too and is not followed.

        Raises:
            TransportError: If there is no (whole) answer.
        """
        connect, read = self._timeouts
        timeouts = (connect, read if timeout is None else timeout)
        try:
            return self._session.request(
                method,
                url,
                params=params,
                headers=headers,
                json=json,
                data=data,
                timeout=timeouts,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            failure = _failure(error, timeouts)
        # Outside the handler, so that the error has no context that holds the request.
        raise failure

    def close(self) -> None:
        """Close the connection."""
        self._session.close()


def _failure(error: requests.RequestException, timeouts: tuple[float, float]) -> TransportError:
    """Say what happened without quoting the error, whose text can hold parts of the request."""
    connect, read = timeouts
    if isinstance(error, ConnectTimeout):
        return TransportError(f"no connection within {connect:g} s", never_sent=True)
    if isinstance(error, SSLError):
        return _tls_failure(error)
    if isinstance(error, RequestsTimeout):
        return TransportError(f"no answer within {read:g} s")
    if isinstance(error, ChunkedEncodingError | ContentDecodingError):
        return TransportError("the answer broke off")
    if isinstance(error, RequestsConnectionError):
        return _connection_failure(error)
    return TransportError(f"the request could not be made ({type(error).__name__})")


def _tls_failure(error: SSLError) -> TransportError:
    # A certificate is looked at before anything is sent. Every other fault of TLS can just as well
    # be in the answer to a request that arrived.
    if isinstance(_first(_reason(error)), SSLCertVerificationError):
        return TransportError("the service's certificate is not trusted", never_sent=True)
    return TransportError("the TLS connection failed")


def _connection_failure(error: RequestsConnectionError) -> TransportError:
    if isinstance(_reason(error), NewConnectionError):
        return TransportError("nothing answers at that address", never_sent=True)
    return TransportError("the connection was dropped")


def _reason(error: requests.RequestException) -> object:
    """Return what urllib3 raised, without the wrapping of its retries, which are switched off."""
    wrapped = _first(error)
    return wrapped.reason if isinstance(wrapped, MaxRetryError) else wrapped


def _first(error: object) -> object:
    return error.args[0] if isinstance(error, Exception) and error.args else None
