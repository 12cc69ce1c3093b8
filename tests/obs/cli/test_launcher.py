"""The launcher runs a program as the interpreter does: each program here is run both ways."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pytest

from ancestry_obs.cli import launcher
from ancestry_obs.exceptions import LaunchError

DRIVER = """
import sys
from ancestry_obs.cli import launcher
kind, name, *arguments = sys.argv[1:]
find = launcher.find_module if kind == "-m" else launcher.find_script
launcher.run(find(name), arguments, lambda module, name: None)
"""

PROGRAMS = {
    "identity": """
        '''The program's docstring.'''
        import sys
        "a later string is no docstring"
        print(__name__, __doc__, sys.argv, sys.path[0])
        print(__file__, __package__, getattr(__spec__, "name", None))
        print(sys.modules["__main__"].__dict__ is globals())
    """,
    "future": """
        from __future__ import annotations
        class Node:
            next: Node | None = None
        def f(x: NotDefined) -> int: ...
        print(Node.__annotations__, f.__annotations__)
        count: int = 3
        print(__annotations__)
    """,
    "exit_code": "import sys\nsys.exit(3)",
    "exit_text": "import sys\nsys.exit('went wrong')",
    "traceback": """
        def inner():
            return 1 / 0
        def outer():
            try:
                inner()
            except ZeroDivisionError as error:
                raise ValueError("outer") from error
        if __name__ == "__main__":
            outer()
    """,
    "syntax_error": "def broken(:\n    pass\n",
    "interrupt": "raise KeyboardInterrupt",
    "terminated": "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)",
    "own_error": "import ancestry_obs\nraise ancestry_obs.SettingsError('the program's own')",
    "exit_list": "raise SystemExit(['x'])",
    "hook_after": """
        import atexit, sys
        atexit.register(lambda: print(sys.excepthook is sys.__excepthook__))
        raise RuntimeError("end")
    """,
    "path": "import sys\nprint(sys.path)",
    "atexit": "import atexit\natexit.register(print, 'bye')\nraise RuntimeError('end')",
    "own_hook": """
        import sys
        sys.excepthook = lambda kind, value, tb: print("hook", kind.__name__, tb.tb_lineno)
        raise RuntimeError("end")
    """,
    "threads": """
        import threading
        def outlive_main():
            threading.main_thread().join()
            print("thread done")
        threading.Thread(target=outlive_main).start()
        print("main done")
    """,
    "pickle": """
        import pickle
        class Thing:
            pass
        print(type(pickle.loads(pickle.dumps(Thing()))) is Thing)
    """,
    "stdin": "print(input())",
}


def run_both(kind: list[str], cwd: Path) -> tuple[tuple, tuple]:
    direct = [sys.executable, *kind]
    launched = [sys.executable, "-c", DRIVER, *(["script"] if kind[0] != "-m" else []), *kind]
    return tuple(_outcome(command, cwd) for command in (direct, launched))


def _outcome(command: list[str], cwd: Path) -> tuple[int, str, str]:
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, input="typed\n", timeout=60, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_script_runs_as_the_interpreter_runs_it(name, tmp_path):
    (tmp_path / "prog.py").write_text(dedent(PROGRAMS[name]))
    direct, launched = run_both(["prog.py", "--flag", "a b"], tmp_path)
    assert launched == direct


# A program's own hook would see the interpreter's runpy frames, which ours does not have.
@pytest.mark.parametrize("name", sorted(PROGRAMS.keys() - {"own_hook"}))
def test_a_module_runs_as_the_interpreter_runs_it(name, tmp_path):
    package = tmp_path / "pkg"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "prog.py").write_text(dedent(PROGRAMS[name]))
    direct, launched = run_both(["-m", "pkg.prog", "--flag"], tmp_path)
    # runpy shows its own frames below an exception that leaves a module; ours shows none.
    assert launched[:2] == direct[:2]
    assert launched[2].splitlines()[-1:] == direct[2].splitlines()[-1:]


def test_a_package_stands_for_its_main_module(tmp_path):
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").touch()
    (tmp_path / "pkg" / "__main__.py").write_text("print(__spec__.name, __package__)")
    direct, launched = run_both(["-m", "pkg"], tmp_path)
    assert launched == direct
    assert launched[1] == "pkg.__main__ pkg\n"


def test_what_is_defined_is_offered_before_the_next_statement(tmp_path, monkeypatch):
    program = tmp_path / "prog.py"
    program.write_text("def f(): return 'plain'\nseen = f()\n")
    main_module = sys.modules["__main__"]
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    monkeypatch.setattr(sys, "path", list(sys.path))

    def offer(module: ModuleType, name: str) -> None:
        assert name == "prog"
        if "f" in vars(module) and "seen" not in vars(module):
            module.f = lambda: "woven"

    try:
        launcher.run(launcher.find_script(str(program)), [], offer)
        assert sys.modules["__main__"].seen == "woven"
    finally:
        sys.modules["__main__"] = main_module


@pytest.mark.parametrize(
    ("find", "name", "message"),
    [
        (launcher.find_script, "absent.py", "absent.py: no such file; give the program's path"),
        (launcher.find_script, ".", ".: is a folder; name the file in it"),
        (launcher.find_module, "no_such_module_x", "-m no_such_module_x: no module of that name"),
        (launcher.find_module, "no_such_pkg_x.mod", "-m no_such_pkg_x.mod: No module named"),
        (launcher.find_module, "math", "-m math: no module of that name with Python source"),
    ],
)
def test_a_program_that_is_not_there_is_one_clear_line(find, name, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LaunchError) as caught:
        find(name)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


# What the command itself could get in the way of; the rest is the launcher's, tested above.
@pytest.mark.parametrize(
    "name",
    ["own_error", "exit_list", "exit_text", "traceback", "interrupt", "terminated", "path"],
)
def test_the_command_runs_a_script_as_the_interpreter_does(name, project, launch, environment):
    program = project.write("prog.py", PROGRAMS[name])
    project.write("nothing.toml", "version = 1\n[[hook]]\ntarget='x:y'\nafter='exporter.start'\n")
    direct = _outcome([sys.executable, str(program), "--flag"], project.path)
    done = launch("run", "--map", "nothing.toml", "--", str(program), "--flag", stdin="typed\n")
    told = [line for line in done.stderr.splitlines(keepends=True) if "ancestry-obs: " in line]
    assert (
        told
        == ["ancestry-obs: never reached, so not measured: x:y (module 'x' is not imported yet)\n"][
            : len(told)
        ]
    )
    assert (done.returncode, done.stdout, done.stderr.replace("".join(told), "")) == direct


def test_a_module_that_its_package_has_imported_is_warned_of(project, launch):
    project.write("pkg/__init__.py", "from pkg import mod")
    project.write("pkg/mod.py", "print(__name__)")
    project.write("nothing.toml", "version = 1\n[[hook]]\ntarget='x:y'\nafter='exporter.start'\n")
    done = launch("run", "--map", "nothing.toml", "--", "-m", "pkg.mod")
    assert done.stdout == "pkg.mod\n__main__\n"
    assert "RuntimeWarning: 'pkg.mod' was imported by its own package, and now runs" in done.stderr
    direct = _outcome([sys.executable, "-m", "pkg.mod"], project.path)
    assert "RuntimeWarning" in direct[2]  # the interpreter warns too
