"""What a measured program imports when it begins, and what waits until a page is asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import ancestry_obs

MAP = """\
version = 1
[metrics.ones_total]
type = "counter"
help = "Ones."
[[instrument]]
target = "program:one"
record = [{ metric = "ones_total" }]
"""
# What a page needs, and what takes longer to import than it is worth at a start.
LATE = {
    *("prometheus_client", "http", "http.server", "ssl", "json", "email", "urllib.request"),
    *("importlib.metadata", "hashlib", "shutil", "platform"),
    *("wrapt", "zipfile", "tempfile"),
}
PROGRAM = """\
import sys
def one(): ...
one()
import json
print(json.dumps([each for each in {late!r} if each in before]))
"""
# Each class of `dataclass` takes a millisecond; those that programs see are worth it.
DATACLASSES = {"ObservabilitySettings"}
COUNT = """\
import dataclasses, json, sys
found = [
    value.__name__
    for name, module in list(sys.modules.items())
    if name.startswith("ancestry_obs")
    for value in vars(module).values()
    if isinstance(value, type) and dataclasses.is_dataclass(value)
]
print(json.dumps(sorted({*found})))
def one(): ...
"""


@pytest.fixture
def run(tmp_path):
    """Run a program under the launcher, and give what it prints as JSON."""

    def run(text):
        (tmp_path / "map.toml").write_text(MAP)
        (tmp_path / "program.py").write_text(text)
        command = [sys.executable, "-m", "ancestry_obs", "run", "--map", "map.toml"]
        done = subprocess.run(
            [*command, "--port", "0", "--", sys.executable, "program.py"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(ancestry_obs.__file__).parents[1])},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "served at http" in done.stderr
        return json.loads(done.stdout)

    return run


@pytest.mark.live
def test_a_program_that_begins_waits_for_nothing_that_a_page_needs(run):
    assert run(f"import sys; before = {{*sys.modules}}\n{PROGRAM.format(late=sorted(LATE))}") == []


@pytest.mark.live
def test_the_classes_of_a_start_are_no_dataclasses_but_those_that_programs_see(run):
    assert set(run(COUNT)) == DATACLASSES


# The fork begins while another thread imports. Without `importing` the child has the import's lock
# held by a thread that it does not have.
FORKED = """\
import os, sys, threading
from ancestry_obs.late_imports import importing

begun, forking = threading.Event(), threading.Event()
sys.modules["events"] = events = type(sys)("events")
events.begun, events.forking = begun, forking

def load():
    with importing:
        import slow

# Those that are registered later are called before the others.
os.register_at_fork(before=forking.set)
thread = threading.Thread(target=load)
thread.start()
begun.wait()
child = os.fork()
if child == 0:
    import slow
    os._exit(slow.done)
thread.join()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
SLOW = """\
import events
events.begun.set()
events.forking.wait()
done = sum(1 for _ in range(1_000_000)) and 7
"""


def test_a_fork_waits_for_an_import_of_another_thread(tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    done = subprocess.run(
        [sys.executable, "-c", FORKED],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(ancestry_obs.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "7\n"), done.stderr
