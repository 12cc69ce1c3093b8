"""The platform knows nothing of who watches it, and importing it does nothing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ancestry_core

PACKAGE = Path(ancestry_core.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
WATCHERS = re.compile(r"ancestry_obs|wrapt|prometheus", re.IGNORECASE)

IMPORT_ALL = """
import builtins, importlib, json, os, socket, sys, threading
opened = []
sys.addaudithook(
    lambda event, args: opened.append([event, str(args[0])])
    if event in {"socket.__new__", "socket.bind", "sqlite3.connect", "subprocess.Popen"}
    or (event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"))
    else None
)
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
print(json.dumps({
    "modules": sorted(sys.modules), "threads": threading.active_count(), "opened": opened
}))
"""


def module_name(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def after_import(*names):
    process = subprocess.run(
        # -B: compiled files that are written are not the package's doing.
        [sys.executable, "-B", "-c", IMPORT_ALL, json.dumps(names)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_no_module_but_the_entry_point_names_a_watcher(path):
    if path != PACKAGE / "main.py":
        assert WATCHERS.findall(path.read_text(encoding="utf-8")) == []


def test_importing_the_package_imports_the_standard_library_alone():
    before = set(after_import()["modules"])
    new = set(after_import("ancestry_core", "ancestry_core.main")["modules"]) - before
    roots = {name.partition(".")[0] for name in new}
    # The entry point knows the toolkit, which needs nothing else itself.
    assert roots - {"ancestry_core", "ancestry_obs"} <= sys.stdlib_module_names


def test_importing_every_module_starts_and_opens_nothing():
    entry_point = {"__main__.py", "main.py"}
    names = [module_name(path) for path in MODULES if path.name not in entry_point]
    # Selenium, an extra, opens a browser of its own affairs.
    names.remove("ancestry_core.browser.chromium")
    found = after_import(*names)
    assert found["threads"] == 1
    # urllib3 binds a socket for a moment, to no port, to learn whether there is IPv6.
    assert {name for name, what in found["opened"] if "('::', 0" not in what} <= {"socket.__new__"}
    assert not {"ancestry_obs", "wrapt", "prometheus_client"} & {
        name.partition(".")[0] for name in found["modules"]
    }
