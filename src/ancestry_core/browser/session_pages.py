"""What every browser knows of the service's pages: paths, ids, cookies, and what can go wrong.

Values and errors only; `http_form` and `chromium` do the work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ancestry_core.browser.cookies import Cookies
from ancestry_core.exceptions import BrowserError, SignInError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

SIGN_IN_PATH = "/account/signin"
SETTINGS_PATH = "/account/settings"
USERNAME_ID = "username"
PASSWORD_ID = "password"  # noqa: S105 - the id of an input
BUTTON_ID = "signInBtn"
REFUSED_ID = "invalidCredentialsAlert"
SIGNED_IN_ID = "navAccount"

_SESSION_COOKIES = frozenset({"ANCSESSIONID", "SecureATT"})

Pace: TypeAlias = "Callable[[str], object]"
"""Called with a path before each request, so that the limiter's promise holds for browsers too."""


class BrowserSession(Protocol):
    """A browser that is, or can be, signed in to the service."""

    def sign_in(self, username: str, password: str) -> Cookies:
        """Sign in afresh.

        Args:
            username: The account's e-mail address.
            password: Its password.

        Returns:
            The cookies of the new session.

        Raises:
            SignInError: If the service refuses, or has no sign-in page.
            BrowserError: If it fails for a reason that may pass.
        """

    def renew(self) -> Cookies:
        """Have the service renew the cookies of the live browser session.

        Returns:
            The renewed cookies.

        Raises:
            BrowserError: If the browser is no longer signed in, or fails.
        """

    def close(self) -> None:
        """Give up the browser; closing twice is fine."""


def require_session(cookies: Mapping[str, str], url: str) -> Cookies:
    """Check that the cookies make up a session.

    Args:
        cookies: What the browser holds.
        url: The page that should have set them.

    Returns:
        The cookies, their values hidden.

    Raises:
        BrowserError: If one is missing.
    """
    missing = _SESSION_COOKIES - set(cookies)
    if missing:
        names = ", ".join(sorted(missing))
        raise BrowserError(f"{url} left the cookies {names} unset; signing in afresh may help")
    return Cookies(cookies)


def refused(url: str) -> SignInError:
    """Give the error for wrong credentials, noticed at `url`."""
    return SignInError(
        f"{url} refused the credentials; check ANCESTRY_USERNAME and ANCESTRY_PASSWORD"
    )


def no_form(url: str, found: str) -> SignInError:
    """Give the error for a page at `url` that is no sign-in page but `found`."""
    return SignInError(
        f"{url} has no sign-in form ({found}); "
        "check that ANCESTRY_BASE_URL is the service's address"
    )


def not_signed_in(url: str) -> BrowserError:
    """Give the error for a page at `url` that a signed-in browser would not get."""
    return BrowserError(f"{url} does not show a signed-in account; signing in afresh may help")
