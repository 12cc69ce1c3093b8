"""Commands under `ancestry-obs run`, each a real one, and what comes to be counted."""

from __future__ import annotations

import errno
import json
import os
import re
import resource
import subprocess
import sys
import venv
from functools import partial
from pathlib import Path

import pytest

from ancestry_obs.process_tree import launch_note

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


CLOSED = """\
import os, subprocess, sys
import lib
lib.price()
def say(what):
    try:
        os.write(2, b"said\\n")
    except OSError as error:
        print(what, sys.stderr, error.strerror, flush=True)
say("itself")
if not sys.argv[1:]:
    subprocess.run([sys.executable, __file__, "child"])
    subprocess.run(["sh", "-c", "echo said >&2 || echo child said nothing"])
"""


@pytest.fixture
def by_shell(library, environment):
    """Run words as a shell does that has closed standard error, or whatever else it is to do."""

    def run(*words, redirected="2>&-", **variables):
        return subprocess.run(
            ["sh", "-c", f'exec "$@" {redirected}', "sh", *words],
            cwd=library.path,
            env={**environment, **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


class TestClosedStandardError:
    """A file that is opened gets its number: nothing that is said may land there."""

    @pytest.mark.parametrize("kind", ["script", "python", "shell", "shell that waits"])
    def test_the_program_runs_as_it_does_without_us(self, kind, library, script, by_shell):
        library.write("use.py", CLOSED)
        library.write("m.toml", MAP.replace("TARGET", "lib:price"))
        command = [*script, "run", "--map", "m.toml", "--textfile", "a.prom", "--", *COMMANDS[kind]]
        plain, launched = (
            by_shell(*words, PATH=f"{BIN}:{os.environ['PATH']}")
            for words in ([sys.executable, "use.py"], command)
        )
        assert plain.stdout.count("None Bad file descriptor") == 2
        assert (launched.returncode, launched.stdout) == (0, plain.stdout)
        assert (launched.stderr, plain.stderr) == ("", "")
        assert "ancestry_prices_total 2.0\n" in (library.path / "a.prom").read_text()

    # Options that are written in an unusual way are read by somebody else.
    @pytest.mark.parametrize("port", ["0", "+0"])
    def test_a_refusal_is_no_output(self, port, library, script, by_shell):
        library.write("m.toml", MAP.replace("TARGET", "lib:price"))
        done = by_shell(*script, "run", "--map", "m.toml", "--port", port, "--", "absent.py")
        assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


@pytest.mark.parametrize(
    "words", [("-I",), ("-E",), ("-S",), ("env", "-i")], ids=lambda words: words[-1]
)
def test_a_child_that_passes_over_the_variables_runs_and_is_not_counted(words, library, counted):
    library.write("child.py", "import sys\nsys.path.insert(0, '.')\nimport use\n")
    child = [sys.executable, *words] if words[0] != "env" else [*words, sys.executable]
    run = f"subprocess.run([*{child}, 'child.py'], check=True)"
    library.write("parent.py", f"import lib, subprocess\nlib.price()\n{run}\n")
    calls, done = counted("lib:price", "parent.py")
    assert (done.returncode, done.stdout, done.stderr) == (0, "used\n", NEVER)
    assert calls == 1


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python says nothing of it")
@pytest.mark.live
def test_the_warning_about_fork_can_be_silenced(library, launch):
    library.write("m.toml", MAP.partition("[[hook]]")[0].replace("TARGET", "lib:price"))
    library.write("fork.py", "import os\nif not os.fork():\n    os._exit(0)\nos.wait()\n")
    words = ("run", "--map", "m.toml", "--port", "0", "--")
    silent = "ignore:This process:DeprecationWarning"
    assert "is multi-threaded" in launch(*words, "fork.py").stderr
    for done in (
        launch(*words, "fork.py", PYTHONWARNINGS=silent),
        launch(*words, "-W", silent, "fork.py"),
        launch(*words, "-W", "error", "fork.py"),
    ):
        assert done.returncode == 0
        assert "is multi-threaded" not in done.stderr


@pytest.mark.parametrize("redirected", ["", "2>&-"])
@pytest.mark.parametrize("words", [("use.py",), ("sh", "-c", "python use.py")])
def test_a_map_that_is_refused_leaves_nothing_of_the_run(
    redirected, words, library, script, by_shell
):
    library.write("m.toml", "version = 7\n")
    (library.path / "runs").mkdir()
    command = [*script, "run", "--map", "m.toml", "--", *words]
    done = by_shell(*command, redirected=redirected, TMPDIR=str(library.path / "runs"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == (not redirected)
    assert not [*(library.path / "runs").iterdir()]


class TestFullDisk:
    # A Python reads the map by itself, for all else it is read before.
    @pytest.mark.parametrize("words", [("use.py",), ("sh", "-c", "python use.py")])
    def test_the_run_s_folder_is_made_elsewhere(self, words, library, monkeypatch, command):
        library.write("m.toml", MAP.replace("TARGET", "lib:price"))
        full, free, seen = library.path / "full", library.path / "free", []
        for variable, place in (("TMPDIR", full), ("TEMP", free)):
            place.mkdir()
            monkeypatch.setenv(variable, str(place))
        write = launch_note.write

        def write_if_free(folder, values):
            write(folder, values)
            if Path(folder).parent == full:
                raise OSError(errno.ENOSPC, "No space left on device")

        def execute(file, words, environ):
            folder = Path(environ["ANCESTRY_OBS_RUN"])
            seen.append((folder.parent, launch_note.read(folder)["instrumentation_map"]))
            raise OSError(errno.EACCES, "Permission denied")

        monkeypatch.setattr(launch_note, "write", write_if_free)
        monkeypatch.setattr(os, "execve", execute)
        done = command("run", "--map", "m.toml", "--", *words)
        assert seen == [(free, "m.toml")]
        # Here it is the execution that fails: nothing is left of the run.
        assert (done.code, done.out) == (2, "")
        assert "cannot be executed: Permission denied; is it a program" in done.err
        assert not [*full.iterdir(), *free.iterdir()]

    @pytest.mark.parametrize("words", [("use.py",), ("sh", "-c", "python use.py")])
    def test_one_line_where_there_is_no_room_at_all(self, words, library, environment, script):
        library.write("m.toml", MAP.replace("TARGET", "lib:price"))
        (library.path / "full").mkdir()
        before = {*library.path.iterdir()}
        done = subprocess.run(
            [*script, "run", "--map", "m.toml", "--", *words],
            cwd=library.path,
            env={**environment, "TMPDIR": "full", "PYTHONDONTWRITEBYTECODE": "1"},
            preexec_fn=partial(resource.setrlimit, resource.RLIMIT_FSIZE, (0, 0)),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == (
            "ancestry-obs: full: the run's folder cannot be made there (File too large); set "
            "TMPDIR to a folder that can be written\n"
        )
        assert {*library.path.iterdir()} == before
        assert not [*(library.path / "full").iterdir()]


class TestNoFormatThatTheSystemKnows:
    def test_a_shell_runs_a_script_without_a_first_line(self, library, counted):
        path = library.write("steps", 'echo "$0" "$@"\npython use.py\nexit 3\n')
        path.chmod(0o755)
        calls, done = counted("lib:price", "./steps", "a b", "-c")
        assert (done.returncode, done.stdout) == (3, "./steps a b -c\nused\n")
        assert (done.stderr, calls) == (NEVER, 3)

    def test_one_that_path_has(self, library, counted):
        path = library.write("tools/steps", "exec python use.py\n")
        path.chmod(0o755)
        path = f"{BIN}:{library.path / 'tools'}:{os.environ['PATH']}"
        calls, done = counted("lib:price", "steps", PATH=path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "used\n", NEVER)
        assert calls == 3

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"\x7fELF\2\1\1\0" + bytes(200), "Exec format error"),
            (b"#!/no/such/program\n", "No such file or directory"),
        ],
        ids=["binary", "interpreter"],
    )
    def test_all_else_is_refused_and_leaves_nothing(self, data, reason, library, launch):
        library.write("m.toml", MAP.replace("TARGET", "lib:price"))
        (library.path / "foreign").write_bytes(data)
        (library.path / "foreign").chmod(0o755)
        (library.path / "places").mkdir()
        done = launch("run", "--map", "m.toml", "--", "./foreign", TMPDIR="places")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == (
            f"ancestry-obs: ./foreign: cannot be executed: {reason}; is it a program of this "
            "machine?\n"
        )
        assert not [*(library.path / "places").iterdir()]


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
