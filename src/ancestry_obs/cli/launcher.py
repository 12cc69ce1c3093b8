"""A program's file or module name comes in; the program runs as `__main__`, as `python` runs it.

`python -m pkg.mod` executes `pkg.mod` under the name `__main__`, so a target `pkg.mod:f` would
name a second copy that nobody calls. Therefore the program's top-level statements are executed one
at a time, and after each one `weave_main(main_module, "pkg.mod")` lets the patcher weave what has
just been defined: a target is woven before the statement that first calls it.

What the program sees is left as it would be: argv, `sys.path[0]`, `__main__`, `__file__`,
`__spec__`, exit code, signals, and tracebacks without a frame of ours. This module knows nothing
of maps or metrics.
"""

from __future__ import annotations
import __future__

import ast
import importlib.machinery
import importlib.util
import io
import operator
import os
import sys
import warnings
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING

from ancestry_obs.exceptions import LaunchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import CodeType

    WeaveMain = Callable[[ModuleType, str], None]

# A `from __future__` import applies to all statements after it.
_FUTURE_FLAGS = reduce(
    operator.or_,
    (getattr(__future__, name).compiler_flag for name in __future__.all_feature_names),
)
_OWN_FILES = frozenset({__file__, ast.__file__})


@dataclass(frozen=True, slots=True)
class Program:
    """What is to be run.

    Args:
        name: the module name that targets use for it: `pkg.mod`, or a script's stem.
        argv0: what the program finds in `sys.argv[0]`.
        file: the source file's absolute path.
        path_entry: what `python` would put first on `sys.path`.
        spec: the module's import spec for `-m`, None for a script (as `python` has it).
    """

    name: str
    argv0: str
    file: str
    path_entry: str
    spec: importlib.machinery.ModuleSpec | None


def find_script(script: str) -> Program:
    """Locate a program given by its file name.

    Args:
        script: path of a Python source file.

    Raises:
        LaunchError: there is no such file, or it is a folder or archive.
    """
    path = Path(script)
    if path.is_dir():
        msg = f"{script}: is a folder; name the file in it, or use `-m` with a package"
        raise LaunchError(msg)
    if not path.is_file():
        msg = f"{script}: no such file; give the program's path after `--`, or `-m module`"
        raise LaunchError(msg)
    folder = os.fspath(path.resolve().parent)
    return Program(path.stem, script, os.fspath(path.absolute()), folder, None)


def find_module(name: str) -> Program:
    """Locate a program given by its module name, as `python -m` does.

    Args:
        name: dotted module name; a package stands for its `__main__`.

    Raises:
        LaunchError: it cannot be found or has no Python source.
    """
    sys.path.insert(0, str(Path.cwd()))
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            name = f"{name}.__main__"
            spec = importlib.util.find_spec(name)
    except (ImportError, ValueError) as error:
        msg = f"-m {name}: {error}; is its package installed for {sys.executable}?"
        raise LaunchError(msg) from error
    finally:
        del sys.path[0]
    if spec is None or not isinstance(spec.loader, importlib.machinery.SourceFileLoader):
        msg = f"-m {name}: no module of that name with Python source; is it installed?"
        raise LaunchError(msg)
    if name in sys.modules:
        # The interpreter warns too: the two copies share nothing.
        msg = f"{name!r} was imported by its own package, and now runs once more as __main__"
        warnings.warn(msg, RuntimeWarning, stacklevel=2)
    file = spec.loader.path
    return Program(name, file, file, str(Path.cwd()), spec)


def run(program: Program, arguments: Sequence[str], weave_main: WeaveMain) -> None:
    """Run the program to its end in this process.

    Args:
        program: what `find_script` or `find_module` found.
        arguments: the program's own arguments, without its name.
        weave_main: called with the main module and its importable name after each statement.

    Raises:
        BaseException: whatever the program raises, `SystemExit` included.
    """
    main = _main_module(program)
    sys.argv = [program.argv0, *arguments]
    if not sys.flags.safe_path:
        # What stands there is the folder of our own command.
        sys.path[0] = program.path_entry
    sys.modules["__main__"] = main
    try:
        for code in _statements(program.file):
            exec(code, vars(main))  # noqa: S102  running the user's program is the command's purpose
            weave_main(main, program.name)
    except SystemExit:
        raise
    except BaseException as error:
        _hide_own_frames(error)
        raise


def _main_module(program: Program) -> ModuleType:
    main = ModuleType("__main__")
    main.__file__ = program.file
    main.__spec__ = program.spec
    main.__package__ = program.spec.parent if program.spec else None
    main.__loader__ = program.spec.loader if program.spec else _source_loader(program)
    vars(main)["__cached__"] = program.spec.cached if program.spec else None
    vars(main)["__builtins__"] = sys.modules["builtins"]
    vars(main)["__annotations__"] = {}
    return main


def _source_loader(program: Program) -> importlib.machinery.SourceFileLoader:
    return importlib.machinery.SourceFileLoader("__main__", program.file)


def _statements(file: str) -> Iterator[CodeType]:
    """Compile the source one top-level statement at a time."""
    tree = ast.parse(_source(file), filename=file)
    flags = 0
    for index, statement in enumerate(tree.body):
        if index and _is_text(statement):
            continue  # compiled alone, a bare string would become the module's docstring
        part = ast.Module(body=[statement], type_ignores=[])
        code = compile(part, file, "exec", flags=flags, dont_inherit=True)
        flags |= code.co_flags & _FUTURE_FLAGS
        yield code


def _source(file: str) -> bytes:
    with io.open_code(file) as stream:
        return stream.read()


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _hide_own_frames(error: BaseException) -> None:
    """Let the interpreter show and end as it does, but without the frames below the program's.

    They are added as the exception goes up, so that only the hook, at the end of its way, can take
    them out again.
    """
    hook, trimmed = sys.excepthook, _without_own_frames(error.__traceback__)

    def show(kind: type[BaseException], value: BaseException, _: TracebackType | None) -> None:
        sys.excepthook = hook
        hook(kind, value.with_traceback(trimmed), trimmed)

    sys.excepthook = show


def _without_own_frames(traceback: TracebackType | None) -> TracebackType | None:
    while traceback is not None and traceback.tb_frame.f_code.co_filename in _OWN_FILES:
        traceback = traceback.tb_next
    return traceback
