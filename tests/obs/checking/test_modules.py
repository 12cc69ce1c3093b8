"""Where modules are found, compared with what Python's own import finds."""

from __future__ import annotations

import os.path
import subprocess
import sys
from importlib.machinery import PathFinder

import pytest

from ancestry_obs.checking.modules import Finder, python_path


@pytest.fixture
def tree(write):
    files = {
        "shop/cart.py": "",
        "shop/deep/down/below.py": "",
        "alone.py": "",
        "both.py": "",
        "both/inner.py": "",
    }
    folder = write(files)
    (folder / "space/more").mkdir(parents=True)
    (folder / "space/more/leaf.py").touch()
    (folder / "shop/data/templates").mkdir(parents=True)
    (folder / "shop/data/templates/page.html").touch()
    (folder / "shop/plugins").mkdir()
    (folder / "shop/plugins/one.py").touch()
    return folder


def test_the_paths_of_the_system_are_a_module_of_another_name():
    finder = Finder([*sys.path])
    assert finder.find("os.path").path == os.path.__file__
    assert finder.find("os.paths") is None


@pytest.mark.parametrize(
    "name", ["alone", "both", "shop", "space", "absent", "math", "json", "sys", "xml"]
)
def test_a_top_level_module_is_found_as_python_finds_it(tree, name):
    found = Finder([str(tree), *sys.path]).find(name)
    spec = PathFinder.find_spec(name, [str(tree), *sys.path])
    if name == "sys":
        assert found.kind == "builtin"
    elif spec is None:
        assert found is None
    elif spec.origin is None:
        assert (found.kind, list(found.folders)) == (
            "namespace",
            list(spec.submodule_search_locations),
        )
    else:
        assert found.path == spec.origin


def test_what_is_below_a_package(tree):
    finder = Finder([str(tree)])
    names = [each.name for each in finder.submodules(finder.find("shop"))]
    # A folder without modules is no package, one without an `__init__` may be.
    assert names == [
        "shop.cart", "shop.deep", "shop.deep.down", "shop.deep.down.below",
        "shop.plugins", "shop.plugins.one",
    ]  # fmt: skip
    assert finder.find("space.more.leaf").kind == "source"


def test_a_link_to_a_folder_above_ends(tree):
    (tree / "shop/again").symlink_to(tree / "shop")
    finder = Finder([str(tree)])
    assert len(list(finder.submodules(finder.find("shop")))) < 1000


def test_the_working_folder_and_src_beside_a_pyproject(tree, monkeypatch):
    (tree / "src").mkdir()
    monkeypatch.chdir(tree)
    assert str(tree / "src") not in python_path()
    (tree / "pyproject.toml").touch()
    assert python_path()[:2] == (str(tree), str(tree / "src"))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("shpo", "looked in ."),
        ("shop.crat", "looked in shop"),
        ("alone.x", "'alone' is no package"),
    ],
)
def test_where_was_looked(tree, monkeypatch, name, told):
    monkeypatch.chdir(tree)
    assert Finder([str(tree)]).where(name) == told


def test_the_standard_library_is_only_counted(tree, monkeypatch):
    monkeypatch.chdir(tree)
    standard = [sys.base_prefix + "/lib", sys.base_prefix + "/lib/more"]
    told = Finder([str(tree), *standard]).where("shpo")
    assert told == "looked in . and 2 more of Python's path"


@pytest.mark.parametrize(
    ("name", "near"),
    [("shpo", "shop"), ("shop.crat", "shop.cart"), ("shpo.cart", "shop.cart"), ("zzz", "")],
)
def test_the_nearest_name(tree, name, near):
    assert Finder([str(tree)]).nearest(name) == near


def test_an_editable_install_of_setuptools_is_read(write):
    folder = write({"elsewhere/kept/__init__.py": "", "elsewhere/kept/part.py": ""})
    site = folder / "site"
    site.mkdir()
    target = {"kept": str(folder / "elsewhere/kept")}
    text = f"import sys\nMAPPING: dict[str, str] = {target!r}\nraise SystemExit(3)\n"
    (site / "__editable___kept_1_0_finder.py").write_text(text)
    found = Finder([str(site)])
    assert found.find("kept.part").path == str(folder / "elsewhere/kept/part.py")
    assert found.nearest("kepd") == "kept"


@pytest.mark.parametrize("mapping", ["MAPPING = {1 + x: 2}", "MAPPING = {'a': 1}", "MAPPING = ("])
def test_an_editable_install_that_cannot_be_read_is_passed_by(write, mapping):
    folder = write({"__editable___odd_finder.py": mapping}, packages=False)
    assert Finder([str(folder)]).find("a") is None


def test_a_path_file_is_followed(write, tmp_path):
    folder = write({"elsewhere/kept.py": "", "site/kept.pth": f"{tmp_path}/elsewhere\n"})
    code = (
        f"import site; site.addsitedir({str(folder / 'site')!r})\n"
        "from ancestry_obs.checking.modules import Finder, python_path\n"
        "print(Finder(python_path()).find('kept').path)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == str(folder / "elsewhere/kept.py")
