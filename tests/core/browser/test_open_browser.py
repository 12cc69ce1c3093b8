import subprocess
import sys

import pytest

from ancestry_core.browser import HttpFormBrowser, open_browser
from ancestry_core.config import HttpSettings
from ancestry_core.exceptions import SettingsError


def test_the_form_is_the_default_kind():
    browser = open_browser("http", "http://service.test", HttpSettings(), lambda _: None)
    assert isinstance(browser, HttpFormBrowser)


def test_selenium_is_imported_only_where_chromium_is_chosen():
    code = "import sys, ancestry_core.session_manager; print('selenium' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


def test_without_the_extra_chromium_says_what_to_install(monkeypatch):
    # None in sys.modules makes the import fail as if the package were absent.
    monkeypatch.setitem(sys.modules, "selenium", None)
    monkeypatch.delitem(sys.modules, "ancestry_core.browser.chromium", raising=False)
    with pytest.raises(SettingsError) as caught:
        open_browser("chromium", "http://service.test", HttpSettings(), lambda _: None)
    assert str(caught.value) == (
        "ANCESTRY_SESSION_BROWSER='chromium' needs the package selenium; "
        "install ancestry-obs[browser], or use 'http'"
    )
