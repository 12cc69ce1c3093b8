"""The hooks in a shell's compiler, on a shell that stands for IPython's."""

from __future__ import annotations

import codeop
import logging
import sys
from types import ModuleType, SimpleNamespace

import pytest

from ancestry_obs.patcher.cell_hooks import CellHooks, running_shell


class Compiler(codeop.Compile):
    """As IPython's."""


class Shell:
    def __init__(self):
        self.compile = Compiler()
        self.user_module = ModuleType("__main__")
        self.callbacks = []
        self.events = SimpleNamespace(
            register=lambda name, callback: self.callbacks.append((name, callback)),
            unregister=lambda name, callback: self.callbacks.remove((name, callback)),
        )

    def run_cell(self, *statements):
        for each in statements:
            code = self.compile(each, "<cell>", "exec")
            exec(code, vars(self.user_module))
        for _, callback in self.callbacks:
            callback()

    def safe_execfile(self, fname, namespace):
        def execfile(fname, glob, loc=None, compiler=None):
            loc = loc if (loc is not None) else glob
            with open(fname, "rb") as f:  # noqa: PTH123 - as IPython has it
                compiler = compiler or compile
                exec(compiler(f.read(), fname, "exec"), glob, loc)

        execfile(fname, namespace)


class Watch:
    """Keeps what it is told; each statement's code becomes another one."""

    def __init__(self):
        self.hooks = CellHooks(self.prepare, self.ran)
        self.seen = []

    def prepare(self, key, code, read):
        self.seen.append((code.co_filename, self.hooks.over()))
        return code.replace()

    def ran(self):
        self.seen.append(("ran", self.hooks.over()))


@pytest.fixture
def shell():
    return Shell()


@pytest.fixture
def watch(shell):
    watch = Watch()
    watch.hooks.follow(shell)
    watch.hooks.open()
    yield watch
    watch.hooks.close()


def test_each_statement_before_it_runs_and_after_it(shell, watch):
    shell.run_cell("a = 1", "b = 2")
    assert (shell.user_module.a, shell.user_module.b) == (1, 2)
    (first, none), (second, one), (ran, rest) = watch.seen
    assert (first, second, ran) == ("<cell>", "<cell>", "ran")
    assert none == []
    assert len(one) == 1
    # The last one is over as soon as nobody has its code any more.
    assert len(rest) + len(watch.hooks.over()) == 1


def test_a_statement_that_runs_a_cell_is_not_over_before_it(shell, watch):
    shell.user_module.shell = shell
    shell.run_cell("shell.run_cell('a = 1', 'b = 2')", "c = 3")
    over = [keys for _, keys in watch.seen]
    # Outer, two inner ones, the end of the inner cell, the next of the outer cell.
    assert over[:2] == [[], []]
    assert "cell statement 0" not in {*over[2], *over[3]}
    assert "cell statement 0" in over[4]


def test_files_count_under_the_name_of_the_module_alone(shell, watch, tmp_path):
    file = tmp_path / "script.py"
    file.write_text("x = 1")
    for name in ("__main__", "script"):
        namespace = {"__name__": name}
        shell.safe_execfile(str(file), namespace)
        assert namespace["x"] == 1
    assert [name for name, _ in watch.seen] == [str(file)]


def test_other_compilers_are_left_alone(watch):
    assert eval(codeop.Compile()("1 + 1", "<other>", "eval")) == 2
    assert watch.seen == []


def test_closing_leaves_all_as_it_was(shell):
    codes = codeop.Compile.__call__.__code__, Shell.safe_execfile.__code__
    watch = Watch()
    watch.hooks.follow(shell)
    for _ in range(2):
        watch.hooks.open()
    assert len(shell.callbacks) == 1
    for _ in range(2):
        watch.hooks.close()
    assert (codeop.Compile.__call__.__code__, Shell.safe_execfile.__code__) == codes
    assert shell.callbacks == []
    shell.run_cell("a = 1")
    assert watch.seen == []


def test_no_exception_leaves_a_hook(shell, caplog):
    def fail(*_):
        raise RuntimeError("no")

    hooks = CellHooks(fail, fail)
    hooks.follow(shell)
    hooks.open()
    shell.run_cell("a = 1")
    hooks.close()
    assert shell.user_module.a == 1
    messages = [record.getMessage() for record in caplog.records]
    assert messages == [
        "code of <cell> is not instrumented before it runs",
        "what a cell has defined is not instrumented: its hook failed",
    ]
    assert {record.levelno for record in caplog.records} == {logging.ERROR}


def test_the_shell_that_runs_is_found_where_ipython_is(shell, monkeypatch):
    assert running_shell() is None
    module = ModuleType("IPython.core.interactiveshell")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    assert running_shell() is None
    module.InteractiveShell = SimpleNamespace(initialized=lambda: False, instance=lambda: shell)
    assert running_shell() is None
    module.InteractiveShell.initialized = lambda: True
    assert running_shell() is shell
