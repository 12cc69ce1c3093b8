"""IPython: a session that imports, edits and reloads a module, by hand and by `%autoreload`."""

from __future__ import annotations

import pytest

LIB = """
    class Thing:
        def go(self):
            return "old"
        @classmethod
        def make(cls):
            return cls()
        @property
        def size(self):
            return "old"
    def work(times=1):
        return "old" * times
    def stays():
        return "same"
"""
SESSION = """
    import os
    import pathlib

    import lib as imported  # so that the map finds it in either order

    from IPython.core.interactiveshell import InteractiveShell

    FILE = pathlib.Path("lib.py")


    def edit(old, new):
        FILE.write_text(FILE.read_text().replace(old, new))
        # Newer than before, whatever the clock's resolution.
        stamp = FILE.stat().st_mtime_ns + edit.steps * 10**10
        edit.steps += 1
        os.utime(FILE, ns=(stamp, stamp))


    edit.steps = 1


    def cells(shell, *texts):
        seen = []
        for text in texts:
            done = shell.run_cell(text)
            done.raise_error()
            seen.append(done.result)
        return seen


    def start():
        shell = InteractiveShell.instance(history_load_length=0)
        shell.history_manager.enabled = False
        cells(
            shell,
            "import lib",
            "from lib import work, Thing, stays",
            "thing, table = Thing(), {'work': work}",
            "bound = thing.go",
        )
        return shell


    USE = (
        "[work(), table['work'](), thing.go(), bound(), thing.size, Thing.make().go(), stays(),"
        " lib.work(), lib.Thing().go()]"
    )
"""
COUNTS = {
    "lib:work": 3,
    "lib:Thing.go": 4,
    "lib:Thing.size.fget": 1,
    "lib:Thing.make": 1,
    "lib:stays": 1,
}
QUIET = {"IPYTHONDIR": "ipython", "HOME": "."}


def all_words(word):
    return [word] * 6 + ["same"] + [word] * 2


@pytest.fixture
def run_session(run_program):
    def run(main, *targets):
        return run_program(
            SESSION + main, *(targets or COUNTS), files={"lib": LIB}, environment=QUIET
        )

    return run


def times(number):
    return {target: number * count for target, count in COUNTS.items()}


def test_a_session(run_session):
    done = run_session("""
    def main():
        return cells(start(), USE, USE)
""")
    assert done.result == [all_words("old")] * 2
    assert done.calls == times(2)


@pytest.mark.parametrize("mode", ["2", "all", "complete"])
def test_autoreload_after_edits(run_session, mode):
    """Names, instances, tables and bound methods from before have the new code, and are counted.

    IPython compiles a changed function by itself, outside its class and its module's source, and
    puts the code into the function that is there.
    """
    done = run_session(f"""
    def main():
        shell = start()
        cells(shell, "%load_ext autoreload", "%autoreload {mode}")
        seen = cells(shell, USE)
        for old, new in (("old", "new"), ("new", "newest")):
            edit(old, new)
            seen += cells(shell, USE, USE)
        return seen
""")
    new, newest = all_words("new"), all_words("newest")
    assert done.result == [all_words("old"), new, new, newest, newest]
    assert done.calls == times(5)


def test_autoreload_of_a_function_that_is_added_later(run_session):
    """In the mode that runs the whole module anew; the others put a single function there."""
    done = run_session(
        """
    def main():
        shell = start()
        cells(shell, "%load_ext autoreload", "%autoreload complete", "stays()")
        with FILE.open("a") as file:
            file.write("def late():\\n    return 'late'\\n")
        edit("nothing", "nothing")
        return cells(shell, "lib.late()", "lib.late()")
""",
        "lib:late*",
        "lib:stays",
    )
    assert done.result == ["late", "late"]
    assert done.calls == {"lib:late*": 2, "lib:stays": 1}


def test_a_reload_by_hand(run_session):
    """Without the extension old names keep the old code; it is counted all the same."""
    done = run_session("""
    def main():
        shell = start()
        seen = cells(shell, USE)
        edit("old", "new")
        return seen + cells(shell, "import importlib; importlib.reload(lib)", USE)[1:]
""")
    old = all_words("old")
    assert done.result == [old, [*old[:-2], "new", "new"]]
    assert done.calls == times(2)


def test_a_traceback_in_a_session_names_the_lines_of_the_program(run_bare, order):
    program = (
        SESSION
        + """
    def main():
        shell = start()
        done = shell.run_cell("work('a', 'b')", silent=True)
        FILE.write_text(FILE.read_text())
        failed = shell.run_cell("work([])", silent=True)
        error = failed.error_in_exec
        return [str(done.error_in_exec), type(error).__name__, trace(error)]


    def trace(error):
        import traceback
        frames = traceback.extract_tb(error.__traceback__)
        return [[each.name, each.lineno] for each in frames if each.filename.endswith("lib.py")]
"""
    )
    files = {"lib": LIB.replace('"old" * times', '"old" * (times + 0)')}
    bare = run_bare(program, files=files, environment=QUIET)
    woven = run_bare(program, *COUNTS, order=order, files=files, environment=QUIET)
    assert woven.result == bare.result
    assert len(bare.result[2]) == 1
