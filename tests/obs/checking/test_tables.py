"""What is kept from one run to the next, and that nothing is taken for what it is not."""

from __future__ import annotations

import marshal
import os
import shutil

import pytest

from ancestry_obs.checking import tables
from ancestry_obs.checking.answers import AnswerCache
from ancestry_obs.checking.checker import Checker
from ancestry_obs.checking.modules import Finder
from ancestry_obs.checking.program import Program
from ancestry_obs.checking.tables import TableCache
from ancestry_obs.mapfile import load_text

MAP = (
    'version = 1\n[metrics.n_total]\ntype = "counter"\nhelp = "x"\n[[instrument]]\n'
    'target = "shop:price"\nrecord = [{ metric = "n_total" }]\n'
)


@pytest.fixture
def shop(write):
    return write({"shop.py": "def price(): ...\n"})


@pytest.fixture
def read(shop, monkeypatch):
    """Check anew, as another process would; gives the findings and how many sources were read."""

    def check(answers=None):
        count = []
        monkeypatch.setattr(tables, "table_of", lambda text: count.append(1) or original(text))
        cache = TableCache(shop / "cache")
        checker = Checker(Program(Finder([str(shop)]), cache), AnswerCache(answers))
        verdict = checker.check(load_text(MAP, "a.toml"))
        checker.save()
        return [each.message for each in verdict.findings], len(count)

    original = tables.table_of
    return check


def test_a_source_that_is_unchanged_is_not_read_again(read):
    assert [read(), read()] == [([], 1), ([], 0)]


def test_a_source_that_has_changed_is(shop, read):
    read()
    (shop / "shop.py").write_text("def prices(): ...\n")
    assert read() == (["'shop' has no 'price'"], 1)


@pytest.mark.parametrize("answers", [None, "answers"])
def test_a_source_of_the_same_size_and_time_is_read_too(shop, read, answers):
    folder = answers and shop / answers
    path, kept = shop / "shop.py", shop / "kept.py"
    read(folder)
    shutil.copy2(path, kept)
    path.write_text("def prise(): ...\n")
    os.utime(path, ns=(kept.stat().st_atime_ns, kept.stat().st_mtime_ns))
    assert path.stat().st_mtime_ns == kept.stat().st_mtime_ns
    assert read(folder) == (["'shop' has no 'price'"], 1)


@pytest.mark.parametrize("data", [b"", b"nonsense", marshal.dumps([1]), marshal.dumps({"a": 1})])
def test_a_cache_that_is_damaged_is_as_good_as_none(shop, read, data):
    read()
    for path in (shop / "cache").iterdir():
        path.write_bytes(data)
    assert read() == ([], 1)


def test_a_table_that_is_damaged_is_read_anew(shop, read):
    read()
    (path,) = (shop / "cache").iterdir()
    whole = marshal.loads(path.read_bytes())
    kept = {name: (stamp, table[:-9]) for name, (stamp, table) in whole.items()}
    path.write_bytes(marshal.dumps(kept))
    assert read() == ([], 1)


def test_a_cache_that_cannot_be_written_is_done_without(shop, read):
    (shop / "cache").write_text("a file")
    assert [read(), read()] == [([], 1), ([], 1)]


def test_there_are_never_more_than_so_many_files(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "_MOST_FILES", 3)
    for number in range(6):
        (tmp_path / str(number)).touch()
        os.utime(tmp_path / str(number), (number, number))
    tables.clear(tmp_path)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["3", "4", "5"]


def test_an_answer_is_given_again_while_all_is_as_it_was(shop, read):
    answers = shop / "answers"
    first, again = read(answers), read(answers)
    (path,) = answers.iterdir()
    stamps, answer = marshal.loads(path.read_bytes())
    path.write_bytes(marshal.dumps((stamps, ([("kept", ("a.toml", 1, ""), "")], [], []))))
    assert (first, again, read(answers)[0]) == (([], 1), ([], 0), ["kept"])
    assert answer[0] == []


@pytest.mark.parametrize("change", ["another text", "gone", "a package in front"])
def test_an_answer_is_not_given_where_something_has_changed(shop, read, change):
    answers = shop / "answers"
    read(answers)
    if change == "another text":
        (shop / "shop.py").write_text("def prices(): ...\n")
    elif change == "gone":
        (shop / "shop.py").unlink()
    else:
        (shop / "shop").mkdir()
        (shop / "shop/__init__.py").touch()
    assert len(read(answers)[0]) == 1


@pytest.mark.parametrize("data", [b"", b"x", marshal.dumps(1), marshal.dumps(([], []))])
def test_an_answer_that_is_damaged_is_none(shop, read, data):
    answers = shop / "answers"
    read(answers)
    for path in answers.iterdir():
        path.write_bytes(data)
    assert read(answers)[0] == []
