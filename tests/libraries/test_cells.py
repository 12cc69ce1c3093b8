"""Cells of a plain IPython shell: what they define is measured from its first call on.

The shell is there when the map is installed, or the extension is loaded into it afterwards.
"""

from __future__ import annotations

import pytest

SHELL = """
    import atexit
    import os
    import sys

    from IPython.core.interactiveshell import InteractiveShell


    def cells(*texts):
        seen = []
        for text in texts:
            done = shell.run_cell(text)
            done.raise_error()
            seen.append(done.result)
        return seen


    def states():
        targets = sys.modules["ancestry_obs"].status().targets
        return {each.target: [each.state, each.reason] for each in targets}


    shell = InteractiveShell.instance(history_load_length=0, colors="nocolor")
    shell.history_manager.enabled = False
    # At the end it would empty the session before the counts are read.
    atexit.unregister(shell.atexit_operations)
    toolkit = sys.modules.get("ancestry_obs")
    if toolkit is not None and toolkit.status().enabled:
        cells("%load_ext ancestry_obs")
"""
QUIET = {"IPYTHONDIR": "ipython", "HOME": "."}


@pytest.fixture
def run_cells(run_program):
    """Runs cells under a map; every target has to be installed, without a frame more."""

    def run(texts, *targets, called=(), **more):
        main = SHELL + f"\n    def main():\n        return cells(*{texts!r})\n"
        done = run_program(main, *targets, environment=QUIET, **more)
        assert {each for each, said in done.states.items() if said[1]} == {*called}
        return done

    return run


@pytest.fixture
def compare(run_bare, order):
    """Runs a program of cells without the toolkit and under a map; gives what both returned."""

    def run(main, *targets, **more):
        bare = run_bare(SHELL + main, environment=QUIET, **more)
        woven = run_bare(SHELL + main, *targets, order=order, environment=QUIET, **more)
        assert {said[0] for said in woven.states.values()} == {"installed"}
        assert woven.calls
        return bare.result, woven.result

    return run


F = "__main__:f"


def test_calls_in_the_same_cell_and_in_later_ones(run_cells):
    done = run_cells(["def f(x): return x\nf(1)\nf(2)", "f(3)", "[f(n) for n in range(3)]"], F)
    assert done.result == [2, 3, [0, 1, 2]]
    assert done.calls == {F: 6}


def test_calls_in_the_very_statement_that_defines(run_cells):
    texts = [
        "if True:\n    def f(): return 1\n    seen = [f(), f()]\nseen",
        "for n in (1, 2, 3, 4):\n    def f(n=n): return n\n    seen = [*seen, f()]\nseen",
        "class C:\n    def go(self): return 1\n    first = go(0)\n[C.first, C().go()]",
    ]
    done = run_cells(texts, F, "__main__:C.go")
    assert done.result == [[1, 1], [1, 1, 1, 2, 3, 4], [1, 1]]
    assert done.calls == {F: 6, "__main__:C.go": 2}


def test_a_function_that_a_later_cell_defines_anew(run_cells):
    """Whoever holds the old one goes on with it, and both count under the name."""
    texts = [
        "def f(): return 'old'\ntable = {'f': f}\n[f()]",
        "def f(): return 'new'\n[f(), table['f']()]",
        "def f(): return 'newest'\n[f(), table['f']()]",
    ]
    done = run_cells(texts, F)
    assert done.result == [["old"], ["new", "old"], ["newest", "old"]]
    assert done.calls == {F: 5}
    assert done.states == {F: ("installed", "")}


def test_a_function_in_the_very_place_in_memory_of_the_one_before(run_cells):
    """It is told from that one, although its name leads to the same place as before."""
    text = "for attempt in range(100):\n    def f(): return attempt\n    if id(f) == place: break\n"
    done = run_cells(["def f(): return 1\nf()\nplace = id(f)", text, "[id(f) == place, f()]"], F)
    assert done.result[2][0]
    assert done.calls == {F: 2}


def test_methods_of_classes_and_of_those_that_are_defined_anew(run_cells):
    texts = [
        (
            "class C:\n"
            "    def __init__(self): self.n = 1\n"
            "    def go(self): return 'old'\n"
            "    @property\n"
            "    def size(self): return 1\n"
            "    @staticmethod\n"
            "    def make(): return C()\n"
            "old = C.make()\n[old.go(), old.size]"
        ),
        "class C:\n    def go(self): return 'new'\n[C().go(), old.go()]",
        "def patched(self): return 'patched'\nC.go = patched\n[C().go(), old.go()]",
    ]
    done = run_cells(texts, "__main__:C.*", "__main__:patched")
    assert done.result == [["old", 1], ["new", "old"], ["patched", "old"]]
    # What is patched in is both targets.
    assert done.calls == {"__main__:C.*": 7, "__main__:patched": 1}


def test_coroutines_and_generators(run_cells):
    texts = [
        "import asyncio\nasync def aio(n):\n    await asyncio.sleep(0)\n    return n\nawait aio(1)",
        "await asyncio.gather(aio(2), aio(3))",
        (
            "async with asyncio.timeout(60):\n"
            "    async def inside():\n"
            "        return await aio(4)\n"
            "    seen = await inside()\n"
            "seen"
        ),
        "async def many():\n    yield 1\n    yield 2\n[each async for each in many()]",
        "def gen():\n    yield 1\n    yield 2\nlist(gen())",
    ]
    targets = [f"__main__:{each}" for each in ("aio", "inside", "many", "gen")]
    done = run_cells(texts, *targets)
    assert done.result == [1, [2, 3], 4, [1, 2], [1, 2]]
    assert done.calls == dict(zip(targets, (4, 1, 1, 1), strict=True))


def test_what_earlier_cells_had_of_the_future(run_cells):
    texts = ["from __future__ import annotations", "def f(x: Absent): return x\nf(1)"]
    assert run_cells(texts, F).calls == {F: 1}


def test_globs_take_what_cells_define_and_nothing_else(run_cells):
    texts = [
        "from json import dumps\nfrom functools import partial",
        "def one(): return 1\ndef _own(): return 2\nclass C:\n    def go(self): return 3",
        "half = partial(one)\n[one(), _own(), C().go(), half(), dumps([])]",
        "def two(): return one()\ntwo()",
    ]
    done = run_cells(texts, "__main__:*")
    assert done.calls == {"__main__:*": 5}
    # The script that makes the shell was `__main__` before it.
    ours = {*done.states} - {"__main__:install", "__main__:report"}
    assert ours == {"__main__:one", "__main__:two", "__main__:C.go"}


def test_files_that_run_executes(run_cells):
    """The script's own calls count, and those of what it leaves in the session."""
    files = {
        "script.py": "def f(): return 1\nf()\nf()\n",
        "cells.ipy": "def magic(): return 2\nmagic()\nx = %time magic()\n",
        "named.py": "def f(): return 'another'\nf()\n",
        "start.py.txt": "def f(): return 3\nf()\n",
    }
    texts = [
        "%run script.py",
        "f()",
        "%run -i script.py",
        "f()",
        "%run cells.ipy",
        "magic()",
        "%run -n named.py",
        (
            "ip = get_ipython()\n"
            "ip.safe_execfile('start.py.txt', ip.user_ns, shell_futures=True)\n"
            "f()"
        ),
    ]
    done = run_cells(texts, F, "__main__:magic", files=files)
    assert done.result == [None, 1, None, 1, None, 2, None, 3]
    assert done.calls == {F: 8, "__main__:magic": 3}


def test_magics(run_cells):
    texts = [
        "%%time\ndef f(): return 1\nx = f()\nf()",
        "%time f()",
        "%%capture out\ndef g(): return 2\nprint(g())",
        "out.stdout",
        "timing = %timeit -n 3 -r 1 -q -o f()\ntiming.loops",
        "%%prun -q\ndef h(): return 3\nh()",
        "h()",
    ]
    done = run_cells(texts, F, "__main__:g", "__main__:h", called=["__main__:h"])
    assert done.result == [1, 1, None, "2\n", 3, None, 3]
    # The profiler compiles a cell by itself: what it defines is measured afterwards.
    assert done.calls == {F: 6, "__main__:g": 1, "__main__:h": 1}


def test_a_cell_that_runs_others(run_cells):
    """What is defined below is not forgotten because something else was run meanwhile."""
    text = (
        "if True:\n"
        "    def f(): return 1\n"
        "    f()\n"
        "    get_ipython().run_cell('def g(): return f()\\ng()')\n"
        "    def h(): return g()\n"
        "    keep = [h]\n"
        "    seen = h()\n"
    )
    done = run_cells([text, "[seen, keep[0]()]"], F, "__main__:g", "__main__:h")
    assert done.result == [None, [1, 1]]
    assert done.calls == {F: 4, "__main__:g": 3, "__main__:h": 2}


def test_what_decorators_make_counts_once(run_cells):
    texts = [
        (
            "from functools import cache, wraps\n"
            "@cache\n"
            "def cached(x): return x\n"
            "[cached(1), cached(1), cached(2)]"
        ),
        (
            "def decorate(function):\n"
            "    @wraps(function)\n"
            "    def wrapper(): return function()\n"
            "    return wrapper\n"
            "@decorate\n"
            "def wrapped(): return 1\n"
            "[wrapped(), wrapped()]"
        ),
        (
            "views = {}\n"
            "@lambda function: views.setdefault('view', function)\n"
            "def view(): return 1\n"
            "[view(), views['view']()]"
        ),
    ]
    names = ["__main__:cached", "__main__:wrapped", "__main__:view"]
    done = run_cells(texts, *names, called=["__main__:cached"])
    assert done.calls == dict(zip(names, (3, 2, 2), strict=True))


def test_a_statement_that_fails(run_program):
    main = """
    def main():
        shell.run_cell("def f(): return 1\\nf()\\n1 / 0\\nf()")
        shell.run_cell("if f():\\n    def g(): return 1\\n    g()\\n    1 / 0")
        shell.run_cell("def f(: return")
        return cells("[f(), g()]")
"""
    done = run_program(SHELL + main, F, "__main__:g", environment=QUIET)
    assert done.result == [[1, 1]]
    assert done.calls == {F: 3, "__main__:g": 2}


def test_a_target_is_pending_until_a_cell_defines_it(run_program):
    main = """
    def main():
        before = states()
        cells("def price(): return 1")
        return [before, states()]
"""
    done = run_program(SHELL + main, "__main__:price", "__main__:price*", environment=QUIET)
    before, after = done.result
    assert before == {
        "__main__:price": [
            "pending",
            "waits for a cell that defines it: '__main__' has no 'price'",
        ],
        "__main__:price*": [
            "pending",
            "waits for a cell that defines it: matches nothing that '__main__' defines",
        ],
    }
    assert after == {"__main__:price": ["installed", ""]}


def test_a_misspelt_target_stays_pending_and_says_what_is_there(run_bare, order):
    main = """
    def main():
        cells("def price(): return 1")
        return states()
"""
    done = run_bare(SHELL + main, "__main__:prise", order=order, environment=QUIET)
    reason = "waits for a cell that defines it: '__main__' has no 'prise'; did you mean 'price'?"
    assert done.result == {"__main__:prise": ["pending", reason]}


KINDS = {
    "version": 1,
    "functions": {"kind": "__main__:kind"},
    "metrics": {
        "kinds_total": {"type": "counter", "help": "x", "labels": {"kind": {"max_values": 9}}}
    },
    "instrument": [
        {
            "target": F,
            "record": [{"metric": "kinds_total", "labels": {"kind": "kind(x)"}}],
        }
    ],
}


def test_label_functions_of_cells(run_program):
    main = f"""
    def main():
        return cells(
            "def kind(x): return 'old'",
            "def f(x): return x",
            "import ancestry_obs\\nancestry_obs.reload({KINDS!r})",
            "f(1)\\nf(2)\\ndef kind(x): return 'new'\\nf(3)",
            "from prometheus_client import generate_latest\\n"
            "page = generate_latest(ancestry_obs.get_registry()).decode()\\n"
            "[line for line in page.splitlines() if line.startswith('shop_kinds_total')]",
        )[-1]
"""
    done = run_program(SHELL + main, F, environment=QUIET)
    assert done.result == [
        'shop_kinds_total{kind="old"} 2.0',
        'shop_kinds_total{kind="new"} 1.0',
    ]


def test_autoreload_beside_cells(run_program):
    main = """
    def main():
        import pathlib
        cells("%load_ext autoreload", "%autoreload 2", "import lib", "def f(): return lib.work()")
        seen = cells("f()")
        file = pathlib.Path("lib.py")
        file.write_text("def work(): return 'new'\\n")
        stamp = file.stat().st_mtime_ns + 10**10
        os.utime(file, ns=(stamp, stamp))
        return seen + cells("f()")
"""
    files = {"lib": "def work(): return 'old'\n"}
    done = run_program(SHELL + main, F, "lib:work", files=files, environment=QUIET)
    assert done.result == ["old", "new"]
    assert done.calls == {F: 2, "lib:work": 2}


def test_what_sources_help_and_tracebacks_show(compare):
    main = """
    def main():
        import contextlib
        import inspect
        import io

        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            cells("# In front.\\ndef f(x, depth=0):\\n    'Doc.'\\n    if depth:\\n"
                  "        return f(x, depth - 1)\\n    return 1 / x\\nf(1, 2)")
            shell.run_cell("3 + f(0, 2)")
            shell.run_line_magic("tb", "")
            shell.run_cell("import inspect\\n[each.function for each in inspect.stack()]")
            shell.run_cell("def f(x, depth=0):\\n    return 1 / x\\n\\nf(\\n    0\\n)")
        shell.run_line_magic("pinfo2", "f")
        f = shell.user_ns["f"]
        told = shell.inspector.info(f, detail_level=1)
        return [out.getvalue(), inspect.getsource(f), f.__code__.co_filename, told["source"]]
"""
    bare, woven = compare(main, F)
    assert "ZeroDivisionError" in bare[0]
    assert "run_code" in bare[0]
    assert woven == bare


def test_what_the_debugger_shows(compare):
    main = """
    def main():
        import contextlib
        import io
        import sys

        cells("def f(x):\\n    y = x + 1\\n    return 1 / x\\nf(1)")
        shell.run_cell("f(0)", silent=True)
        sys.stdin = io.StringIO("where\\nlist\\np x, y\\nup\\nargs\\nq\\n")
        out = io.StringIO()
        from IPython.core.debugger import Pdb
        debugger = Pdb(stdin=sys.stdin, stdout=out)
        debugger.use_rawinput = False
        debugger.reset()
        with contextlib.redirect_stdout(out):
            debugger.interaction(None, sys.last_traceback)
        return out.getvalue()
"""
    bare, woven = compare(main, F)
    assert "return 1 / x" in bare
    assert "(0, 1)" in bare
    assert woven == bare


def test_unload_leaves_everything_as_it_was(run_bare):
    main = """
    def kept():
        import codeop
        from IPython.core import interactiveshell
        events = shell.events.callbacks
        # Before IPython 9 it has the function of a file's execution elsewhere.
        py3compat = sys.modules.get("IPython.utils.py3compat")
        executing = getattr(py3compat, "execfile", interactiveshell.InteractiveShell.safe_execfile)
        return [
            codeop.Compile.__call__.__code__,
            executing.__code__,
            {name: list(each) for name, each in events.items()},
        ]


    def main():
        import ancestry_obs
        cells("def f(): return 1")
        f = shell.user_ns["f"]
        before, code = kept(), f.__code__
        settings = ancestry_obs.ObservabilitySettings(
            enable_prometheus_metrics=True, metrics_export_port=0, metrics_namespace="shop"
        )
        record = [{"metric": "calls_total"}]
        ancestry_obs.install({
            "version": 1,
            "metrics": {"calls_total": {"type": "counter", "help": "Calls."}},
            "instrument": [{"target": ["__main__:f", "__main__:g"], "record": record}],
        }, settings=settings)
        cells("%load_ext ancestry_obs", "f()", "def g(): return 1\\ng()")
        g = shell.user_ns["g"]
        changed = [one != other for one, other in zip(before, kept())]
        calls = {each.target: each.calls for each in ancestry_obs.status().targets}
        woven = f.__code__ is not code
        cells("%unload_ext ancestry_obs")
        same = [one == other for one, other in zip(before, kept())]
        told = "_obs_" in repr(g.__code__.co_varnames), ancestry_obs.status().enabled
        cells("def h(): return 1\\nh()")
        return [changed, calls, woven, same, f.__code__ is code, *told]
"""
    done = run_bare(SHELL + main, environment=QUIET)
    calls = {"__main__:f": 1, "__main__:g": 1}
    assert done.result == [[True] * 3, calls, True, [True] * 3, True, False, False]


def test_a_shell_with_a_namespace_of_its_own(run_bare, order):
    """As `manage.py shell` of Django starts it: older releases have no module for it."""
    program = SHELL.replace("colors=", "user_ns={'given': 1}, colors=")
    program = program.replace("if toolkit is not None", "if False and toolkit is not None")
    main = """
    def main():
        import contextlib, io, types
        out = io.StringIO()
        with contextlib.redirect_stderr(out):
            shell.run_cell("%load_ext ancestry_obs")
        seen = cells("import lib\\ndef f(): return lib.work() + given\\nf()")
        return [seen, out.getvalue().splitlines(), isinstance(shell.user_module, types.ModuleType)]
"""
    files = {"lib": "def work(): return 1\n"}
    targets = (F, "lib:work")
    done = run_bare(program + main, *targets, order=order, files=files, environment=QUIET)
    seen, said, has_module = done.result
    assert seen == [2]
    if has_module:
        assert said == []
        assert done.calls == {F: 1, "lib:work": 1}
    else:
        assert said[-1].startswith("what cells define is not measured, only what they import: ")
        assert done.calls == {"lib:work": 1}


def test_mistakes_are_one_line(run_bare):
    main = """
    def main():
        import contextlib, io, pathlib
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            pathlib.Path("obs.toml").write_text("version = 2\\n")
            shell.run_cell("%load_ext ancestry_obs")
            os.environ["PROMETHEUS_METRICS_ENABLED"] = "no"
            shell.run_cell("%load_ext ancestry_obs")
        return out.getvalue().splitlines()
"""
    done = run_bare(SHELL + main, environment=QUIET)
    mistake, off = done.result
    assert mistake.startswith("UsageError: ")
    assert "obs.toml:1: version: " in mistake
    assert off == (
        "nothing is measured: PROMETHEUS_METRICS_ENABLED says no; set it to true, or take it away, "
        "and write '%reload_ext ancestry_obs'"
    )
