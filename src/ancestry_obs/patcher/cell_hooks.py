"""Cells of IPython and Jupyter -> a look at each statement's code before it runs, and after it.

IPython compiles the statements of a cell one by one, each when the one before has run. So its
compiler is where to see the code that comes next; what has run is looked at there as well, and at
the end of a cell by IPython's event for that. A file that `%run` executes is seen where it is
compiled. These functions are given other code, so that no frame is added below a cell's, and
tracebacks, the debugger and `inspect` show what they showed. No exception leaves a hook.

IPython is never imported here: where it runs, it is there.
"""

from __future__ import annotations

import codeop
import sys
import weakref
from functools import partial
from itertools import count
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.compiler.code import copied
from ancestry_obs.compiler.sources import source_of
from ancestry_obs.notices import Notices
from ancestry_obs.patcher.given_code import GivenCode
from ancestry_obs.patcher.namespaces import name_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    Read = Callable[[], str | None]

__all__ = ["CellHooks", "running_shell"]

_logger = Notices(__name__)

_CALL: Final = """
def __call__(self, source, filename, symbol, **kwargs):
    return _compiled(self, _original(self, source, filename, symbol, **kwargs))
"""
_CALL_TAKES: Final = ("self", "source", "filename", "symbol", "kwargs")
# As IPython has it, line by line, with a step before it is executed.
_EXECFILE: Final = """
def execfile(fname, glob, loc=None, compiler=None):
    __tracebackhide__ = "__ipython_bottom__"
    loc = loc if (loc is not None) else glob
    with open(fname, "rb") as f:
        compiler = compiler or compile
        exec(_prepared(compiler(f.read(), fname, "exec"), glob), glob, loc)
"""
_EXECFILE_TAKES: Final = ("fname", "glob", "loc", "compiler")
_TIMED: Final = "<timed exec>"
"""What `%%time` calls the code of a cell. Its text is nowhere but in a variable of the magic's."""
_TEXT_OF_TIMED: Final = "expr"
_ENDED: Final = "post_execute"


def running_shell() -> Any:  # noqa: ANN401 - IPython's type, which is not imported
    """Give the shell of IPython that this process runs; `None` where it runs none."""
    module = sys.modules.get("IPython.core.interactiveshell")
    shell_class: Any = getattr(module, "InteractiveShell", None)
    if shell_class is None or not shell_class.initialized():
        return None
    return shell_class.instance()


class CellHooks:
    """Tells of the statements of one shell's cells, as long as they are open.

    Args:
        prepare: Called with a key, a statement's code and its source's reader before it is
            executed; gives the code to execute.
        ran: Called when a cell has run.
    """

    def __init__(
        self, prepare: Callable[[str, CodeType, Read], CodeType], ran: Callable[[], None]
    ) -> None:
        self._prepare = prepare
        self._ran = ran
        self._given = GivenCode()
        self._shell: Any = None
        self._is_open = False
        self._numbers = count()
        self._under_way: dict[str, tuple[weakref.ref[CodeType], int]] = {}
        self._over: list[str] = []

    @property
    def module(self) -> ModuleType | None:
        """The module that cells are executed in; `None` if no shell is followed."""
        module: ModuleType | None = getattr(self._shell, "user_module", None)
        return module

    def follow(self, shell: Any) -> None:  # noqa: ANN401 - IPython's type, which is not imported
        """Choose the shell; another one than the first is left alone."""
        self._shell = self._shell or shell

    def open(self) -> None:
        """Begin to tell, if there is a shell; opening it twice is opening it once."""
        if self._shell is None or self._is_open:
            return
        self._is_open = True
        calling: Any = codeop.Compile.__call__
        if _takes(calling.__code__, _CALL_TAKES):
            self._given.give(calling, _CALL, _original=copied(calling), _compiled=self._compiled)
        self._watch_run(type(self._shell).safe_execfile)
        self._shell.events.register(_ENDED, self._ended)

    def close(self) -> None:
        """Tell of nothing any more."""
        if self._is_open:
            self._is_open = False
            self._given.take_back()
            self._shell.events.unregister(_ENDED, self._ended)
            self._under_way.clear()
            self._over.clear()

    def over(self) -> list[str]:
        """Give the keys of statements that have run, each once.

        One that runs another cell is not over before that one is, nor is a coroutine that waits.
        """
        for key, (code, _) in list(self._under_way.items()):
            if code() is None:
                self._note_over(key)
        over, self._over = self._over, []
        return over

    def _note_over(self, key: str) -> None:
        if self._under_way.pop(key, None) is not None:
            self._over.append(key)

    def _watch_run(self, running: FunctionType) -> None:
        for each in running.__code__.co_consts:
            if isinstance(each, CodeType) and _takes(each, _EXECFILE_TAKES):
                self._given.give_inside(running, each, _EXECFILE, _prepared=self._executed)
                return
        # Before IPython 9.
        found = getattr(sys.modules.get("IPython.utils.py3compat"), "execfile", None)
        if type(found) is FunctionType and _takes(found.__code__, _EXECFILE_TAKES):
            self._given.give(found, _EXECFILE, _prepared=self._executed)

    def _compiled(self, compiler: object, code: CodeType) -> CodeType:
        # Cells that share no `from __future__` with the others have a compiler of their own.
        if not self._is_open or type(compiler) is not type(self._shell.compile):
            return code
        caller = sys._getframe(2)  # noqa: SLF001 - it is who executes the code
        is_timed = code.co_filename == _TIMED
        text = caller.f_locals.get(_TEXT_OF_TIMED) if is_timed else None
        return self._prepared(code, partial(_source, code, text), id(caller))

    def _executed(self, code: CodeType, namespace: dict[str, object]) -> CodeType:
        module = self.module
        if not self._is_open or module is None or namespace.get("__name__") != name_of(module):
            return code
        if any(statement() is code for statement, _ in self._under_way.values()):
            return code  # the shell's own compiler made it
        executing = sys._getframe(1)  # noqa: SLF001 - as above
        return self._prepared(code, partial(_source, code, None), id(executing))

    def _prepared(self, code: CodeType, read: Read, executor: int) -> CodeType:
        try:
            # Who executes one statement has executed the one before.
            for key, (_, other) in list(self._under_way.items()):
                if other == executor:
                    self._note_over(key)
            key = f"cell statement {next(self._numbers)}"
            whole = self._prepare(key, code, read)
            if whole is not code:
                self._under_way[key] = weakref.ref(whole), executor
        except Exception:
            _logger.exception("code of %s is not instrumented before it runs", code.co_filename)
            return code
        return whole

    def _ended(self) -> None:
        try:
            self._ran()
        except Exception:
            _logger.exception("what a cell has defined is not instrumented: its hook failed")


def _takes(code: CodeType, names: tuple[str, ...]) -> bool:
    """Whether code is of a function with these arguments: one that takes others is another one."""
    return code.co_varnames[: len(names)] == names and not code.co_freevars


def _source(code: CodeType, text: object) -> str | None:
    return text if isinstance(text, str) else source_of(code, {})
