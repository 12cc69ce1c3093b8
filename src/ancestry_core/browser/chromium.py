"""Sign in with a real, headless Chromium, driven by Selenium: the `[browser]` extra.

In: credentials. Out: cookies. Chromium is started at the first sign-in and runs, with a profile
of its own that is removed afterwards, until `close()`. Import this module only where it is chosen.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil
from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, TimeoutException, WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from urllib3.exceptions import HTTPError

from ancestry_core.browser.session_pages import (
    BUTTON_ID,
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

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from ancestry_core.browser.cookies import Cookies
    from ancestry_core.browser.session_pages import Pace
    from ancestry_core.config import HttpSettings

    T = TypeVar("T")

# At DEBUG it writes every command, the typed password and the read cookies among them.
logging.getLogger("selenium.webdriver.remote.remote_connection").setLevel(logging.INFO)

BINARIES = ("chromium", "chromium-browser", "google-chrome")
DRIVERS = ("chromedriver", "chromium.chromedriver")
_EXIT_SECONDS = 10.0
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class ChromiumBrowser:
    """A Chromium that signs in like a person does; for one thread at a time.

    Args:
        base_url: The service's URL, without a slash at the end.
        settings: The timeouts; a page may take `read_timeout_seconds`.
        pace: Called with the path before each page.

    Raises:
        BrowserError: If Chromium or its driver is not installed.
    """

    def __init__(
        self, base_url: str, settings: HttpSettings, *, pace: Pace = lambda _: None
    ) -> None:
        self._base_url = base_url
        self._page_seconds = settings.read_timeout_seconds
        self._pace = pace
        self._binary = find_program(BINARIES)
        self._driver_path = find_program(DRIVERS)
        self._driver: webdriver.Chrome | None = None
        self._profile: tempfile.TemporaryDirectory[str] | None = None
        self._processes: list[psutil.Process] = []

    def sign_in(self, username: str, password: str) -> Cookies:
        """Fill in the form and press the button; see `BrowserSession`."""
        # A browser that has crashed cannot sign in: each sign-in has one of its own.
        self.close()
        url = f"{self._base_url}{SIGN_IN_PATH}"
        return self._drive(lambda: self._fill_in(self._start(), url, username, password), url)

    def renew(self) -> Cookies:
        """Load the settings page in the live browser; see `BrowserSession`."""
        url = f"{self._base_url}{SETTINGS_PATH}"
        driver = self._driver
        if driver is None:
            raise not_signed_in(url)
        return self._drive(lambda: self._open_settings(driver, url), url)

    def close(self) -> None:
        """Quit Chromium and remove its profile."""
        driver, self._driver = self._driver, None
        profile, self._profile = self._profile, None
        if driver is not None:
            driver.quit()
        # A driver that was killed leaves its Chromium running.
        for process in self._processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(self._processes, timeout=_EXIT_SECONDS)
        self._processes = []
        if profile is not None:
            profile.cleanup()

    def _start(self) -> webdriver.Chrome:
        self._profile = tempfile.TemporaryDirectory(
            prefix="ancestry-chromium-", ignore_cleanup_errors=True
        )
        options = webdriver.ChromeOptions()
        options.binary_location = self._binary
        for argument in (*ARGUMENTS, f"--user-data-dir={self._profile.name}"):
            options.add_argument(argument)
        service = Service(self._driver_path)
        driver = webdriver.Chrome(options=options, service=service)
        self._driver = driver
        self._processes = psutil.Process(service.process.pid).children(recursive=True)
        driver.set_page_load_timeout(self._page_seconds)
        return driver

    def _fill_in(self, driver: webdriver.Chrome, url: str, username: str, password: str) -> Cookies:
        self._open(driver, url)
        try:
            driver.find_element(By.ID, USERNAME_ID).send_keys(username)
            driver.find_element(By.ID, PASSWORD_ID).send_keys(password)
            button = driver.find_element(By.ID, BUTTON_ID)
        except NoSuchElementException as error:
            missing = (error.msg or "").partition("\n")[0]
        else:
            self._pace(url)
            button.click()
            WebDriverWait(driver, self._page_seconds).until(
                lambda page: _has(page, SIGNED_IN_ID) or _has(page, REFUSED_ID)
            )
            if _has(driver, REFUSED_ID):
                raise refused(url)
            return _session(driver, url)
        raise no_form(url, missing)

    def _open_settings(self, driver: webdriver.Chrome, url: str) -> Cookies:
        self._open(driver, url)
        return _session(driver, url)

    def _open(self, driver: webdriver.Chrome, url: str) -> None:
        self._pace(url)
        driver.get(url)

    def _drive(self, steps: Callable[[], T], url: str) -> T:
        """Run steps in the browser; Selenium's errors, which may quote pages, stay in here."""
        try:
            return steps()
        except TimeoutException:
            failure = f"the page did not follow within {self._page_seconds:g} s"
        # Selenium lets urllib3's errors through when the driver itself is gone.
        except (WebDriverException, HTTPError) as error:
            failure = f"Chromium failed ({type(error).__name__})"
        raise BrowserError(f"{url}: {failure}; is the service up?")


def find_program(names: tuple[str, ...]) -> str:
    """Find an installed program.

    Args:
        names: What it may be called, the first choice first.

    Returns:
        Its path.

    Raises:
        BrowserError: If there is none.
    """
    for name in names:
        if path := shutil.which(name):
            return path
    raise BrowserError(
        f"none of {', '.join(names)} is installed; install Debian's chromium and chromium-driver, "
        "or set ANCESTRY_SESSION_BROWSER=http"
    )


def _has(driver: webdriver.Chrome, element_id: str) -> bool:
    return bool(driver.find_elements(By.ID, element_id))


def _session(driver: webdriver.Chrome, url: str) -> Cookies:
    if not _has(driver, SIGNED_IN_ID):
        raise not_signed_in(url)
    cookies = {cookie["name"]: cookie["value"] for cookie in driver.get_cookies()}
    return require_session(cookies, url)
