# ruff: noqa: INP001 - a script in a folder of pictures, no package
"""The pictures of the live page: a run of the platform, as a Chromium shows it, in both themes.

    python docs/images/live_page.py [SECONDS]

Runs `ancestry run` with metrics on, has the page open for so long (a little less than the five
minutes that its lines go back), and writes `live_page_light.png` and `live_page_dark.png`. Needs
the extras `platform`, `prometheus` and `browser`, and Debian's chromium and chromium-driver.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
SECONDS = 285.0
# So many that the run takes longer than the pictures.
MATCHES = "3000"
VIEW = "?sort=calls&target=ancestry_core.api_manager%3AAPIManager._api_req_with_auth_refresh"
MAP = HERE.parents[1] / "src/ancestry_obs/maps/ancestry.toml"
WIDTH, HEIGHT = 1280, 900


@contextmanager
def running() -> Iterator[str]:
    """Run the platform, and give where its page is."""
    environment = {
        **os.environ,
        "INSTRUMENTATION_MAP": MAP.name,
        "METRICS_EXPORT_PORT": "0",
    }
    run = (sys.executable, "-m", "ancestry_core", "run", "--metrics", "--matches", MATCHES)
    with tempfile.TemporaryDirectory() as folder, Path(folder, "notes").open("w+") as notes:
        # A copy, so that the picture has no folder of this machine.
        shutil.copy(MAP, folder)
        process = subprocess.Popen(  # noqa: S603 - this project's own command
            run, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=notes
        )
        try:
            while not (told := re.search(r"served at (\S+)metrics", Path(notes.name).read_text())):
                time.sleep(0.1)
            yield told[1]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def take(url: str, seconds: float) -> None:
    """Have the page open for so long, and take the pictures."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
    try:
        size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        driver.get(url + VIEW)
        time.sleep(seconds)
        for theme in ("light", "dark"):
            scheme = {"name": "prefers-color-scheme", "value": theme}
            driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
            driver.save_screenshot(os.fspath(HERE / f"live_page_{theme}.png"))
    finally:
        driver.quit()


if __name__ == "__main__":
    with running() as page:
        take(page, float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS)
