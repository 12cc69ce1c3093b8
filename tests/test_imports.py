"""Who imports whom in the toolkit, imports for types included: import-linter knows layers only."""

from __future__ import annotations

import ast
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src/ancestry_obs"


def name_of(path):
    """Give a module's full name; a package's `__init__` has the package's."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imported(tree, modules):
    """Give the modules that a module's statements name, at its top or anywhere else in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports here are absolute"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield from [each for each in (submodule, node.module) if each in modules][:1]


IMPORTS = {
    name: set(imported(ast.parse(path.read_text("utf-8")), MODULES))
    for name, path in MODULES.items()
}


def cycle_in(imports):
    """Give one cycle, as a path whose end is its beginning; empty where there is none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_no_import_goes_round_in_a_circle():
    assert sum(map(len, IMPORTS.values())) > 200
    assert cycle_in(IMPORTS) == []


def test_no_module_imports_a_package_that_it_is_in():
    assert [
        (name, package)
        for name, packages in IMPORTS.items()
        for package in packages
        if name.startswith(f"{package}.")
    ] == []


def test_no_two_modules_have_one_name():
    names = Counter(path.stem for path in MODULES.values() if path.stem != "__init__")
    assert {name for name, number in names.items() if number > 1} == set()


def test_an_import_for_types_is_seen():
    modules = {"a", "a.b", "a.c"}
    text = "if TYPE_CHECKING:\n    from a.b import X\ndef f():\n    from a import c\n"
    assert set(imported(ast.parse(text), modules)) == {"a.b", "a.c"}
    assert cycle_in({"a.b": {"a.c"}, "a.c": {"a.b"}})
