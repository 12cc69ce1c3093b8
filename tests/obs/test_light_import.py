"""What a program pays that has metrics off: the import of the toolkit, and `install()`.

Counted in modules, not in milliseconds; `benchmarks/install.py` has those.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import ancestry_obs

# Each takes from one to twenty milliseconds, with what it imports itself.
HEAVY = {
    *("ast", "contextlib", "dataclasses", "datetime", "difflib", "email", "enum", "importlib.abc"),
    *("importlib.metadata", "importlib.resources", "importlib.util", "inspect", "json", "logging"),
    *("pathlib", "re", "shutil", "socket", "string", "tempfile", "tomllib", "typing"),
    *("urllib.parse", "zipfile"),
    *("prometheus_client", "wrapt"),
}
# -I and -S: nothing of the environment, no site-packages and no .pth file imports anything first.
PROGRAM = """
import sys
sys.path.insert(0, {folder!r})
import os, threading
before = set(sys.modules)
import ancestry_obs
{statements}
print(sorted(set(sys.modules) - before))
"""
DOTENV = """\
# Of the program itself.
DATABASE_URL="postgres://me:secret@db/shop"  # not ours
export PASSWORD='it is # secret'
PROMETHEUS_METRICS_ENABLED=no
METRICS_FILE_SD=targets.json
"""
VARIABLES = {
    "METRICS_EXPORT_PORT": "0",
    "METRICS_EXPORT_HOST": "::1",
    "METRICS_NAMESPACE": "shop",
    "METRICS_TEXTFILE": "shop.prom",
    "INSTRUMENTATION_MAP": "shop.toml",
}


@pytest.fixture
def imported(tmp_path):
    """Give what is imported by statements that stand after the import of the toolkit."""

    def run(statements="", **variables):
        folder = str(Path(ancestry_obs.__file__).parents[1])
        done = subprocess.run(
            [
                sys.executable,
                "-I",
                "-S",
                "-c",
                PROGRAM.format(folder=folder, statements=statements),
            ],
            cwd=tmp_path,
            env={"SYSTEMROOT": os.environ.get("SYSTEMROOT", ""), **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return set(json.loads(done.stdout.replace("'", '"')))

    return run


@pytest.mark.parametrize("statements", ["", "ancestry_obs.install()", "ancestry_obs.install('x')"])
def test_what_metrics_off_imports(imported, statements):
    modules = imported(statements)
    ours = {name for name in modules if name.startswith("ancestry_obs")}
    assert len(ours) <= 6
    assert modules - ours <= {"__future__"}
    assert not modules & HEAVY


def test_reading_the_settings_imports_no_more(imported, tmp_path):
    statements = "assert not ancestry_obs.install().enabled; ancestry_obs.metrics()"
    without = imported(statements)
    (tmp_path / ".env").write_text(DOTENV)
    assert imported(statements, **VARIABLES) == without


def test_a_map_of_the_folder_is_not_looked_for(imported, tmp_path):
    statements = """
ancestry_obs.install
seen = []
sys.addaudithook(lambda event, details: seen.append((event, details[:1])))
assert not ancestry_obs.install().enabled
assert [details for event, details in seen if event == "open"] == [(".env",)]
assert not [each for each in seen if "obs.toml" in str(each) or "pyproject" in str(each)]
"""
    (tmp_path / "pyproject.toml").write_text("[tool.ancestry_obs]\nmap = 5")
    (tmp_path / "obs.toml").write_text("")
    imported(statements)


def test_a_setting_in_dotenv_switches_metrics_on(imported, tmp_path):
    (tmp_path / ".env").write_text("PROMETHEUS_METRICS_ENABLED=true")
    statements = """
try:
    ancestry_obs.install()
except ancestry_obs.ObservabilityError as error:
    assert "ancestry-obs[prometheus]" in str(error)
else:
    raise AssertionError
"""
    # Nothing is served without prometheus_client. What switches metrics on needs all the rest,
    # which shows that the list above means something.
    missing = "import sys; sys.modules['prometheus_client'] = None\n"
    assert HEAVY & imported(missing + statements)


@pytest.mark.parametrize("variable", ["METRICS_EXPORT_PORT", "METRICS_PUSH_URL"])
def test_a_wrong_setting_is_told_although_metrics_are_off(imported, variable):
    statements = f"""
try:
    ancestry_obs.install()
except ancestry_obs.SettingsError as error:
    assert str(error).startswith({variable!r})
else:
    raise AssertionError
"""
    imported(statements, **{variable: "-1"})


def test_helpers_are_there_when_somebody_asks(imported):
    modules = imported(
        "ancestry_obs.install()\n"
        "ancestry_obs.metrics().api_latency.observe('/matches/:id', '2xx', 0.25)"
    )
    assert "ancestry_obs.metrics_registry.helpers" in modules
    assert not modules & {"prometheus_client", "wrapt"}


def test_every_public_name_is_there_when_somebody_asks(imported):
    late = {*ancestry_obs.__all__} - {"Instrumentation", "get_registry"}
    imported(
        f"assert {{*ancestry_obs.__all__}} <= {{*dir(ancestry_obs)}}\n"
        f"for name in {sorted(late)}:\n"
        "    assert getattr(ancestry_obs, name) is getattr(ancestry_obs, name)\n"
        # A module of this name would take the function's place.
        "    assert not ancestry_obs.status().enabled\n"
    )


def test_type_checkers_see_the_same_names():
    tree = ast.parse(Path(ancestry_obs.__file__).read_text("utf-8"))
    (block,) = [each for each in tree.body if isinstance(each, ast.If)]
    seen = {name.name: each.module for each in block.body for name in each.names}
    late = ancestry_obs._LATE.items()
    assert seen == {name: f"ancestry_obs.{module}" for name, module in late}


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"'ancestry_obs' has no attribute 'instal'"):
        ancestry_obs.instal  # noqa: B018  the access is what is tried
