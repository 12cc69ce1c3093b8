"""Sign-in and cookie renewal: by HTTP form (`http_form`), or by a real Chromium (`chromium`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ancestry_core.browser.cookies import Cookies
from ancestry_core.browser.http_form import HttpFormBrowser
from ancestry_core.browser.session_pages import BrowserSession
from ancestry_core.exceptions import SettingsError

if TYPE_CHECKING:
    from typing import Literal

    from ancestry_core.browser.session_pages import Pace
    from ancestry_core.config import HttpSettings

__all__ = ["BrowserSession", "Cookies", "HttpFormBrowser", "open_browser"]


def open_browser(
    kind: Literal["http", "chromium"], base_url: str, settings: HttpSettings, pace: Pace
) -> BrowserSession:
    """Make the chosen browser.

    Args:
        kind: "http" for the form over HTTP, "chromium" for a real browser.
        base_url: The service's URL, without a slash at the end.
        settings: The timeouts.
        pace: Called with the path before each request.

    Returns:
        The browser, not signed in yet.

    Raises:
        SettingsError: If Chromium is chosen and the `[browser]` extra is not installed.
        BrowserError: If Chromium is chosen and not installed.
    """
    if kind == "http":
        return HttpFormBrowser(base_url, settings, pace=pace)
    try:
        # Selenium is an extra, and slow to import: only where it is chosen.
        from ancestry_core.browser.chromium import ChromiumBrowser  # noqa: PLC0415 - see above
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"ANCESTRY_SESSION_BROWSER='chromium' needs the package {error.name}; "
            "install ancestry-obs[browser], or use 'http'"
        ) from None
    return ChromiumBrowser(base_url, settings, pace=pace)
