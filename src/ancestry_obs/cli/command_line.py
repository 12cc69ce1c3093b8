"""The words of a command come in; what is to be executed goes out, as a shell would find it.

What Python alone can run goes to the Python that runs this: a script that is no executable, a
folder, an archive, options of Python's such as `-m`. Nothing is imported or executed to find out.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from ancestry_obs.exceptions import LaunchError

__all__ = ["Found", "by_shell", "find", "refusal"]

_SCRIPTS: Final = (".py", ".pyw", ".pyc", ".pyz", ".pyzw", ".zip", ".whl")
_LONGEST_LINE: Final = 512
_SHELL: Final = "/bin/sh"
# Those that a value follows, in the same word or as the next one.
_WITH_VALUE: Final = ("W", "X")
# Those that end the options.
_LAST: Final = ("c", "m")
_IGNORING: Final = {
    "I": "isolates Python from its environment",
    "E": "makes Python ignore its environment",
    "S": "makes Python start without its `site` module",
}


class Found:
    """What is to be executed.

    Args:
        file: its path.
        words: what it is called with, its own name first.
        is_python: whether it is certainly a Python that takes part in the run.
    """

    def __init__(self, file: str, words: list[str], *, is_python: bool) -> None:
        self.file = file
        self.words = words
        self.is_python = is_python


def find(words: list[str]) -> Found:
    """Find what a command means.

    Args:
        words: the command, and its arguments.

    Raises:
        LaunchError: it is not there or cannot be executed, or Python would ignore that it is to be
            measured.
    """
    name, *rest = words
    if name.startswith("-"):
        if words == ["-m"]:
            raise _error("-m: names no module; write '-- -m package.module'")
        return _python(words)
    file = _file(name)
    if os.path.isdir(file):  # noqa: PTH112  each start waits for this
        if not os.path.isfile(os.path.join(file, "__main__.py")):  # noqa: PTH113, PTH118  as above
            raise _error(
                f"{name}: is a folder without __main__.py; name the file in it, or use `-m`"
            )
        return _python([file, *rest])
    interpreter = _interpreter(file)
    is_executable = os.access(file, os.X_OK)
    if file.endswith(_SCRIPTS) and not (is_executable and interpreter):
        return _python([file, *rest])
    if not is_executable:
        raise _error(
            f"{name}: is not executable; allow it by chmod +x, or name what runs it in front"
        )
    if _is_python(name) and not interpreter:
        _refuse_ignoring(name, rest)
        return Found(file, words, is_python=True)
    if interpreter and _is_python(interpreter[0]):
        _refuse_ignoring(f"{name}: {' '.join(interpreter)}", interpreter[1:])
    return Found(file, [file if name == file else name, *rest], is_python=False)


def by_shell(found: Found) -> Found | None:
    """Give how a shell runs what the system does not: a script without a first line `#!`.

    Args:
        found: what has no format that the system knows (ENOEXEC).

    Returns:
        Nothing where it is no text either, such as a program of another machine.
    """
    try:
        is_text = b"\0" not in _first_line(found.file)
    except OSError:
        return None
    words = [_SHELL, found.file, *found.words[1:]]
    return Found(_SHELL, words, is_python=False) if is_text else None


def refusal(file: str, error: OSError) -> LaunchError:
    """Give what to say where something cannot be executed."""
    return _error(f"{file}: cannot be executed: {error.strerror}; is it a program of this machine?")


def _python(words: list[str]) -> Found:
    if words[0].startswith("-"):
        _refuse_ignoring(words[0], words)
    return Found(sys.executable, [sys.executable, *words], is_python=True)


def _file(name: str) -> str:
    """Give a command's file: a script or a path as it is named, all else as a shell finds it."""
    is_there = os.path.exists(name)  # noqa: PTH110  as above
    is_path = os.sep in name or name.endswith(_SCRIPTS)
    if is_there and is_path:
        return name
    for folder in () if os.sep in name else os.get_exec_path():
        path = os.path.join(folder, name)  # noqa: PTH118  as above
        if os.path.isfile(path) and os.access(path, os.X_OK):  # noqa: PTH113  as above
            return path
    if is_there:
        return name
    if is_path:
        raise _error(f"{name}: no such file; give the program's path, or `-m module`")
    raise _error(f"{name}: no such file, nor a command on PATH; is it installed?")


def _interpreter(file: str) -> list[str]:
    """Give the words of a script's first line that names what runs it; none if there is none."""
    try:
        line = _first_line(file)
    except OSError:
        return []
    if not line.startswith(b"#!"):
        return []
    words = os.fsdecode(line[2:]).split()
    if words and os.path.basename(words[0]) == "env":  # noqa: PTH119  as above
        words = [each for each in words[1:] if each != "-S" and "=" not in each]
    return words


def _first_line(file: str) -> bytes:
    with open(file, "rb") as script:  # noqa: PTH123  as above
        return script.read(_LONGEST_LINE).split(b"\n", 1)[0]


def _is_python(name: str) -> bool:
    stem = os.path.basename(name)  # noqa: PTH119  as above
    return stem.startswith("python") and not stem[len("python") :].strip("0123456789.tdw")


def _refuse_ignoring(place: str, words: list[str]) -> None:
    """Refuse options by which Python passes over what starts the measuring.

    Args:
        place: where they stand, for the message.
        words: what Python is called with.

    Raises:
        LaunchError: there is such an option.
    """
    at = 0
    while at < len(words) and words[at].startswith("-") and words[at] != "-":
        letters = words[at][1:]
        at += 1
        if letters.startswith("-"):
            continue
        for index, letter in enumerate(letters):
            if letter in _IGNORING:
                raise _error(
                    f"{place}: the option -{letter} {_IGNORING[letter]}, so that nothing would be "
                    "measured; leave it out, or call ancestry_obs.install() in the program"
                )
            if letter in _LAST:
                return
            if letter in _WITH_VALUE:
                at += index == len(letters) - 1
                break


def _error(message: str) -> LaunchError:
    from ancestry_obs.exceptions import LaunchError  # noqa: PLC0415  each start waits for it

    return LaunchError(message)
