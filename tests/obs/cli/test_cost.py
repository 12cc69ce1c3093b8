"""`ancestry-obs cost`: real runs for what is counted exactly; figures of time are given to it."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from ancestry_obs.cli import cost as cost_command
from ancestry_obs.costing.estimate import estimate
from ancestry_obs.costing.measured_run import Command, MeasuredRun
from ancestry_obs.exceptions import LaunchError
from ancestry_obs.mapfile import load

REFUSED = 2
TREE = """
    import multiprocessing, subprocess, sys

    def price(name):
        return len(name)

    def in_a_child(count):
        for number in range(count):
            price("child")

    if __name__ == "__main__":
        for number in range(int(sys.argv[1])):
            price("book")
        print("printed")
        if sys.argv[2:] == ["all"]:
            subprocess.run([sys.executable, __file__, "20"], check=True)
            for how in ("fork", "spawn"):
                child = multiprocessing.get_context(how).Process(target=in_a_child, args=(300,))
                child.start()
                child.join()
"""


@pytest.fixture
def tree(project):
    """A program whose processes call `price`, and its map; gives the command's words."""
    project.write("tree.py", TREE)
    text = project.map.replace("shop:price", "tree:price")
    project.write("tree.toml", text[: text.index("[[sample]]")])
    return [sys.executable, "tree.py", "1000", "all"]


def test_calls_of_all_processes_are_counted_exactly(project, tree):
    run = Command(sys.executable, tree, load("tree.toml")).woven()
    (told,) = run.targets.values()
    assert told[-2] == 1000 + 20 + 300 + 300
    # The command, its subprocess, and the child that was spawned; what helps it counts nothing.
    assert run.started == 3
    assert run.processor > 0
    assert run.seen > 0


def test_each_process_prices_what_it_has_called(project, tree):
    run = Command(sys.executable, tree, load("tree.toml")).captured(1.0)
    rows = [each["tree:price"] for each in run.prices if each]
    assert sorted(each["calls"] for each in rows) == [20, 300, 300, 1000]
    assert all(each["price"] is not None and not each["reason"] for each in rows)


def test_without_the_map_nothing_is_measured(project, tree, monkeypatch):
    project.write("asks.py", "import ancestry_obs, sys\nsys.exit(ancestry_obs.install().enabled)")
    monkeypatch.setenv("PROMETHEUS_METRICS_ENABLED", "true")
    command = Command(sys.executable, [sys.executable, "asks.py"], load("tree.toml"))
    assert command.plain().targets == {}
    # With the map that very program finds it installed.
    with pytest.raises(LaunchError, match="exit code 1 with the map"):
        command.woven()


def test_nothing_is_let_out(project, tree, monkeypatch):
    monkeypatch.setenv("METRICS_TEXTFILE", "written.prom")
    monkeypatch.setenv("METRICS_FILE_SD", "written.json")
    Command(sys.executable, tree[:3], load("tree.toml")).woven()
    assert not [*project.path.glob("written*")]


def test_the_program_imports_its_own_sitecustomize(project, tree, monkeypatch):
    project.write("first/sitecustomize.py", "import sys\nsys.is_customized = True\n")
    project.write("asks.py", "import sys\nsys.exit(not hasattr(sys, 'is_customized'))")
    monkeypatch.setenv("PYTHONPATH", str(project.path / "first"), prepend=":")
    command = Command(sys.executable, [sys.executable, "asks.py"], load("tree.toml"))
    command.woven()
    assert "sys" in command.modules()


def test_a_whole_report(project, tree, launch):
    done = launch("cost", "tree.toml", "--rounds", "1", "--json", "--", "tree.py", "1000")
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert [(each["target"], each["calls"]) for each in told["targets"]] == [("tree:price", 1000)]
    assert told["targets"][0]["nanoseconds_per_call"] is not None
    assert told["pairs"] == 1
    assert told["agreement"] == "unknown"
    share = sum(each["share"] for each in told["targets"])
    without = told["processor_seconds"]["without"]
    assert told["sum_seconds"] == pytest.approx(told["startup_seconds"] + share * without)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("import sys\nsys.exit('no luck')", "exit code 1 without the map (no luck); "),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)", "signal SIGTERM without"),
        (
            "import os, sys\nsys.exit(3 if 'ANCESTRY_OBS_RUN' in os.environ else 0)",
            "exit code 3 with the map; ",
        ),
    ],
)
def test_a_run_that_fails_ends_it(project, launch, text, end):
    project.write("fails.py", text)
    done = launch("cost", "shop.toml", "--", "fails.py")
    assert (done.returncode, done.stdout) == (REFUSED, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("ancestry-obs: ")
    assert f"fails.py: ended with {end}" in line
    assert line.endswith("a run that fails is not measured, so name a command that ends well")


def test_what_cannot_be_run(project, command):
    for words, message in [
        (("cost", "shop.toml", "--", "missing.py"), "missing.py: no such file"),
        (("cost", "shop.toml"), "the following arguments are required: COMMAND"),
        (("cost", "shop.toml", "--"), "the following arguments are required: COMMAND"),
        (("cost", "shop.toml", "--rounds", "0", "--", "shop.py"), "'0' is no number of rounds"),
        (("cost", "--rounds", "x", "shop.toml", "--", "shop.py"), "'x' is no number of rounds"),
        (("cost", "shop.toml", "--", "-I", "shop.py"), "the option -I isolates Python"),
    ]:
        done = command(*words)
        assert (done.code, done.out) == (REFUSED, ""), words
        assert message in done.err
        assert len(done.err.splitlines()) == 1


def test_the_other_commands_import_nothing_of_it(environment):
    text = "import sys, ancestry_obs.cli.application; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", text], env=environment, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "ancestry_obs.cli.cost" in loaded
    costing = {each for each in loaded if each.startswith("ancestry_obs.costing")}
    assert costing == {"ancestry_obs.costing", "ancestry_obs.costing.conventions"}
    # The base install has no wrapt.
    assert "wrapt" not in loaded


def test_a_command_without_a_python(project, command):
    done = command("cost", "shop.toml", "--", "true")
    assert (done.code, done.out) == (REFUSED, "")
    assert done.err == (
        "ancestry-obs: true: no Python of it was measured; is there one, and is "
        "'ancestry-obs[prometheus]' installed for it?\n"
    )


def test_who_presses_ctrl_c_sees_no_traceback(project, command, monkeypatch):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cost_command, "_measured", interrupt)
    done = command("cost", "shop.toml", "--", "shop.py")
    assert (done.code, done.out) == (REFUSED, "")
    assert "interrupted before all rounds were over" in done.err


@pytest.fixture
def report(project, command, monkeypatch):
    """Print the report of given figures."""

    def printed(cost, *options: str) -> SimpleNamespace:
        monkeypatch.setattr(cost_command, "_measured", lambda *_: cost)
        return command("cost", *options, "shop.toml", "--", "shop.py")

    return printed


def figures(differences=(0.5, 0.6, 0.7), calls=1_000_000, price=500.0):
    long = "a_package.with_a_long_name.of_a_module:AndAClass.with_a_long_name_too"
    targets = {
        "shop:price": ("installed", "", (), (), "inline", (), calls, 0),
        long: ("installed", "", (), (), "inline", (), 3, 0),
        "shop:away": ("pending", "not imported yet", (), (), "", (), 0, 0),
    }
    pairs = [
        (MeasuredRun(10.0, 11.0), MeasuredRun(10.0 + more, 11.0 + more, targets, 0.02, 1))
        for more in differences
    ]
    row = {"price": price, "calls": calls, "seconds": 2e-7, "reason": ""}
    return estimate(pairs, [[{"shop:price": row}]], 0.08)


REPORT = """\
shop.toml: 3 pairs of runs, without the map and with it
                without  slower by        noise
processor time  10.00 s  600.0 ms   6.0%  5.0% to 7.0%
wall time       11.00 s  600.0 ms   5.5%  4.5% to 6.4%

  share       calls     calls/s ns/call  target
  5.00%   1,000,000      86,207     500  shop:price
      ?           3           0       ?  ...odule:AndAClass.with_a_long_name_too
  1.00%                                  start-up, weaving, end: 100.0 ms
  6.00%                                  sum: 600.0 ms

The sum, 6.0%, agrees with the slowdown measured: 5.0% to 7.0%.
Not in the sum:
  a_package.with_a_long_name.of_a_module:AndAClass.with_a_long_name_too
    a hook or a sample alone, or no call of it ended where that can be told
Not worth it:
  shop:price
    it takes 5.0% of the run
Leave such a target out, or measure what calls it. sample = 0.01
saves the clock's part, which is a fifth to a half.
Not measured:
  shop:away
    pending: not imported yet
"""


def test_the_report(report):
    printed = report(figures()).out
    assert printed == REPORT
    assert all(len(line) <= 80 for line in printed.splitlines())


@pytest.mark.parametrize(
    ("differences", "line"),
    [
        ((0.5, 0.6, 0.7), "The sum, 6.0%, agrees with the slowdown measured: 5.0% to 7.0%."),
        ((0.1, 0.2, 0.3), "The sum, 6.0%, differs from the slowdown measured: 1.0% to 3.0%."),
        ((-0.1, 0.2, 0.8), "The slowdown is lost in the noise (-1.0% to 8.0%), so that the sum,"),
        ((0.5, 0.7), "The sum is 6.0%, the slowdown measured 6.0%. Whether they agree is not"),
    ],
)
def test_what_is_said_of_the_agreement(report, differences, line):
    assert line in report(figures(differences)).out


def test_nothing_to_say_against(report):
    assert "Not worth it" not in report(figures(calls=1000)).out


def test_json(report):
    told = json.loads(report(figures(), "--json").out)
    assert told["agreement"] == "agrees"
    assert told["processor_seconds"] == {
        "without": 10.0,
        "more": pytest.approx(0.6),
        "noise": pytest.approx([0.5, 0.7]),
        "share": pytest.approx(0.06),
    }
    assert told["targets"][0]["worth_it"] is False
    assert told["unmeasured"] == {"shop:away": "pending: not imported yet"}
