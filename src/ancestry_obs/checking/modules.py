"""A module's dotted name -> its file, found as Python's import finds it, without importing.

Looked up in the working folder, in `src/` beside its `pyproject.toml`, in Python's own path, and in
what the finders of setuptools' editable installs map names to. Folders are read once.
"""

from __future__ import annotations

import ast
import os
import sys
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from importlib.machinery import BYTECODE_SUFFIXES, EXTENSION_SUFFIXES
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Finder", "ModuleFile", "program_folders", "python_path"]

Kind = Literal["source", "namespace", "compiled", "builtin"]

# A link that leads to a folder above itself would never end.
_DEEPEST: Final = 20
_MOST_FOLDERS_TOLD: Final = 3
_EDITABLE: Final = "__editable__"
# A module of another name, which `os` puts there though it is no package.
_PATHS: Final = "os.path"


@dataclass(frozen=True, slots=True)
class ModuleFile:
    """Where a module is.

    Args:
        name: Its dotted name.
        kind: Whether it has Python source, is a package without a file of its own, is compiled, or
            is part of the interpreter.
        path: Its file; empty for what has none.
        folders: Where its submodules are; empty unless it is a package.
        root: The folder of the path that it was found in.
    """

    name: str
    kind: Kind
    path: str = ""
    folders: tuple[str, ...] = ()
    root: str = ""

    @property
    def is_initial(self) -> bool:
        """Whether it is the file of a package, to which its relative imports are relative."""
        return bool(self.folders)

    @property
    def package(self) -> str:
        """The package that one dot of a relative import means."""
        return self.name if self.is_initial else self.name.rpartition(".")[0]


def program_folders(folder: Path | None = None) -> list[str]:
    """Give a program's own folders: where it is, and `src/` beside its `pyproject.toml`.

    Args:
        folder: Where it is; the working folder if `None`.
    """
    here = folder or Path.cwd()
    own = [here, here / "src"] if (here / "pyproject.toml").is_file() else [here]
    return [str(each) for each in own if each.is_dir()]


def python_path(folder: Path | None = None) -> tuple[str, ...]:
    """Give the folders in which this interpreter would look for a program's modules.

    Args:
        folder: Where the program is; the working folder if `None`.
    """
    paths = program_folders(folder)
    # The first entry is the folder of the script that runs, which is ours.
    paths += [os.path.abspath(each or ".") for each in sys.path]  # noqa: PTH100 - links stay
    return tuple(dict.fromkeys(path for path in paths if os.path.isdir(path)))  # noqa: PTH112 - text


@dataclass
class Finder:
    """Finds modules.

    Args:
        path: The folders to look in, in this order.
    """

    path: Sequence[str]
    _listings: dict[str, frozenset[str]] = field(default_factory=dict)
    _found: dict[str, ModuleFile | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._editable = dict(self._editables())

    def find(self, name: str) -> ModuleFile | None:
        """Find a module; `None` if there is none of that name."""
        if name not in self._found:
            self._found[name] = self._find(name)
        return self._found[name]

    def submodules(self, package: ModuleFile, depth: int = 0) -> Iterator[ModuleFile]:
        """Yield every module below a package, packages before what is in them."""
        names = {each for folder in package.folders for each in self._modules_in(folder)}
        for name in sorted(names):
            found = self.find(f"{package.name}.{name}")
            if found is None or (found.kind == "namespace" and not self._has_modules(found)):
                continue
            yield found
            if found.folders and depth < _DEEPEST:
                yield from self.submodules(found, depth + 1)

    @property
    def folders(self) -> list[str]:
        """The folders in which names were looked up."""
        return [*self._listings]

    def where(self, name: str) -> str:
        """Tell where a module that is not there was looked for, in few words."""
        package = self.find(name.rpartition(".")[0]) if "." in name else None
        # A folder may be on the path twice, and under two names.
        folders = [*dict.fromkeys(map(_short, package.folders if package else self.path))]
        if package is not None and not package.folders:
            return f"{package.name!r} is no package"
        # What is installed matters more than the standard library.
        told = [each for each in folders if not _is_standard(each)][:_MOST_FOLDERS_TOLD]
        more = len(folders) - len(told)
        return f"looked in {', '.join(told)}" + (f" and {more} more of Python's path" * bool(more))

    def nearest(self, name: str) -> str:
        """Give the module that there is, and whose name is the nearest; empty if none is near."""
        above, _, last = name.rpartition(".")
        package = self.find(above) if above else None
        if above and package is None:
            nearer = self.nearest(above)
            there = f"{nearer}.{last}"
            return (there if self.find(there) else nearer) if nearer else ""
        folders = package.folders if package else self.path
        known = sorted({each for folder in folders for each in self._modules_in(folder)})
        near = get_close_matches(last, [*known, *([] if above else self._editable)], n=1)
        return f"{above}.{near[0]}".lstrip(".") if near else ""

    def missing(self, name: str) -> str:
        """Give the part of a dotted name that is not there: ``shop.no`` of ``shop.no.such``."""
        parts = name.split(".")
        names = (".".join(parts[:end]) for end in range(1, len(parts) + 1))
        return next((each for each in names if self.find(each) is None), name)

    def _find(self, name: str) -> ModuleFile | None:
        above, _, last = name.rpartition(".")
        if not last.isidentifier():
            return None
        if name == _PATHS:
            path = self.find(os.path.__name__)
            return path and replace(path, name=name)
        if above:
            package = self.find(above)
            folders: Sequence[str] = package.folders if package else ()
            root = package.root if package else ""
            return self._in_folders(name, last, folders, root)
        if last in sys.builtin_module_names:
            return ModuleFile(name, "builtin")
        return self._in_folders(name, last, self.path, "") or self._mapped(name)

    def _in_folders(
        self, name: str, last: str, folders: Sequence[str], root: str
    ) -> ModuleFile | None:
        portions: list[str] = []
        for folder in folders:
            listing = self._listing(folder)
            inner = os.path.join(folder, last)  # noqa: PTH118 - many of them, and text is enough
            if last in listing:
                if "__init__.py" in self._listing(inner):
                    path = os.path.join(inner, "__init__.py")  # noqa: PTH118 - the same
                    return ModuleFile(name, "source", path, (inner,), root or folder)
                if os.path.isdir(inner):  # noqa: PTH112 - the same
                    portions.append(inner)
            for suffix in (*EXTENSION_SUFFIXES, ".py", *BYTECODE_SUFFIXES):
                if last + suffix in listing:
                    kind: Kind = "source" if suffix == ".py" else "compiled"
                    return ModuleFile(name, kind, inner + suffix, (), root or folder)
        if portions:
            return ModuleFile(name, "namespace", "", tuple(portions), root or portions[0])
        return None

    def _mapped(self, name: str) -> ModuleFile | None:
        """Find a top-level module by an editable install; see `_editables`."""
        target = self._editable.get(name)
        if target is None:
            return None
        folder, last = os.path.split(target)
        if last != name and not os.path.isdir(target):  # noqa: PTH112 - text
            return None
        if "__init__.py" in self._listing(target):
            path = os.path.join(target, "__init__.py")  # noqa: PTH118 - text
            return ModuleFile(name, "source", path, (target,), folder)
        if os.path.isdir(target):  # noqa: PTH112 - text
            return ModuleFile(name, "namespace", "", (target,), folder)
        return self._in_folders(name, last, (folder,), folder)

    def _editables(self) -> Iterator[tuple[str, str]]:
        """Read what setuptools' finders map names to: a literal in a file beside the packages."""
        for folder in self.path:
            for name in sorted(self._listing(folder)):
                if name.startswith(_EDITABLE) and name.endswith("_finder.py"):
                    yield from _mapping_in(Path(folder, name))

    def _listing(self, folder: str) -> frozenset[str]:
        if folder not in self._listings:
            try:
                names = frozenset(os.listdir(folder))  # noqa: PTH208 - names alone are wanted
            except OSError:
                names = frozenset()
            self._listings[folder] = names
        return self._listings[folder]

    def _modules_in(self, folder: str) -> Iterator[str]:
        for entry in self._listing(folder):
            name = entry.partition(".")[0]
            # What is no folder has one of the suffixes, or is no module.
            is_module = "." not in entry or entry.endswith((".py", *EXTENSION_SUFFIXES))
            if is_module and name.isidentifier() and name not in {"__init__", "__pycache__"}:
                yield name

    def _has_modules(self, package: ModuleFile, depth: int = 0) -> bool:
        """Whether there is any module in a folder: most folders without an `__init__` are data."""
        return any(
            (found := self.find(f"{package.name}.{name}")) is not None
            and (
                found.kind != "namespace"
                or (depth < _DEEPEST and self._has_modules(found, depth + 1))
            )
            for folder in package.folders
            for name in self._modules_in(folder)
        )


def _mapping_in(file: Path) -> Iterator[tuple[str, str]]:
    try:
        tree = ast.parse(file.read_text("utf-8"))
    except (OSError, SyntaxError, ValueError):
        return
    for node in tree.body:
        match node:
            case ast.AnnAssign(target=ast.Name(id="MAPPING"), value=ast.Dict() as value):
                pass
            case ast.Assign(targets=[ast.Name(id="MAPPING")], value=ast.Dict() as value):
                pass
            case _:
                continue
        try:
            mapping = ast.literal_eval(value)
        except ValueError:
            continue
        yield from ((key, each) for key, each in mapping.items() if isinstance(each, str))


def _short(folder: str) -> str:
    """Write a folder as it is the shortest: relative where it is below the working folder."""
    here = os.getcwd()  # noqa: PTH109 - text
    if folder == here:
        return "."
    return os.path.relpath(folder) if folder.startswith(here + os.sep) else folder


def _is_standard(folder: str) -> bool:
    return folder.startswith((sys.prefix, sys.base_prefix)) and "-packages" not in folder
