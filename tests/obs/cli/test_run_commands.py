"""Commands under `ancestry-obs run`, each a real one, and what comes to be counted."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

MAP = """\
version = 1
[metrics.prices_total]
type = "counter"
help = "Prices asked for."
[[instrument]]
target = "TARGET"
record = [{ metric = "prices_total" }]
[[hook]]
target = "absent:f"
after = "exporter.start"
"""
NEVER = (
    "ancestry-obs: never reached, so not measured: absent:f (module 'absent' is not imported yet)\n"
)
LABELLED = """
[functions]
label = "LABEL"
[metrics.labelled_total]
type = "counter"
help = "With a label."
labels.name = { max_values = 3 }
[[instrument]]
target = "TARGET"
record = [{ metric = "labelled_total", labels = { name = "label()" } }]
"""
BIN = Path(sys.executable).parent


@pytest.fixture
def counted(project, environment, script):
    """Run a command with a map for one target; gives the calls of that, and how it ended."""

    def run(target, *words, dashes=("--",), more="", **variables):
        project.write("m.toml", MAP.replace("TARGET", target) + more)
        command = [*script, "run", "--map", "m.toml", "--textfile", "a.prom", *dashes, *words]
        done = subprocess.run(
            command,
            cwd=project.path,
            env={**environment, "PATH": f"{BIN}:{environment['PATH']}", **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        text = (project.path / "a.prom").read_text()
        found = re.search(r"^ancestry_prices_total (.*)$", text, re.MULTILINE)
        return float(found[1]) if found else None, done

    return run


@pytest.fixture
def library(project):
    """A module with a target, and a script, a module and a test that call it three times."""
    project.write("lib.py", "def price(): return 1\n")
    project.write("use.py", "import lib\nfor _ in range(3):\n    lib.price()\nprint('used')\n")
    project.write("pkg/__init__.py", "import lib\nlib.price()\n")
    project.write("pkg/__main__.py", "import lib\nlib.price()\nlib.price()\nprint('used')\n")
    project.write(
        "test_it.py",
        "import sys\nsys.path.insert(0, '.')\nimport lib\nimport pytest\n"
        "@pytest.mark.parametrize('n', range(3))\ndef test_it(n): assert lib.price()\n",
    )
    return project


PYTEST = ("-q", "-p", "no:cacheprovider", "test_it.py")
COMMANDS = {
    "script": ("use.py",),
    "module": ("-m", "use"),
    "package": ("-m", "pkg"),
    "python": ("python", "use.py"),
    "python, by path": (sys.executable, "-X", "dev", "-m", "pkg"),
    "code": (sys.executable, "-c", "import use"),
    "shell": ("bash", "-c", "python use.py"),
    "shell that waits": ("sh", "-c", "python use.py; true"),
    "env": ("env", "A=1", "python", "use.py"),
    "console script": ("pytest", *PYTEST),
    "console script, by path": (str(BIN / "pytest"), *PYTEST),
    "module of tests": ("-m", "pytest", *PYTEST),
}


@pytest.mark.parametrize("dashes", [("--",), ()], ids=["--", ""])
@pytest.mark.parametrize("kind", COMMANDS)
def test_every_call_is_counted(kind, dashes, library, counted):
    calls, done = counted("lib:price", *COMMANDS[kind], dashes=dashes)
    assert (done.returncode, done.stderr) == (0, NEVER)
    assert done.stdout == "used\n" or "3 passed" in done.stdout
    assert calls == 3


def test_the_module_of_the_toolkit_is_the_command(library, environment):
    library.write("m.toml", MAP.replace("TARGET", "lib:price"))
    done = subprocess.run(
        [sys.executable, "-m", "ancestry_obs", "run", "--map", "m.toml", "use.py"],
        cwd=library.path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "used\n", NEVER)
    version = [sys.executable, "-m", "ancestry_obs", "--version"]
    assert subprocess.run(version, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("kind", ["script", "package", "console script"])
def test_label_functions_are_found_in_the_folder(kind, library, counted, command):
    library.write("labels.py", "import helper\ndef label(): return helper.NAME\n")
    library.write("helper.py", "NAME = 'found'\n")
    words = COMMANDS[kind]
    _, done = counted("lib:price", *words, more=_labelled("labels:label", "lib:price"))
    assert (done.returncode, done.stderr) == (0, NEVER)
    text = (library.path / "a.prom").read_text()
    assert 'ancestry_labelled_total{name="found"} 3.0\n' in text


def test_the_target_of_a_script_may_be_in_a_block_of_its_own(project, counted):
    project.write(
        "prog.py",
        """
        if True:
            def price(): ...
            price()
        try:
            class Cart:
                def add(self): price()
            with open(__file__):
                Cart().add()
        finally:
            def price(): return 2
            price()
        for n in range(2):
            pass
        price()
        match 5:
            case 5:
                def price(): return 3
                price()
        """,
    )
    calls, done = counted("prog:price", "prog.py")
    assert (done.returncode, done.stderr) == (0, NEVER)
    assert calls == 5


def test_a_command_whose_name_is_a_package_s(project, counted):
    """Such as `flask`: what the map says of the package is not looked for in the script."""
    project.write("prog/__init__.py", "def price(): return 1\ndef label(): return 'found'\n")
    path = project.write(
        "bin/prog",
        f"#!{sys.executable}\nimport json\nimport prog\nprint(prog.price(), prog.label())\n",
    )
    path.chmod(0o755)
    more = _labelled("prog:label", "prog:price")
    calls, done = counted("prog:price", "bin/prog", more=more, PYTHONPATH=_with(project.path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "1 found\n", NEVER)
    assert calls == 1
    assert 'labelled_total{name="found"} 1.0\n' in (project.path / "a.prom").read_text()


def test_label_functions_are_found_in_the_folder_that_is_not_on_the_path(project, counted):
    project.write("code/lib.py", "def price(): return 1\n")
    tool = project.write("bin/tool", f"#!{sys.executable}\nimport lib, sys\nlib.price()\n")
    with tool.open("a") as program:
        program.write(f"print({str(project.path)!r} in sys.path, 'labels' in sys.modules)\n")
    tool.chmod(0o755)
    project.write("labels/__init__.py", "")
    project.write("labels/names.py", "from labels import *\ndef label(): return 'found'\n")
    more = _labelled("labels.names:label", "lib:price")
    calls, done = counted(
        "lib:price", "bin/tool", more=more, PYTHONPATH=_with(project.path / "code")
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "False True\n", NEVER)
    assert calls == 1
    text = (project.path / "a.prom").read_text()
    assert 'ancestry_labelled_total{name="found"} 1.0\n' in text


def _labelled(label, target):
    return LABELLED.replace("LABEL", label).replace("TARGET", target)


def _with(*folders):
    known = os.environ.get("PYTHONPATH")
    return os.pathsep.join([*map(str, folders), *([known] if known else [])])


class TestStartup:
    def test_a_sitecustomize_of_somebody_else_is_imported_as_it_would_be(self, library, counted):
        library.write(
            "theirs/sitecustomize.py",
            "import sys, lib\nlib.price()\n"
            "sys.seen = __name__, __file__, sys.modules['sitecustomize'].__file__\n",
        )
        library.write("show.py", "import sys\nprint(*sys.seen)\n")
        path = _with(library.path / "theirs", library.path)
        calls, done = counted("lib:price", "show.py", PYTHONPATH=path)
        file = str(library.path / "theirs/sitecustomize.py")
        assert (done.stdout, done.stderr) == (f"sitecustomize {file} {file}\n", NEVER)
        assert calls == 1

    def test_one_that_fails_is_told_as_python_tells_it(self, library, counted, environment):
        library.write("theirs/sitecustomize.py", "1 / 0\n")
        path = _with(library.path / "theirs")
        plain = subprocess.run(
            [sys.executable, "use.py"],
            cwd=library.path,
            env={**environment, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "ZeroDivisionError" in plain.stderr
        calls, done = counted("lib:price", "use.py", PYTHONPATH=path)
        # The launcher is a Python as well.
        assert (done.stdout, done.stderr) == (plain.stdout, plain.stderr * 2 + NEVER)
        assert calls == 3

    def test_pythonpath_is_kept_behind_ours(self, library, counted):
        library.write("show.py", "import os\nprint(os.environ['PYTHONPATH'])\n")
        path = _with("somewhere", library.path)
        _, done = counted("lib:price", "show.py", PYTHONPATH=path)
        first, _, rest = done.stdout.strip().partition(os.pathsep)
        assert rest == path
        names = {each.name for each in Path(first).iterdir()}
        assert names - {"__pycache__"} == {"sitecustomize.py"}

    def test_a_python_without_the_toolkit_is_told_once_and_runs(self, library, counted):
        venv.create(library.path / "other", with_pip=False)
        other = str(library.path / "other/bin/python")
        # The tests may find the toolkit by PYTHONPATH, too.
        alone = f"PYTHONPATH=${{PYTHONPATH%%:*}} {other} use.py"
        command = f"{alone}; {alone}; {sys.executable} use.py"
        calls, done = counted("lib:price", "sh", "-c", command)
        assert done.stdout == "used\n" * 3
        told = f"ancestry-obs: not measured: ancestry-obs is not installed for {other}\n"
        assert done.stderr == told + NEVER
        assert calls == 3

    def test_nothing_is_told_to_a_program_that_reads_its_child_s_errors(self, library, counted):
        library.write("child.py", "import lib\nlib.price()\n")
        library.write(
            "parent.py",
            "import subprocess, sys\n"
            "done = subprocess.run([sys.executable, 'child.py'], capture_output=True)\n"
            "print(done)\n",
        )
        more = '[[hook]]\ntarget = "lib:prize"\nafter = "exporter.stop"\n'
        _, done = counted("lib:price", "parent.py", more=more)
        assert "stdout=b'', stderr=b''" in done.stdout

    def test_a_folder_that_is_gone_does_no_harm(self, library, environment, script):
        library.write("m.toml", MAP.replace("TARGET", "lib:price"))
        library.write(
            "parent.py",
            "import os, shutil, subprocess, sys\n"
            "shutil.rmtree(os.environ['ANCESTRY_OBS_RUN'])\n"
            "print(subprocess.run([sys.executable, 'use.py']).returncode)\n",
        )
        done = subprocess.run(
            [*script, "run", "--map", "m.toml", "parent.py"],
            cwd=library.path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, "used\n0\n")


POOL = """
import json, multiprocessing, sys
import ancestry_obs

def price(n):
    states = ancestry_obs.status().targets
    return [each.calls for each in states if each.target.endswith(":price")]

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    with context.Pool(1) as pool:
        print(json.dumps(pool.map(price, range(3))))
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize(
    ("words", "target"),
    [
        (["prog.py"], "prog:price"),
        (["prog.py"], "__main__:price"),
        (["-m", "pkg.prog"], "pkg.prog:price"),
    ],
    ids=["script", "by main", "module"],
)
def test_what_a_pool_s_children_call_of_the_script(method, words, target, project, counted):
    project.write("prog.py", POOL)
    project.write("pkg/__init__.py", "")
    project.write("pkg/prog.py", POOL)
    calls, done = counted(target, *words, method)
    assert done.returncode == 0, done.stderr
    # A call is counted when it ends.
    assert json.loads(done.stdout) == [[0], [1], [2]]
    assert calls == 3
