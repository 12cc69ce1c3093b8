"""Each target of the platform's map, renamed or moved in a copy of its sources, is mended."""

from __future__ import annotations

import ast
import re
import shutil
import sys
from functools import partial
from pathlib import Path

import pytest

from ancestry_obs.checking.checker import Checker
from ancestry_obs.checking.history import History
from ancestry_obs.checking.modules import Finder
from ancestry_obs.checking.program import Program
from ancestry_obs.checking.repair import renamed
from ancestry_obs.checking.survey import places_of
from ancestry_obs.mapfile import load, load_text

SOURCES = Path(__file__).parents[3] / "src"
MAP = SOURCES / "ancestry_obs/maps/ancestry.toml"
TARGETS = [each.text for each in places_of(load(MAP))]
# What it is called when it is called something else altogether.
WORDS = ("carry_out", "Steward", "perform_step", "Overseer")


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """Let git take as long as it does: on a busy machine a dozen versions may take seconds."""
    read = partial(History, clock=lambda: 0.0)
    monkeypatch.setattr("ancestry_obs.checking.checker.History", read)


@pytest.fixture
def platform(tmp_path):
    """A copy of the platform's sources."""
    shutil.copytree(SOURCES / "ancestry_core", tmp_path / "ancestry_core")
    return tmp_path


def path_of(folder, target):
    return folder / (target.partition(":")[0].replace(".", "/") + ".py")


def rename(folder, target, new):
    """Rename a function or class wherever the platform names it; give its new target."""
    old = target.rpartition(".")[2].rpartition(":")[2]
    if old == "__init__":  # its class is renamed
        old = target.rpartition(".")[0].rpartition(":")[2]
    for path in folder.rglob("*.py"):
        text = path.read_text("utf-8")
        path.write_text(re.sub(rf"(?<![\w\"'-]){re.escape(old)}\b(?!['\"])", new, text), "utf-8")
    return re.sub(rf"\b{re.escape(old)}\b", new, target.partition(":")[2])


def move(folder, target, module):
    """Move the class of a target, or the function, to a new module; give its new target."""
    path = path_of(folder, target)
    text = path.read_text("utf-8")
    lines = text.split("\n")
    name = target.partition(":")[2].partition(".")[0]
    (node,) = [each for each in ast.parse(text).body if getattr(each, "name", "") == name]
    first = min([node.lineno, *(each.lineno for each in node.decorator_list)]) - 1
    taken = lines[first : node.end_lineno]
    imports = [
        ast.unparse(e) for e in ast.parse(text).body if isinstance(e, ast.Import | ast.ImportFrom)
    ]
    del lines[first : node.end_lineno]
    path.write_text("\n".join(lines), "utf-8")
    new = folder / (module.replace(".", "/") + ".py")
    head = ["from __future__ import annotations", *(e for e in imports if "__future__" not in e)]
    new.write_text("\n".join([*head, "", *taken, ""]), "utf-8")
    return f"{module}:{target.partition(':')[2]}"


def check(folder, text):
    checker = Checker(Program(Finder([str(folder), *sys.path])))
    return checker.check(load_text(text, "ancestry.toml"))


def mended(folder, text):
    """Check, mend and check again; give what was found, the new names, and what is left."""
    verdict = check(folder, text)
    again = check(folder, renamed(text, verdict.renames))
    return verdict, again


def test_nothing_is_wrong_with_the_platforms_map(platform):
    verdict = check(platform, MAP.read_text("utf-8"))
    assert (verdict.findings, verdict.doubts, verdict.renames) == ([], [], {})


CHANGES = {
    "a letter more": lambda name: f"{name}s",
    "a letter less": lambda name: name[:-1],
    "another word": lambda name: WORDS[1] if name[:1].isupper() else WORDS[0],
    "a word in front": lambda name: f"New{name}" if name[:1].isupper() else f"do_{name.strip('_')}",
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("target", TARGETS)
def test_a_renamed_target_is_found_named_and_mended(platform, commit, target, change):
    commit(platform)
    name = target.rpartition(":")[2].removesuffix(".__init__").rpartition(".")[2]
    qualname = rename(platform, target, CHANGES[change](name))
    verdict, again = mended(platform, MAP.read_text("utf-8"))
    assert verdict.findings
    assert verdict.renames.get(target) == f"{target.partition(':')[0]}:{qualname}"
    assert again.findings == []


@pytest.mark.parametrize("change", ["a letter more", "a letter less"])
@pytest.mark.parametrize("target", TARGETS)
def test_without_a_repository_a_misspelling_is_named_too(platform, target, change):
    name = target.rpartition(":")[2].removesuffix(".__init__").rpartition(".")[2]
    qualname = rename(platform, target, CHANGES[change](name))
    verdict, again = mended(platform, MAP.read_text("utf-8"))
    assert verdict.renames.get(target) == f"{target.partition(':')[0]}:{qualname}"
    assert again.findings == []


@pytest.mark.parametrize("has_history", [True, False])
@pytest.mark.parametrize("target", TARGETS)
def test_a_moved_target_is_found_named_and_mended(platform, commit, target, has_history):
    if has_history:
        commit(platform)
    new = move(platform, target, "ancestry_core.actions.elsewhere")
    verdict, again = mended(platform, MAP.read_text("utf-8"))
    assert verdict.findings
    assert verdict.renames.get(target) == new
    assert again.findings == []


def test_all_at_once_renamed_and_moved(platform, commit):
    commit(platform)
    expected = {}
    for number, target in enumerate(TARGETS):
        name = target.rpartition(":")[2].rpartition(".")[2]
        if name == "__init__" or "." not in target.partition(":")[2]:
            continue
        qualname = rename(platform, target, f"{name}_{number}x")
        expected[target] = f"{target.partition(':')[0]}:{qualname}"
    for target in list(expected):
        path = path_of(platform, target)
        if path.exists():
            path.rename(path.with_name(f"moved_{path.name}"))
        head, _, last = expected[target].partition(":")[0].rpartition(".")
        expected[target] = f"{head}.moved_{last}:{expected[target].partition(':')[2]}"
    verdict, again = mended(platform, MAP.read_text("utf-8"))
    hits = sum(verdict.renames.get(target) == new for target, new in expected.items())
    assert len(verdict.findings) >= len(expected)
    assert hits >= 0.95 * len(expected)
    assert again.findings == []


def test_a_version_before_the_last_one_has_it(platform, commit):
    commit(platform)
    target = "ancestry_core.rate_limiter:RateLimiter.wait"
    rename(platform, target, "carry_out")
    commit(platform)
    verdict, again = mended(platform, MAP.read_text("utf-8"))
    assert verdict.renames == {target: "ancestry_core.rate_limiter:RateLimiter.carry_out"}
    assert again.findings == []


def test_what_two_names_are_as_likely_for_is_not_written(tmp_path):
    (tmp_path / "shop.py").write_text("def price_a(): ...\ndef price_b(): ...\n")
    text = (
        'version = 1\n[metrics.n_total]\ntype = "counter"\nhelp = "x"\n'
        '[[instrument]]\ntarget = "shop:price"\nrecord = [{ metric = "n_total" }]\n'
    )
    verdict = check(tmp_path, text)
    assert verdict.renames == {}
    assert "did you mean 'shop:price_a'?" in str(verdict.findings[0])


ONE = (
    'version = 1\n[metrics.n_total]\ntype = "counter"\nhelp = "x"\n'
    '[[instrument]]\ntarget = {}\nrecord = [{{ metric = "n_total" }}]\n'
)
TWINS = """
class Importer:
    def run(self, x):
        return x + 1
class Exporter:
    def run(self, x):
        return x + 1
"""


@pytest.mark.parametrize("other", ["work.py", "beside/other.py"])
def test_what_was_there_before_beside_it_is_no_new_name(write, commit, other):
    without = TWINS[TWINS.index("class Exporter") :]
    folder = write({"beside/work.py": TWINS, f"beside/{other.rpartition('/')[2]}": TWINS})
    commit(folder)
    (folder / "beside/work.py").write_text(without if other == "work.py" else "")
    verdict = check(folder, ONE.format('"beside.work:Importer.run"'))
    assert (len(verdict.findings), verdict.renames) == (1, {})


def test_what_was_moved_and_committed_is_found(write, commit):
    folder = write({"pkg/work.py": TWINS[: TWINS.index("class Exporter")]})
    commit(folder)
    (folder / "pkg/work.py").rename(folder / "pkg/other.py")
    (folder / "pkg/work.py").write_text("")
    commit(folder)
    verdict = check(folder, ONE.format('"pkg.work:Importer.run"'))
    assert verdict.renames == {"pkg.work:Importer.run": "pkg.other:Importer.run"}


def test_a_name_that_may_be_in_older_versions_is_not_taken_for_misspelt(write, commit):
    folder = write({"work.py": "def load_item(): ...\ndef load_items(): ...\n"})
    commit(folder)
    for number in range(8):
        (folder / "work.py").write_text(f"def load_items(): ...\nNUMBER = {number}\n")
        commit(folder)
    verdict = check(folder, ONE.format('"work:load_item"'))
    assert verdict.renames == {}
    assert verdict.findings[0].remedy == "did you mean 'work:load_items'?"
    # One that nobody has deleted is misspelt.
    whole = write({"other.py": "def save_items(): ...\n"})
    commit(whole)
    assert check(whole, ONE.format('"other:save_item"')).renames


DELETED = """
def gone(x): return x
del gone
class E:
    def gone(self): ...
    del gone
class M:
    def __len__(self): return 1
def deco(f): ...
class Node:
    def walk(self): ...
"""


@pytest.mark.parametrize("target", ["gone", "E.gone", "M.*", "Node.wlk*", "deco.*"])
def test_nothing_is_its_own_new_name_nor_what_leads_nowhere(tmp_path, target):
    (tmp_path / "shop.py").write_text(DELETED)
    verdict = check(tmp_path, ONE.format(f'"shop:{target}"'))
    assert verdict.renames == {}
    assert not {f"did you mean 'shop:{each}'?" for each in (target, "deco.wlk*")} & {
        each.remedy for each in verdict.findings
    }


def test_each_of_a_list_is_told_apart_and_has_each_name_once(tmp_path):
    (tmp_path / "shop.py").write_text("def save_all(): ...\ndef load_all(): ...\n")
    names = '["shop:save_all", "shop:save_al", "shop:load_al", "shop:load_alll", "no.such:x"]'
    verdict = check(tmp_path, ONE.format(names))
    assert verdict.renames == {"shop:load_al": "shop:load_all"}
    assert [each.where.key for each in verdict.findings] == [
        f"instrument[0].target[{number}]" for number in range(1, 5)
    ]


def test_only_targets_are_mended():
    text = """
version = 1
"shop:prise" = 0
[metrics.n_total]
help = "shop:prise"
labels.function = ["shop:prise", "other"]
[[instrument]]
name = "shop:prise"
target = ['shop:prise', "shop:*", '''shop:prise'''] # "shop:prise"
record = [{ metric = "n_total", labels = { function = "'shop:prise'", target = "shop:prise" } }]
[[sample]]
target = "shop:prise"
"""
    targets = ("target = ['shop:prise'", "'''shop:prise'''] #", 'target = "shop:prise"\n')
    expected = text
    for each in targets:
        assert text.count(each) == 1
        expected = expected.replace(each, each.replace("prise", "price"))
    assert renamed(text, {"shop:prise": "shop:price"}) == expected
    assert renamed(text, {"shop:other": "shop:price"}) == text


def test_git_that_takes_too_long_is_done_without(platform, commit):

    commit(platform)
    ticks = iter(range(0, 100, 2))
    history = History(Finder([str(platform)]), seconds=3.0, clock=lambda: next(ticks))
    assert len(list(history.versions("ancestry_core.rate_limiter"))) == 1
    assert list(history.versions("ancestry_core.api_manager")) == []
