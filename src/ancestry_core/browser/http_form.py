"""Sign in by filling in the service's form over HTTP, without a browser: the default.

In: credentials. Out: cookies. It retries nothing and remembers no password.
"""

from __future__ import annotations

from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from ancestry_core.api_responses import status_text
from ancestry_core.browser.html_page import HtmlPage, read_page
from ancestry_core.browser.session_pages import (
    PASSWORD_ID,
    REFUSED_ID,
    SETTINGS_PATH,
    SIGN_IN_PATH,
    SIGNED_IN_ID,
    USERNAME_ID,
    no_form,
    not_signed_in,
    refused,
    require_session,
)
from ancestry_core.exceptions import BrowserError
from ancestry_core.transport import HttpTransport, TransportError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

    from ancestry_core.browser.cookies import Cookies
    from ancestry_core.browser.session_pages import Pace
    from ancestry_core.config import HttpSettings

_MAX_HOPS = 5


class HttpFormBrowser:
    """A browser session by HTTP alone; for one thread at a time.

    Args:
        base_url: The service's URL, without a slash at the end.
        settings: The timeouts.
        pace: Called with the path before each request.
        transport: What sends.
    """

    def __init__(
        self,
        base_url: str,
        settings: HttpSettings,
        *,
        pace: Pace = lambda _: None,
        transport: HttpTransport | None = None,
    ) -> None:
        self._base_url = base_url
        self._pace = pace
        self._transport = transport or HttpTransport(base_url, settings)

    def sign_in(self, username: str, password: str) -> Cookies:
        """Fetch the form, post it, and check the page that follows; see `BrowserSession`."""
        self._transport.cookies.clear()
        url = f"{self._base_url}{SIGN_IN_PATH}"
        form, status = self._load("GET", url)
        if not {USERNAME_ID, PASSWORD_ID} <= form.names.keys():
            raise no_form(url, status_text(status))
        fields = {
            **form.hidden,
            form.names[USERNAME_ID]: username,
            form.names[PASSWORD_ID]: password,
        }
        page, _ = self._load("POST", self._target(url, form.action), fields)
        if REFUSED_ID in page.ids:
            raise refused(url)
        return self._session(page, url)

    def renew(self) -> Cookies:
        """Load the settings page, which renews the cookies; see `BrowserSession`."""
        url = f"{self._base_url}{SETTINGS_PATH}"
        page, _ = self._load("GET", url)
        return self._session(page, url)

    def close(self) -> None:
        """Close the connection and forget the cookies."""
        self._transport.cookies.clear()
        self._transport.close()

    def _load(
        self, method: str, url: str, fields: Mapping[str, str] | None = None
    ) -> tuple[HtmlPage, int]:
        """Load a page, at the given pace also where redirects lead to it."""
        for _ in range(_MAX_HOPS):
            answer = self._request(method, url, fields)
            if not answer.is_redirect:
                return read_page(answer.text), answer.status_code
            method, fields = "GET", None
            url = self._target(url, answer.headers["Location"])
        raise BrowserError(f"{url}: redirected {_MAX_HOPS} times; is the service's address right?")

    def _request(
        self, method: str, url: str, fields: Mapping[str, str] | None
    ) -> requests.Response:
        self._pace(url)
        failure = ""
        try:
            answer = self._transport.send(method, url, data=fields)
        except TransportError as error:
            failure = str(error)
        else:
            status = answer.status_code
            if status < HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.TOO_MANY_REQUESTS:
                return answer
            failure = status_text(status)
        raise BrowserError(f"{method} {url}: {failure}; is the service up?")

    def _target(self, url: str, link: str) -> str:
        """Resolve a form's or a redirect's target, which must not carry the password away."""
        # A link that is no URL at all leads nowhere either.
        with suppress(ValueError):
            target = urljoin(url, link)
            if target.startswith(f"{self._base_url}/"):
                return target
        raise no_form(url, "it leads to another site")

    def _session(self, page: HtmlPage, url: str) -> Cookies:
        if SIGNED_IN_ID not in page.ids:
            raise not_signed_in(url)
        jar = self._transport.cookies
        return require_session({cookie.name: cookie.value or "" for cookie in jar}, url)
