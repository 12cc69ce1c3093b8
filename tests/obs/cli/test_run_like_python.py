"""A program sees what it sees without us: each one here is run both ways, and the two compared."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import zipfile
from textwrap import dedent

import pytest

# What a program can find out about how it runs. It has a target that it calls three times.
PROBE = """
    '''The program's docstring.'''
    from __future__ import annotations
    import inspect, json, os, re, sys
    "a later string is no docstring"
    count: int = 0

    def price(name):
        return len(name)

    def depth(n=0):
        try:
            return depth(n + 1)
        except RecursionError:
            return n

    if __name__ == "__main__":
        def inner():
            return price("book")
        price("book"), inner()
    price("book")
    namespace = {
        key: re.sub(" at 0x[0-9a-f]+", "", repr(value))
        for key, value in globals().items() if key.startswith("__")
    }
    loader = namespace.pop("__loader__")
    del namespace["__builtins__"]
    environ = dict(os.environ)
    environ.pop("ANCESTRY_OBS_RUN", None)
    environ["PYTHONPATH"] = os.pathsep.join(
        each for each in environ.get("PYTHONPATH", "").split(os.pathsep) if "startup" not in each
    )
    print(json.dumps({
        "argv": sys.argv,
        "orig_argv": sys.orig_argv,
        "path": sys.path,
        "path hooks": [each.__qualname__ for each in sys.path_hooks],
        "importer": [
            repr(type(sys.path_importer_cache.get(each, 0))) for each in (__file__, sys.argv[0])
        ],
        "meta path": [str(each).split(" at ")[0] for each in sys.meta_path],
        "flags": repr(sys.flags),
        "warnings": sys.warnoptions,
        "folder": os.getcwd(),
        "environ": environ,
        "namespace": sorted(namespace.items()),
        "order": list(namespace),
        "spec": repr(getattr(__spec__, "__dict__", None) and __spec__.name),
        "loader": loader.split(" at ")[0],
        "is main": sys.modules["__main__"].__dict__ is globals(),
        "sitecustomize": "sitecustomize" in sys.modules,
        "stack": [(each.filename, each.lineno, each.function) for each in inspect.stack()],
        "hook": sys.excepthook is sys.__excepthook__,
        "trace": repr((sys.gettrace(), sys.getprofile())),
        "stdin": sys.stdin.read(),
        "stdout": [sys.stdout.line_buffering, sys.stdout.write_through, sys.stdout.encoding],
        "parent": os.getppid(),
        "annotations": __annotations__,
    }))
    print(depth())
    """
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
SHEBANG = f"#!{sys.executable}\n"


@pytest.fixture
def probes(project):
    """Write the probe as whatever Python can run."""
    project.write("prog.py", PROBE)
    project.write("sub/prog.py", PROBE)
    (project.path / "link.py").symlink_to("sub/prog.py")
    project.write("pkg/__init__.py", "")
    project.write("pkg/prog.py", PROBE)
    project.write("pkg/__main__.py", PROBE)
    project.write("folder/__main__.py", PROBE)
    with zipfile.ZipFile(project.path / "prog.pyz", "w") as archive:
        archive.writestr("__main__.py", dedent(PROBE))
    for name, file in (("tool", "tool"), ("prog", "bin/prog.py")):
        path = project.write(file, SHEBANG + dedent(PROBE))
        path.chmod(0o755)
        assert name
    return project


def outcome(words, project, environment, stdin="typed\n"):
    done = subprocess.run(
        words,
        cwd=project.path,
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


PYTHON = sys.executable
KINDS = {
    "script": (["prog.py"], [PYTHON, "prog.py"], "prog:price"),
    "script, by main": (["prog.py"], [PYTHON, "prog.py"], "__main__:price"),
    "script in a folder": (["sub/prog.py"], [PYTHON, "sub/prog.py"], "prog:price"),
    "script by dots": (["./sub/../prog.py"], [PYTHON, "./sub/../prog.py"], "prog:price"),
    "link": (["link.py"], [PYTHON, "link.py"], "link:price"),
    "module": (["-m", "pkg.prog"], [PYTHON, "-m", "pkg.prog"], "pkg.prog:price"),
    "module, by main": (["-m", "pkg.prog"], [PYTHON, "-m", "pkg.prog"], "__main__:price"),
    "package": (["-m", "pkg"], [PYTHON, "-m", "pkg"], "pkg.__main__:price"),
    "archive": (["prog.pyz"], [PYTHON, "prog.pyz"], "prog:price"),
    "archive, by main": (["prog.pyz"], [PYTHON, "prog.pyz"], "__main__:price"),
    "folder": (["folder"], [PYTHON, "folder"], "folder:price"),
    "executable": (["./tool"], ["./tool"], "tool:price"),
    "executable script": (["bin/prog.py"], ["bin/prog.py"], "prog:price"),
    "python": ([PYTHON, "prog.py"],) * 2 + ("prog:price",),
    "python with options": ([PYTHON, "-X", "dev", "-Wd", "-m", "pkg"],) * 2
    + ("pkg.__main__:price",),
    "safe path": ([PYTHON, "-P", "prog.py"],) * 2 + ("prog:price",),
    "optimised": ([PYTHON, "-OO", "prog.py"],) * 2 + ("prog:price",),
    "options alone": (["-X", "dev", "prog.py"], [PYTHON, "-X", "dev", "prog.py"], "prog:price"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_program_can_find_out(kind, probes, environment, script):
    words, plain, target = KINDS[kind]
    probes.write("m.toml", MAP.replace("TARGET", target))
    environment = {**environment, "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    code, out, err = outcome([*plain, "--flag", "a b"], probes, environment)
    assert (code, err) == (0, "")
    command = [*script, "run", "--map", "m.toml", "--textfile", "a.prom", "--", *words]
    launched = outcome([*command, "--flag", "a b"], probes, environment)
    told = "ancestry-obs: never reached, so not measured: absent:f (module 'absent' is not imp"
    assert launched[0] == 0
    assert launched[2].startswith(told)
    assert launched[2].count("\n") == 1
    facts, depth = out.splitlines()
    seen, seen_depth = launched[1].splitlines()
    assert json.loads(seen) == json.loads(facts)
    assert int(seen_depth) >= 0.99 * int(depth)
    text = (probes.path / "a.prom").read_text()
    assert "ancestry_prices_total 3.0\n" in text


PROGRAMS = {
    "exit_code": "import sys\nsys.exit(3)",
    "exit_text": "import sys\nsys.exit('went wrong')",
    "exit_list": "raise SystemExit(['x'])",
    "traceback": """
        def price():
            return 1 / 0
        def outer():
            try:
                price()
            except ZeroDivisionError as error:
                raise ValueError("outer") from error
        if __name__ == "__main__":
            outer()
    """,
    "attribute_error": """
        def price():
            raise AttributeError("of its own")
        price()
    """,
    "syntax_error": "def broken(:\n    pass\n",
    "odd": "print('\\d')\nx = 1 is 1\n",
    "interrupt": "raise KeyboardInterrupt",
    "terminated": "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)",
    "killed": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
    "own_error": "import ancestry_obs\nraise ancestry_obs.SettingsError('the program's own')",
    "hook_after": """
        import atexit, sys
        atexit.register(lambda: print(sys.excepthook is sys.__excepthook__))
        raise RuntimeError("end")
    """,
    "path": "import sys\nprint(sys.path)",
    "atexit": "import atexit\natexit.register(print, 'bye')\nraise RuntimeError('end')",
    "own_hook": """
        import sys, traceback
        def show(kind, value, tb):
            print("hook", kind.__name__, tb.tb_lineno)
            traceback.print_tb(tb)
        sys.excepthook = show
        def price(): 1 / 0
        price()
    """,
    "warning": """
        import warnings
        def price(): warnings.warn("old", DeprecationWarning, stacklevel=2)
        price()
        warnings.warn("older", DeprecationWarning, stacklevel=2)
    """,
    "printed stack": "import traceback\ndef price(): traceback.print_stack()\nprice()",
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
            def price(self): pass
        print(type(pickle.loads(pickle.dumps(Thing()))) is Thing)
    """,
    "stdin": "print(input())",
    "source": "import inspect\ndef price(): 'here'\nprint(inspect.getsource(price))",
    "rerun": "import sys\nif 'again' not in sys.argv:\n"
    "    import runpy\n    sys.argv.append('again')\n    runpy.run_path(__file__, run_name='x')\n"
    "print(__name__)",
}
NEVER = "ancestry-obs: never reached, so not measured: "


@pytest.mark.parametrize("push", [False, True], ids=["", "push"])
@pytest.mark.parametrize("kind", ["script", "module"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_it_ends_as_it_does(name, kind, push, project, environment, script):
    if push and name in {"own_hook", "printed stack", "warning", "terminated"}:
        # Who is told how the program ended has a frame below it, and SIGTERM.
        return
    project.write("pkg/__init__.py", "")
    project.write("pkg/prog.py", PROGRAMS[name])
    words, target = {
        "script": (["pkg/prog.py"], "prog"),
        "module": (["-m", "pkg.prog"], "pkg.prog"),
    }[kind]
    project.write("m.toml", MAP.replace("TARGET", f"{target}:price"))
    plain = outcome([sys.executable, *words, "-x"], project, environment)
    if push:
        environment = {**environment, "METRICS_PUSH_URL": "http://127.0.0.1:9"}
    command = [*script, "run", "--map", "m.toml", "--", *words, "-x"]
    code, out, err = outcome(command, project, environment)
    lines = err.splitlines(keepends=True)
    # Where something is pushed, in vain, that is the last word.
    told = [each for each in lines if each.startswith((NEVER, "ancestry-obs: metrics were not p"))]
    assert len(told) <= 2
    assert (code, out, "".join(each for each in lines if each not in told)) == plain


@pytest.mark.parametrize("ends", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_it_has_the_process_that_was_started(ends, project, environment, script):
    project.write(
        "prog.py",
        "import os\nprint(os.getpid(), flush=True)\nimport threading\nthreading.Event().wait()",
    )
    project.write("m.toml", MAP.replace("TARGET", "prog:price"))
    command = [*script, "run", "--map", "m.toml", "prog.py"]
    with subprocess.Popen(
        command,
        cwd=project.path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout.readline() == f"{process.pid}\n"
        process.send_signal(ends)
        assert process.wait(60) == -ends


def test_output_is_not_held_back(project, environment, script):
    project.write("prog.py", "import sys\nprint('first', flush=True)\nprint(sys.stdin.readline())")
    project.write("m.toml", MAP.replace("TARGET", "prog:price"))
    with subprocess.Popen(
        [*script, "run", "--map", "m.toml", "prog.py"],
        cwd=project.path,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout.readline() == "first\n"
        out, _ = process.communicate("answer\n", timeout=60)
    assert out == "answer\n\n"
