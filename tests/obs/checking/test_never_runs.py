"""`check` reads a program, and neither imports nor runs any of it; whatever the program is."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc

import pytest

from ancestry_obs.checking.checker import Checker
from ancestry_obs.checking.modules import Finder
from ancestry_obs.checking.program import Program
from ancestry_obs.mapfile import load_text

MAP = """\
version = 1
[metrics.calls_total]
type = "counter"
help = "Calls."
labels.kind = { max_values = 9 }
[functions]
kind = "harm.labels:kind"
[[instrument]]
target = ["harm.code:run", "harm.code:Job.*", "harm:*", "harm.*:*", "harm.code:made"]
record = [{ metric = "calls_total", labels = { kind = "kind(self)" }, on = "call", when = "1 > 0" }]
"""
HARM = """
    import pathlib
    {sign} = pathlib.Path({file!r})
    {sign}.unlink()

    def run(self): ...

    @{sign}.unlink
    def made(self): ...

    class Meta(type):
        def __new__(*args): {sign}.unlink()

    class Job(metaclass=Meta):
        def go(self: {sign}.unlink()) -> {sign}.unlink(): ...
"""


@pytest.fixture
def victim(write, tmp_path):
    """A program that deletes a file as soon as any of it runs, with the file."""
    file = tmp_path / "precious"
    file.write_text("still here")
    text = HARM.format(sign="sign", file=str(file))
    write({f"harm/{name}.py": text for name in ("__init__", "code", "labels", "other")})
    (tmp_path / "harm/__main__.py").write_text(f"open({str(file)!r}, 'w')")
    (tmp_path / "sitecustomize_not.py").write_text(f"open({str(file)!r}, 'w')")
    (tmp_path / "map.toml").write_text(MAP)
    return file


@pytest.mark.parametrize("options", [[], ["--json"], ["--format=github"], ["--fix"]])
def test_a_program_that_would_delete_a_file(victim, tmp_path, options):
    code = (
        "import sys; from ancestry_obs.cli import main\n"
        "code = main(sys.argv[1:])\n"
        "assert not [name for name in sys.modules if name.startswith('harm')]\n"
        "raise SystemExit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "check", *options, "map.toml"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert victim.read_text() == "still here"


def test_the_program_of_that_test_does_delete_it(victim, tmp_path):
    subprocess.run([sys.executable, "-c", "import harm"], cwd=tmp_path, check=False, timeout=60,
                   capture_output=True)  # fmt: skip
    assert not victim.exists()


def test_a_repository_s_own_commands_are_not_run(victim, tmp_path, commit):
    (tmp_path / ".gitattributes").write_text("*.py diff=harm filter=harm\n")
    commit(tmp_path)
    keys = ("diff.harm.textconv", "filter.harm.smudge", "core.fsmonitor", "core.pager")
    for key in (*keys, "gpg.program"):
        subprocess.run(
            ["git", "-C", str(tmp_path), "config", key, f"rm -f {victim}; cat"], check=True
        )
    subprocess.run(["git", "-C", str(tmp_path), "config", "log.showSignature", "true"], check=True)
    code = tmp_path / "harm/code.py"
    code.write_text(code.read_text().replace("def run(", "def carry_out("))
    verdict = Checker(Program(Finder([str(tmp_path)]))).check(load_text(MAP, "map.toml"))
    assert verdict.renames == {"harm.code:run": "harm.code:carry_out"}
    assert victim.exists()


def test_a_module_of_fifty_thousand_lines(write):
    block = "\n\ndef work_{n}(a, b=1):\n    if a:\n        return b\n    c = a + b\n    return c\n"
    text = "".join(block.format(n=n) for n in range(7200))
    assert text.count("\n") > 50_000
    folder = write({"big.py": text})
    checker = Checker(Program(Finder([str(folder)])))
    spec = load_text(
        'version = 1\n[metrics.n_total]\ntype = "counter"\nhelp = "x"\n[[instrument]]\n'
        'target = ["big:work_7199", "big:*"]\nrecord = [{ metric = "n_total" }]\n', "a.toml",
    )  # fmt: skip
    tracemalloc.start()
    verdict = checker.check(spec)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert verdict.findings == []
    assert peak < 300e6
