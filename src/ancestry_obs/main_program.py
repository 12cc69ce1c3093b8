"""The program's own file, in whichever way Python runs it: woven as its statements define things.

Python executes a main module without importing it, so that no import hook sees it:

- a script by functions of C, unless somebody has an importer for its path: then `runpy` is asked
  to find it there (that is how folders and archives are run). A hook in `sys.path_hooks` accepts
  the one path and hands over a stand-in for `runpy`, and nothing of it is left when the program's
  first statement runs;
- `-m`, folders, archives, and what `multiprocessing` runs again in a child that it starts anew:
  `runpy` executes the code by `exec`, which is looked up in its own module first.

The program sees no frame of ours or of `runpy` that would not be there anyway: what is executed
in another code's place is executed by functions of C.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from importlib.machinery import SourceFileLoader
from operator import methodcaller
from typing import TYPE_CHECKING, Any, Final
from zipimport import ZipImportError, zipimporter

from ancestry_obs import lifecycle
from ancestry_obs.notices import Notices
from ancestry_obs.patcher.main_code import with_looks

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType, ModuleType, TracebackType

__all__ = ["follow"]

_logger = Notices(__name__)
_MAIN: Final = "__main__"
# As `multiprocessing` calls the program's main module in a child that it has started anew.
_NAMES: Final = (_MAIN, "__mp_main__")
_IMPORTABLE: Final = (".py", ".pyw")


def follow(*, watches_end: bool = False) -> None:
    """Weave main modules of this process from now on; the program has not begun yet.

    Args:
        watches_end: whether an exit code other than 0 is told to `lifecycle.mark_failed`. There is
            a frame of ours below the program's then.
    """
    # Python has it built in; a program of one file would do without.
    import runpy  # noqa: PLC0415

    vars(runpy)["exec"] = _Exec()
    if watches_end:
        _watch(runpy)
    path = sys.argv[0] if sys.argv else ""
    if path not in {"", "-", "-c", "-m"} and os.path.isfile(path):  # noqa: PTH113 - as Python asks
        _follow_script(path, watches_end=watches_end)


class _Execution:
    """Code that is executed by a call of C's; calling the object itself does nothing.

    Args:
        code: the code.
        namespace: of its module.
    """

    def __init__(self, code: CodeType, namespace: dict[str, Any]) -> None:
        self.execute = partial(exec, code, namespace)

    # It takes any arguments.
    __call__ = "".format


class _Instead(tuple[_Execution]):
    """Executes what is in it, whatever it is called with, without a frame below that code's.

    To call an object, Python looks up `__call__` in its class. Here that is the largest of the one
    execution inside, by what `execute()` gives; and then Python calls what it has found. Attributes
    would do as well, but an `AttributeError` of the program's would be taken for theirs.
    """

    __slots__ = ()

    __call__ = property(partial(max, key=methodcaller("execute")))


def _instead(code: CodeType, namespace: dict[str, Any]) -> Callable[..., object]:
    execution: Any = _Instead((_Execution(code, namespace),))
    return execution  # type: ignore[no-any-return]  # it can be called


class _Exec:
    """Stands for `exec` in `runpy`: chooses what is executed, and lets C execute it."""

    @property
    def __call__(self) -> Callable[..., object]:
        frame: FrameType = sys._getframe(1)  # noqa: SLF001 - there is no other way to the caller
        try:
            return _chosen(frame.f_locals) or exec
        except Exception:
            _logger.exception("the program's main module is not instrumented before it runs")
            return exec


def _chosen(running: dict[str, Any]) -> Callable[..., object] | None:
    """Choose what is executed by what `runpy._run_code` was called with.

    Args:
        running: its variables.
    """
    if running.get("mod_name") not in _NAMES:
        return None
    code, namespace, spec = running["code"], running["run_globals"], running["mod_spec"]
    path = running["script_name"] if spec is None else spec.origin
    if spec is None:
        name, is_certain = _name_of(path)
    elif spec.name == _MAIN:
        # `__main__.py` of a folder or an archive.
        name, is_certain = _name_of(os.path.dirname(path))[0], False  # noqa: PTH120 - as it is written
    else:
        name, is_certain = spec.name, True
    names = _names(name, code, is_certain=is_certain)
    _look(names, namespace)
    if not any(map(lifecycle.concerns_main, names)):
        return None
    source = _read(path) if spec is None else spec.loader.get_source(spec.name)
    return _instead(_looking(code, source, names), namespace)


def _name_of(path: str) -> tuple[str, bool]:
    """Give the module name of a script, and whether nothing else can be meant by it."""
    stem, extension = os.path.splitext(os.path.basename(path))  # noqa: PTH119, PTH122 - a name, no path
    return stem, extension in _IMPORTABLE


def _names(name: str, code: CodeType, *, is_certain: bool) -> tuple[str, ...]:
    """Give what the map may call the main module.

    A script `flask`, or an archive `app.pyz` with a package `app` in it, has the name only if what
    the map wants of that is defined there.
    """
    return (_MAIN, name) if is_certain or lifecycle.concerns_main(name, code) else (_MAIN,)


def _looking(code: CodeType, source: str | bytes | None, names: tuple[str, ...]) -> CodeType:
    if source is None:
        return code

    def look() -> None:
        try:
            _look(names, sys._getframe(1).f_globals)  # noqa: SLF001 - the module's frame
        except Exception:
            _logger.exception("the program's main module is not instrumented")

    return with_looks(code, source, look)


def _look(names: tuple[str, ...], namespace: dict[str, Any]) -> None:
    module: ModuleType | None = sys.modules.get(namespace["__name__"])
    if module is not None and vars(module) is namespace:
        for name in names:
            lifecycle.weave_main(module, name)


def _read(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123 - as it is written
        return file.read()


def _follow_script(path: str, *, watches_end: bool) -> None:
    name, is_certain = _name_of(path)
    main = sys.modules[_MAIN]
    if is_certain:
        lifecycle.weave_main(main, name)
    is_wanted = watches_end or any(map(lifecycle.concerns_main, (_MAIN, name)))
    if is_wanted and not _is_archive(path):
        sys.path_hooks.append(_Script(path, watches_end=watches_end))  # type: ignore[arg-type]  # Python asks it for nothing else


def _is_archive(path: str) -> bool:
    try:
        zipimporter(path)
    except ZipImportError:
        return False
    return True


class _Script:
    """A hook for the script's path; then the importer for it; then the stand-in for `runpy`.

    Args:
        path: the script as it was named.
        watches_end: see `follow`.
    """

    def __init__(self, path: str, *, watches_end: bool) -> None:
        self._name = path
        self._path = ""
        self._code: CodeType | None = None
        self._watches_end = watches_end
        self._runpy = sys.modules["runpy"]

    def __call__(self, path: str) -> _Script:
        """Accept the script's path, if its source can be compiled: else Python is to say why not.

        Raises:
            ImportError: it is another path, or a script that Python is to run by itself.
        """
        if not self._is_script(path):
            raise ImportError(path)
        sys.path_hooks.remove(self)  # type: ignore[arg-type]  # see where it was put there
        try:
            self._code = self._compiled(path)
        except Exception:  # noqa: BLE001 - Python comes to the same, and says it in its own way
            raise ImportError(path) from None
        self._path = path
        sys.modules["runpy"] = self  # type: ignore[assignment]  # what Python wants of it is there
        return self

    def _is_script(self, path: str) -> bool:
        if os.path.basename(path) != os.path.basename(self._name):  # noqa: PTH119 - asked often
            return False
        return os.path.isabs(path) and os.path.samefile(path, self._name)  # noqa: PTH117, PTH121 - as above

    def _compiled(self, path: str) -> CodeType:
        source = _read(path)
        code: CodeType = compile(source, path, "exec", dont_inherit=True)
        name, is_certain = _name_of(path)
        names = _names(name, code, is_certain=is_certain)
        if not any(map(lifecycle.concerns_main, names)):
            if self._watches_end:
                return code
            raise ImportError(path)
        return _looking(code, source, names)

    @property
    def _run_module_as_main(self) -> Callable[..., object]:
        """What Python looks up and calls: the last moment before the program begins."""
        assert self._code is not None  # noqa: S101 - it has been accepted
        sys.modules["runpy"] = self._runpy
        path = self._path
        # As Python leaves it where it has asked for an importer in vain.
        sys.path_importer_cache[path] = None
        if sys.path[:1] == [path]:
            # Links are followed, as Python does it.
            folder = os.path.dirname(os.path.realpath(path))  # noqa: PTH120 - a path of Python's
            sys.path[:1] = [] if sys.flags.safe_path else [folder]
        namespace = vars(sys.modules[_MAIN])
        namespace["__loader__"] = SourceFileLoader(_MAIN, path)
        namespace["__file__"] = path
        namespace["__cached__"] = None
        run = _instead(self._code, namespace)
        return partial(_watched, run) if self._watches_end else run


def _watch(runpy: ModuleType) -> None:
    """Watch the end of what Python runs by `runpy` as the program."""
    namespace = vars(runpy)
    original = namespace["_run_module_as_main"]

    def begin(*arguments: object) -> object:
        namespace["_run_module_as_main"] = original
        return original(*arguments)

    namespace["_run_module_as_main"] = partial(_watched, begin)


def _watched(run: Callable[..., object], *arguments: object) -> object:
    """Run the program, and note an exit code that says that it failed."""
    try:
        return run(*arguments)
    except SystemExit as end:
        if end.code not in (None, 0):
            lifecycle.mark_failed()
        raise
    except BaseException as error:
        _hide_own_frames(error)
        raise


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
    while traceback is not None and traceback.tb_frame.f_code.co_filename == __file__:
        traceback = traceback.tb_next
    return traceback
