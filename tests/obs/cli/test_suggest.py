"""`ancestry-obs suggest`: its maps pass `check`, and count in a run what it has seen."""

from __future__ import annotations

import json
import re
import sys
import tomllib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ancestry_obs.checking.checker import Checker
from ancestry_obs.cli import main
from ancestry_obs.mapfile import load, load_text

KINDS = """
    import asyncio, threading

    class Cart:
        def __init__(self):
            self.items = []
        def add(self, item, kind="tea"):
            self.items.append(item)
        @property
        def size(self):
            return len(self.items)
        @size.setter
        def size(self, number):
            del self.items[number:]

    def pages(number):
        yield from range(number)

    async def work(seconds):
        await asyncio.sleep(seconds)

    def depth(number):
        return number and depth(number - 1)

    def retrying(function):
        def attempt(*args):
            try:
                return function(*args)
            except ConnectionError:
                return function(*args)
        return attempt

    left = [1]

    @retrying
    def fetch(item):
        if left:
            raise ConnectionError(left.pop())
        return item

    async def rush():
        await asyncio.gather(*(work(0) for _ in range(4)))

    def main():
        cart = Cart()
        threads = [
            threading.Thread(
                target=lambda: [cart.add(1, "milk" if at % 3 else "tea") for at in range(300)]
            )
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        cart.size = cart.size - 1
        list(pages(3))
        for _ in pages(2):
            break
        depth(5)
        fetch("a")
        asyncio.run(rush())
        print("the program's")

    if __name__ == "__main__":
        main()
"""
FAMILY = """
    import multiprocessing, subprocess, sys

    def job(mode):
        return mode

    def main():
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            pool.map(job, ["a", "b"] * 10, chunksize=1)
            pool.close()
            pool.join()
        subprocess.run([sys.executable, __file__, "alone"], check=True)

    if __name__ == "__main__":
        job("a") if sys.argv[1:] else main()
"""
COUNT = re.compile(r'shop_function_seconds_count\{function="([^"]+)"\} ([0-9.]+)')


def counted(text: str) -> dict[str, int]:
    return {target: int(float(count)) for target, count in COUNT.findall(text)}


def seen_and_counted(project, launch, package, *words):
    """Let a command be traced, and run it with the map that comes of it."""
    made = launch("suggest", "--json", package, "--", *words)
    assert made.returncode == 0, made.stderr
    told = json.loads(made.stdout)
    project.write("made.toml", told["map"])
    checked = launch("check", "made.toml")
    assert (checked.returncode, checked.stdout.splitlines()[-1]) == (0, "made.toml: fine")
    run = launch(
        "run", "--map", "made.toml", "--port", "0", "--textfile", "made.prom", "--", *words,
        METRICS_NAMESPACE="shop",
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    seen = {each["target"]: each["calls"] for each in told["functions"] if not each["is_commented"]}
    return told, seen, counted((project.path / "made.prom").read_text())


@pytest.mark.live
def test_the_map_counts_what_was_seen(project, launch):
    project.write("kinds.py", KINDS)
    told, seen, found = seen_and_counted(project, launch, "kinds", "kinds.py")
    assert found == seen
    assert {"kinds:pages", "kinds:work", "kinds:fetch", "kinds:main"} <= seen.keys()
    assert {"kinds:Cart.size", "kinds:Cart.size.fset"} <= seen.keys()
    every = {each["target"]: each for each in told["functions"]}
    assert every["kinds:Cart.add"]["labels"] == [{"name": "kind", "values": ["milk", "tea"]}]
    assert told["left_out"] == []


@pytest.mark.live
def test_the_map_counts_in_all_processes(project, launch):
    project.write("family.py", FAMILY)
    told, seen, found = seen_and_counted(project, launch, "__main__", "family.py")
    assert found == seen == {"family:job": 21, "family:main": 1}
    assert told["processes"] >= 4


def test_map_and_output_and_exit_code_do_not_mix(project, launch):
    project.write("ends.py", "import sys\ndef go():\n    print('its own')\ngo()\nsys.exit(7)\n")
    alone = launch("suggest", "ends", "--", "ends.py")
    assert alone.returncode == 7
    assert '[[instrument]]\ntarget = "ends:go"\n' in alone.stdout
    assert "its own" not in alone.stdout
    assert "its own" in alone.stderr
    both = launch("suggest", "ends", "-o", "ends.toml", "--", "ends.py")
    assert (both.returncode, both.stdout) == (7, "its own\n")
    assert tomllib.loads((project.path / "ends.toml").read_text())["instrument"]
    assert both.stderr.splitlines()[-1] == "wrote ends.toml"


def test_the_table(project, launch):
    long = "a_function_whose_name_is_longer_than_any_terminal_is_wide_or_nearly_so"
    project.write(
        "prog.py",
        f"""
        def {long}():
            pass

        def often(mode):
            return mode

        def main():
            {long}()
            for at in range(30):
                often("slow" if at % 2 else "fast")

        main()
    """,
    )
    done = launch("suggest", "--by", "rate", "prog", "--", "prog.py")
    lines = done.stderr.splitlines()
    assert re.fullmatch(r"3 functions called in (\d+ ms|\d+\.\d\d s) of 1 process", lines[0])
    assert lines[1].split() == ["time", "own", "calls/s", "costs", "function"]
    assert lines[2].endswith("%  prog:often  by mode")
    assert max(map(len, lines)) <= 80
    assert re.fullmatch(r"\d+\.\d\d% overhead expected for [123] targets?", lines[5])
    assert "\x1b" not in done.stderr


def test_what_is_hot_stands_there_as_a_comment(project, launch):
    project.write(
        "hot.py",
        """
        def hot():
            pass

        def main():
            for _ in range(200_000):
                hot()

        main()
    """,
    )
    done = launch("suggest", "hot", "--json", "--", "hot.py")
    told = json.loads(done.stdout)
    assert {each["target"]: each["is_commented"] for each in told["functions"]} == {
        "hot:main": False,
        "hot:hot": True,
    }
    assert [each.targets for each in load_text(told["map"], "").instruments] == [("hot:main",)]
    assert '# target = "hot:hot"\n# sample = 0.01\n' in told["map"]
    assert "1 target above 1% stands in the map as comments" in done.stderr


def test_nothing_that_a_program_keeps_to_itself_is_told(project, launch):
    project.write(
        "shy.py",
        """
        import sys

        def login(user, password, hint, mode):
            return password

        for at in range(20):
            login("ada", "hunter", "hunter2" if at % 2 else "x9", "quick" if at % 2 else "slow")
            # Something that takes long beside what measuring takes.
            sum(range(50_000))
    """,
    )
    done = launch("suggest", "shy", "--", "shy.py", "--token=s3cret")
    told = done.stdout + done.stderr
    assert '["quick", "slow"]' in done.stdout
    for each in ("hunter", "ada", "x9", "s3cret"):
        assert each not in told


def test_a_source_alone_is_enough_and_never_run(project, command):
    project.write("mine/__init__.py", "raise SystemExit('never run')\n")
    project.write("mine/web.py", "@app.get('/')\ndef index(fast: bool):\n    pass\n")
    done = command("suggest", "mine")
    assert (done.code, done.err) == (0, "1 route; 1 public function in all\n")
    (made,) = load_text(done.out, "").instruments
    assert (made.targets, made.at) == (("mine.web:index",), "definition")
    assert "# route\n[[instrument]]" in done.out
    told = json.loads(command("suggest", "--json", "mine").out)
    assert told["map"] == done.out
    assert told["functions"] == [
        {
            "target": "mine.web:index", "kind": "route",
            "labels": [{"name": "fast", "values": ["False", "True"]}],
        }
    ]  # fmt: skip


def test_a_file_is_not_replaced_unless_that_is_wanted(project, command):
    project.write("mine.py", "def go():\n    pass\n")
    assert command("suggest", "mine", "-o", "mine.toml").code == 0
    (project.path / "mine.toml").write_text("mine")
    done = command("suggest", "mine", "-o", "mine.toml")
    assert done.code == 2
    assert (
        done.err == "ancestry-obs: mine.toml: is there already; name another file, or use --force\n"
    )
    assert (project.path / "mine.toml").read_text() == "mine"
    assert command("suggest", "--force", "mine", "-o", "mine.toml").code == 0
    assert load(project.path / "mine.toml").instruments


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nowhere",), "there is no module 'nowhere' (looked in "),
        (("",), "there is no module '' (looked in "),
        (("a b",), "there is no module 'a b' (looked in "),
        (("sys",), "'sys' is compiled"),
        (("empty",), "'empty' has no public function that can be measured"),
        (("shop", "-o", "folder"), "folder: is a folder; name a file in it with -o"),
        (("shop", "-o", "shop.py/x.toml"), "cannot write shop.py/x.toml: Not a directory"),
        (("shop", "--most", "0"), "'0' is no whole number from 1"),
        (("shop", "--", "nowhere.py"), "nowhere.py: no such file"),
        (("shop", "--", sys.executable, "-I", "shop.py"), "the option -I isolates Python"),
        ((), "the following arguments are required: PACKAGE"),
    ],
)
def test_bad_input(project, command, words, message):
    project.write("empty.py", "")
    (project.path / "folder").mkdir()
    done = command("suggest", *words)
    assert done.code == 2
    assert done.out == ""
    assert message in done.err.splitlines()[-1]
    assert done.err.splitlines()[-1].startswith("ancestry-obs: ")


def test_a_command_that_calls_nothing_of_the_package(project, launch):
    for words, why in (
        (("-c", "pass"), "the command called no function of 'shop'"),
        (
            ("true",),
            (
                "no Python process of the command was traced to its end; if it was killed, end "
                "it with Ctrl-C or SIGTERM"
            ),
        ),
    ):
        done = launch("suggest", "shop", "-o", "none.toml", "--", *words)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"ancestry-obs: {why}; no map is written\n"
        assert not (project.path / "none.toml").exists()


@pytest.mark.parametrize(
    "package", ["requests", "urllib3", "pluggy", "packaging", "rich", "wrapt", "ancestry_core"]
)
def test_maps_of_real_packages_pass_check(command, package):
    pytest.importorskip(package, reason="the map of a package needs its source")
    done = command("suggest", package, "--most", "60")
    assert done.code == 0
    spec = load_text(done.out, package)
    verdict = Checker.of_folder().check(spec)
    assert (verdict.findings, verdict.doubts) == ([], [])
    assert spec.instruments


NAMES = st.sampled_from(["a", "b", "go", "_own", "__init__", "Cart", "class_", "ö"])
ANNOTATIONS = st.sampled_from(["", ": bool", ": int", ": 'Literal[1, 2]'", ": Literal['x']"])
DECORATORS = st.sampled_from(
    [
        "",
        "@property\n",
        "@staticmethod\n",
        "@cache\n",
        "@app.get('/')\n",
        "@x.setter\n",
        "@unknown\n",
    ]
)


@st.composite
def definitions(draw, depth=0):
    name, decorator = draw(NAMES), draw(DECORATORS)
    inner = draw(st.lists(definitions(depth + 1), max_size=3)) if depth < 2 else []
    body = "".join(inner) or "pass\n"
    if draw(st.booleans()):
        head = f"class {name}:\n"
    else:
        is_async = "async " * draw(st.booleans())
        head = f"{decorator}{is_async}def {name}(self, kind{draw(ANNOTATIONS)} = 1):\n"
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    if draw(st.booleans()):
        return head + lines
    whole = "".join(f"    {line}\n" for line in (head + lines).splitlines())
    return f"if {draw(st.sampled_from(['True', 'x', 'sys.platform']))}:\n{whole}"


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(source=st.lists(definitions(), max_size=5).map("".join))
def test_maps_of_any_source_pass_check(project, monkeypatch, capsys, source):
    path = project.path / "drawn.py"
    path.write_text(f"from functools import cache\nfrom typing import Literal\n{source}")
    code = main(["suggest", "drawn"])
    out = capsys.readouterr().out
    assert code in {0, 2}
    if code == 0:
        verdict = Checker.of_folder().check(load_text(out, "drawn"))
        assert (verdict.findings, verdict.doubts) == ([], [])
    assert "drawn" not in sys.modules
