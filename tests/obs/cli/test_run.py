from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

# The map's hook waits for a call that no program here makes: no port is opened.
QUIET = """\
version = 1
[metrics.prices_total]
type = "counter"
help = "Prices asked for."
labels.name = { max_values = 10 }
[[instrument]]
target = "MODULE:price"
record = [{ metric = "prices_total", labels = { name = "name" } }]
[[hook]]
target = "MODULE:open_shop"
after = "exporter.start"
"""


@pytest.fixture
def quiet(project):
    """Write a map for a program of this name that opens no port by itself."""

    def write(module: str, *, more: str = "") -> str:
        project.write("quiet.toml", QUIET.replace("MODULE", module) + more)
        return "quiet.toml"

    return write


def samples(path: Path, metric: str = "ancestry_prices_total") -> dict[str, float]:
    """Read the samples of a metric in a textfile by their label."""
    found = re.findall(rf'^{metric}{{name="(.*)"}} (.*)$', path.read_text(), re.MULTILINE)
    return {label: float(value) for label, value in found}


class TestTheProgramsOwnModule:
    def test_a_script(self, project, launch, quiet):
        done = launch("run", "--map", quiet("shop"), "--textfile", "a.prom", "--", "shop.py", "-x")
        assert (done.returncode, done.stdout, done.stderr) == (0, "4 ['-x']\n", "")
        assert samples(project.path / "a.prom") == {"book": 1}

    @pytest.mark.parametrize("dashes", [["--"], []])
    def test_a_module(self, project, launch, quiet, dashes):
        project.write("market/__init__.py", "")
        (project.path / "shop.py").rename(project.path / "market" / "shop.py")
        arguments = ("--map", quiet("market.shop"), "--textfile", "a.prom", *dashes)
        done = launch("run", *arguments, "-m", "market.shop", "--map", "its own")
        assert (done.returncode, done.stdout) == (0, "4 ['--map', 'its own']\n")
        assert samples(project.path / "a.prom") == {"book": 1}

    def test_a_package(self, project, launch, quiet):
        project.write("market/__init__.py", "")
        (project.path / "shop.py").rename(project.path / "market" / "__main__.py")
        arguments = ("--map", quiet("market.__main__"), "--textfile", "a.prom")
        assert launch("run", *arguments, "--", "-m", "market").stdout == "4 []\n"
        assert samples(project.path / "a.prom") == {"book": 1}

    def test_a_second_copy_of_it_is_measured_as_well(self, project, launch, quiet):
        project.write("other.py", "import shop\nshop.price('other')\n")
        with (project.path / "shop.py").open("a") as program:
            program.write("    import other\n")
        launch("run", "--map", quiet("shop"), "--textfile", "a.prom", "--", "shop.py")
        assert samples(project.path / "a.prom") == {"book": 1, "other": 1}
        text = (project.path / "a.prom").read_text()
        assert 'ancestry_obs_calls_total{target="shop:price"} 2.0' in text

    def test_a_label_function_may_stand_behind_its_target(self, project, launch, quiet):
        project.write(
            "prog.py",
            """
            print("once")
            def price(name): ...
            def label(name): return name.title()
            price("book")
            """,
        )
        file = quiet("prog", more='[functions]\nlabel = "prog:label"\n')
        path = project.path / file
        path.write_text(path.read_text().replace('name = "name"', 'name = "label(name)"'))
        done = launch("run", "--map", file, "--textfile", "a.prom", "--", "prog.py")
        assert done.stdout == "once\n"
        assert samples(project.path / "a.prom") == {"Book": 1}


RELOADING = """
    import sys
    EARLIER
    import ancestry_obs
    def price(name): ...
    class Cart:
        def add(self): ...
        def size(self): return 7
    def label(name): return name.title()
    cart = Cart()
    def main():
        for each in ("", "same", *sys.argv[1:]):
            if each:
                ancestry_obs.reload(None if each == "same" else each)
            price("book")
            cart.add()
            states = ancestry_obs.status().targets
            print(each, *(each.calls for each in states if each.state == "installed"))
    main()
    """
RELOADED = """
[functions]
label = "MODULE:label"
[metrics.prices_total]
type = "counter"
help = "Prices asked for."
labels.name = { max_values = 10 }
[metrics.cart_items]
type = "gauge"
help = "Items in carts."
[[instrument]]
target = ["MODULE:price", "MODULE:Cart.add"]
record = [{ metric = "prices_total", labels = { name = "label('book')" } }]
[[sample]]
target = "MODULE:Cart"
metric = "cart_items"
value = "self.size()"
"""


@pytest.fixture
def reloading(project, launch):
    """Run a program that reads maps while it runs; gives its output and the textfile at the end."""

    def run(name, file, *words, start="all.toml", maps=("same", "none.toml", "all.toml"), first=""):
        project.write("market/__init__.py", "")
        project.write("other/prog.py", "def price(name): ...\n")
        project.write(file, RELOADING.replace("EARLIER", first))
        project.write("all.toml", "version = 1\n" + RELOADED.replace("MODULE", name))
        project.write(
            "none.toml", "version = 1\n" + RELOADED[: RELOADED.index("[[i")].replace("MODULE", name)
        )
        arguments = ("--map", start, "--port", "0", "--textfile", "a.prom", "--")
        done = launch("run", *arguments, *words, *maps)
        assert done.returncode == 0, done.stderr
        text = (project.path / "a.prom").read_text()
        assert text.count('state="installed"') == 3
        assert "ancestry_cart_items 7.0\n" in text
        return done.stdout.splitlines(), samples(project.path / "a.prom")

    return run


@pytest.mark.live
class TestReload:
    @pytest.mark.parametrize(
        ("name", "file", "words"),
        [
            ("prog", "prog.py", ["prog.py"]),
            ("market.prog", "market/prog.py", ["-m", "market.prog"]),
            ("market.__main__", "market/__main__.py", ["-m", "market"]),
        ],
        ids=["script", "module", "package"],
    )
    def test_the_program_s_own_targets_stay_measured(self, reloading, name, file, words):
        lines, counted = reloading(name, file, *words)
        assert lines == [" 1 1 1", "same 2 2 1", "same 3 3 1", "none.toml", "all.toml 4 4 1"]
        # The map in between has no target, so that the series of these calls stay alone.
        assert counted == {"Book": 8}

    @pytest.mark.parametrize("start", ["all.toml", "none.toml"])
    def test_where_another_module_has_the_program_s_name(self, reloading, start):
        other = "sys.path.insert(0, 'other'); import prog; sys.path.pop(0)"
        words = {"start": start, "maps": ("none.toml", "all.toml"), "first": other}
        lines, _ = reloading("prog", "prog.py", "prog.py", **words)
        assert lines[-1] == {"all.toml": "all.toml 3 3 1", "none.toml": "all.toml 1 1 0"}[start]

    def test_the_map_is_the_same_file_in_another_folder(self, reloading, project):
        project.write("elsewhere/all.toml", "no map")
        away = "import os; os.chdir('elsewhere')"
        lines, _ = reloading("prog", "prog.py", "prog.py", maps=("same",), first=away)
        assert lines[-1] == "same 3 3 1"


def test_a_program_has_its_own_dashes(project, launch, quiet):
    done = launch("run", "--map", quiet("shop"), "--", "shop.py", "--", "-m", "x")
    assert done.stdout == "4 ['--', '-m', 'x']\n"


NO_MAP = (
    "no map is given; write --map M, set INSTRUMENTATION_MAP, set map in [tool.ancestry_obs] of "
    "pyproject.toml, or call it obs.toml here"
)


NO_MAP = (
    "no map is given; write --map M, set INSTRUMENTATION_MAP, set map in [tool.ancestry_obs] of "
    "pyproject.toml, or call it obs.toml here"
)


class TestWhatIsWrongBeforeTheProgramStarts:
    @pytest.mark.parametrize(
        ("argv", "message"),
        [
            (["--", "shop.py"], NO_MAP),
            (["--map", "absent.toml", "--", "shop.py"], "absent.toml: no such file; maps that"),
            (["--map", "shop.toml", "--", "absent.py"], "absent.py: no such file; give the"),
            (["--map", "shop.toml", "--", "-m"], "-m: names no module; write '-- -m package."),
            (["--map", "shop.toml", "--", "no_such_x"], "no_such_x: no such file, nor a comm"),
            (["--map", "shop.toml", "--port", "70000", "--", "shop.py"], "METRICS_EXPORT_PORT"),
            (["--map", "shop.toml", "--textfile", "a.txt", "--", "shop.py"], "METRICS_TEXTFILE"),
            (["--map", "shop.toml"], "the following arguments are required: COMMAND"),
            (["--map", "absent.toml", "--", "sh", "-c", "echo 1"], "absent.toml: no such file; m"),
            (["--", "sh", "-c", "echo 1"], NO_MAP),
        ],
    )
    def test_one_line(self, project, launch, argv, message):
        done = launch("run", *argv)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"ancestry-obs: {message}")
        assert done.stderr.count("\n") == 1

    def test_every_mistake_of_the_map_and_nothing_of_the_program(self, project, launch):
        project.write("pkg/__init__.py", "print('imported')")
        project.write("pkg/mod.py", "print('run')")
        project.write("bad.toml", "version = 2\nx = 1\n")
        done = launch("run", "--map", "bad.toml", "--", "-m", "pkg.mod")
        assert (done.returncode, done.stdout) == (2, "")
        assert [line.split(": ")[:2] for line in done.stderr.splitlines()] == [
            ["ancestry-obs", "bad.toml:1"],
            ["ancestry-obs", "bad.toml:2"],
        ]

    def test_a_wrong_setting(self, project, launch):
        done = launch("run", "--map", "shop.toml", "--", "shop.py", METRICS_EXPORT_PORT="many")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("ancestry-obs: METRICS_EXPORT_PORT (metrics_export_port) is")


def test_the_map_may_come_from_the_environment_or_a_file(project, launch, quiet):
    project.write(".env", f"INSTRUMENTATION_MAP={quiet('shop')}\nMETRICS_TEXTFILE=b.prom\n")
    assert launch("run", "--", "shop.py").returncode == 0
    assert samples(project.path / "b.prom") == {"book": 1}


@pytest.mark.parametrize("joined", [True, False])
def test_packs_beside_a_map(project, launch, quiet, joined):
    pack = ["--pack=click"] if joined else ["--pack", "click"]
    ended = launch("run", "--map", quiet("shop"), *pack, "--textfile", "a.prom", "--", "shop.py")
    assert ended.returncode == 0, ended.stderr
    assert samples(project.path / "a.prom") == {"book": 1}
    assert 'target="click.core:Command.invoke"' in (project.path / "a.prom").read_text()


def test_packs_alone_are_the_map_in_every_process(project, launch, quiet):
    project.write("obs.toml", (project.path / quiet("shop")).read_text())
    # Twice: the second one is in another folder, and reads the map anew.
    code = "import ancestry_obs as o, os; os.chdir('/'); o.reload(); print(o.status().map)"
    shell = f'"$0" -c "{code}"; "$0" -c "{code}"'
    words = ("--pack", "click", "--pack", "click", "--port", "0", "bash", "-c", shell)
    ended = launch("run", *words, sys.executable)
    assert ended.stdout == "pack:click\n" * 2
    assert "click.core:Command.invoke" in ended.stderr


def test_the_map_may_be_the_folder_s(project, launch, quiet):
    (project.path / quiet("shop")).rename(project.path / "obs.toml")
    launch("run", "--textfile", "usual.prom", "--", "shop.py")
    (project.path / "obs.toml").rename(project.path / "mine.toml")
    project.write("pyproject.toml", '[tool.ancestry_obs]\nmap = "mine.toml"\n')
    launch("run", "--textfile", "project.prom", "--", "shop.py")
    expected = {"book": 1}
    assert samples(project.path / "usual.prom") == expected
    assert samples(project.path / "project.prom") == expected


def test_no_folder_of_woven_code_is_none(project, launch, quiet):
    project.write(".env", "METRICS_CODE_CACHE=off\n")
    before = {*project.path.iterdir()}
    assert launch("run", "--map", quiet("shop"), "--", "shop.py").returncode == 0
    made = {path.name for path in {*project.path.iterdir()} - before}
    assert made <= {"quiet.toml", "__pycache__"}


def test_a_mistake_in_the_project_file_is_one_line(project, launch):
    project.write("pyproject.toml", "[tool.ancestry_obs]\nmap = 5\n")
    done = launch("run", "--", "shop.py")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "ancestry-obs: pyproject.toml:2: tool.ancestry_obs.map: 5 is no file's name; write "
        '[tool.ancestry_obs] and below it map = "obs.toml", or its file\n'
    )


def test_what_was_never_reached_is_said_at_the_end(project, launch, quiet):
    names = "".join(
        f'[[hook]]\ntarget = "absent{number}:f"\nafter = "exporter.stop"\n' for number in range(6)
    )
    done = launch("run", "--map", quiet("shop", more=names), "--", "shop.py")
    assert done.stderr == (
        "ancestry-obs: never reached, so not measured: "
        + ", ".join(f"absent{n}:f (module 'absent{n}' is not imported yet)" for n in range(5))
        + " and 1 more\n"
    )


def test_what_is_rare_may_be_never_reached(project, launch, quiet):
    record = '[{ metric = "prices_total", labels = { name = "\'x\'" } }]'
    more = f'[[instrument]]\ntarget = "absent:f"\nrare = true\nrecord = {record}\n'
    done = launch("run", "--map", quiet("shop", more=more), "--", "shop.py")
    assert done.stderr == ""


def test_a_misspelt_target_in_the_program_itself_is_said(project, launch, quiet):
    more = '[[hook]]\ntarget = "shop:prise"\nafter = "exporter.stop"\n'
    done = launch("run", "--map", quiet("shop", more=more), "--", "shop.py")
    assert "'shop' has no 'prise'; did you mean 'price'?" in done.stderr


@pytest.mark.parametrize("end", ["sys.exit(3)", "raise ValueError('end')", "1"])
def test_the_textfile_is_written_however_the_program_ends(project, launch, quiet, end):
    with (project.path / "shop.py").open("a") as program:
        program.write(f"    {end}\n")
    done = launch("run", "--map", quiet("shop"), "--textfile", "a.prom", "--", "shop.py")
    assert done.returncode == {"s": 3, "r": 1, "1": 0}[end[0]]
    assert samples(project.path / "a.prom") == {"book": 1}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("words", [["shop.py"], ["-m", "shop"]], ids=["script", "module"])
def test_a_signal_ends_it_after_the_textfile_is_written(project, launch, quiet, number, words):
    (project.path / "elsewhere").mkdir()
    with (project.path / "shop.py").open("a") as program:
        program.write("    import os\n    os.chdir('elsewhere')\n    sys.stdout.flush()\n")
        program.write(f"    os.kill(os.getpid(), {int(number)})\n    print('went on')\n")
    done = launch("run", "--map", quiet("shop"), "--textfile", "a.prom", "--", *words)
    assert (done.returncode, done.stdout, done.stderr) == (-number, "4 []\n", "")
    assert samples(project.path / "a.prom") == {"book": 1}


@pytest.mark.live
def test_the_port_is_told_and_served(project, launch):
    project.write(
        "prog.py",
        """
        import re, sys, urllib.request
        import ancestry_obs
        print(urllib.request.urlopen(ancestry_obs.status().url).read().decode())
        """,
    )
    project.write("shop.toml", project.metrics)
    done = launch("run", "--map", "shop.toml", "--port", "0", "--", "prog.py")
    assert re.search(
        r"^ancestry-obs: metrics are served at http://127\.0\.0\.1:\d+/metrics$",
        done.stderr,
        re.MULTILINE,
    )
    assert "# TYPE ancestry_prices_total counter" in done.stdout


@pytest.mark.live
def test_a_taken_port_is_said_and_the_program_runs(project, launch):
    project.write("shop.toml", project.metrics)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = launch("run", "--map", "shop.toml", "--port", str(port), "--", "shop.py")
    assert (done.returncode, done.stdout) == (0, "4 []\n")
    (told,) = done.stderr.splitlines()
    assert told.startswith(
        f"ancestry-obs: metrics are not served: cannot serve metrics on 127.0.0.1:{port}: "
    )
    assert told.endswith("set METRICS_EXPORT_PORT to another port, or to 0 for any free one")


@pytest.mark.live
@pytest.mark.parametrize(
    ("number", "outcome"), [(signal.SIGTERM, "term"), (signal.SIGINT, "KeyboardInterrupt")]
)
def test_a_signal_reaches_the_program(project, script, environment, number, outcome):
    project.write(
        "prog.py",
        """
        import signal, sys, threading
        def ended(*_):
            print("term")
            sys.exit(7)
        signal.signal(signal.SIGTERM, ended)
        print("ready", flush=True)
        threading.Event().wait()
        """,
    )
    project.write("shop.toml", project.metrics)
    command = [*script, "run", "--map", "shop.toml", "--port", "0", "--", "prog.py"]
    with subprocess.Popen(
        command,
        cwd=project.path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "ready\n"
        url = process.stderr.readline().split()[-1]
        assert urllib.request.urlopen(url, timeout=10).status == 200
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == (7 if number == signal.SIGTERM else -signal.SIGINT)
    assert outcome in out + err
