from __future__ import annotations

import re
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path

import pytest

from ancestry_obs.cli.run import protect

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


def test_a_program_has_its_own_dashes(project, launch, quiet):
    done = launch("run", "--map", quiet("shop"), "--", "shop.py", "--", "-m", "x")
    assert done.stdout == "4 ['--', '-m', 'x']\n"


@pytest.mark.parametrize(
    ("argv", "protected"),
    [
        (["run", "-m", "x", "-y"], ["run", "--", "-m", "x", "-y"]),
        (["run", "--", "a.py", "-m"], ["run", "--", "a.py", "-m"]),
        (["run", "a.py"], ["run", "a.py"]),
        (["check", "-m"], ["check", "-m"]),
    ],
)
def test_what_belongs_to_the_program_is_protected(argv, protected):
    assert protect(argv) == protected


class TestWhatIsWrongBeforeTheProgramStarts:
    @pytest.mark.parametrize(
        ("argv", "message"),
        [
            (["--", "shop.py"], "no map is given; write --map M, or set INSTRUMENTATION_MAP"),
            (["--map", "absent.toml", "--", "shop.py"], "absent.toml: no such file; maps that"),
            (["--map", "shop.toml", "--", "absent.py"], "absent.py: no such file; give the"),
            (["--map", "shop.toml", "--", "-m"], "-m: names no module; write '-- -m package."),
            (["--map", "shop.toml", "--", "-m", "no_such_x"], "-m no_such_x: no module of that"),
            (["--map", "shop.toml", "--port", "70000", "--", "shop.py"], "METRICS_EXPORT_PORT"),
            (["--map", "shop.toml", "--textfile", "a.txt", "--", "shop.py"], "METRICS_TEXTFILE"),
            (["--map", "shop.toml"], "the following arguments are required: -- PROGRAM"),
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
