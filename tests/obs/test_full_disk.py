"""Every file that is written, where there is no space for it: whole as before, and one line.

The system refuses a file beyond a size as it refuses one on a full disk, and does so everywhere.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

NO_SPACE = {"largest_file": 100}
FULL = Path("/dev/full")
SHOP = """\
version = 1
[metrics.orders_total]
type = "counter"
help = "Orders."
"""


def names(folder):
    return sorted(each.name for each in folder.rglob("*") if ".tmp" in each.name)


@pytest.mark.parametrize("ending", ["", "os.kill(os.getpid(), 15)"])
def test_a_textfile(program, ending):
    file = program.folder / "shop.prom"
    file.write_text("before")
    done = program(ending, METRICS_TEXTFILE=str(file), **NO_SPACE)
    assert done.returncode == (-15 if ending else 0)
    assert done.stderr == (
        f"metrics are not written: cannot write {file}: File too large; its folder must exist and "
        "be writable, with space left\n"
    )
    assert file.read_text() == "before"
    assert names(program.folder) == []


@pytest.mark.live
def test_a_file_sd(program):
    file = program.folder / "workers.json"
    before = json.dumps([{"targets": ["other:1"]}])
    file.write_text(before)
    look = "print(ancestry_obs.status().exporter_error)"
    done = program(look, hook=False, METRICS_FILE_SD=str(file), **NO_SPACE)
    line = (
        f"cannot write {file}: File too large; its folder must exist and be writable, with space "
        "left\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, line, line)
    assert file.read_text() == before
    assert names(program.folder) == []


def test_a_code_cache(program):
    folder = program.folder / "cache"
    done = program(METRICS_CODE_CACHE=str(folder), **NO_SPACE)
    assert done.returncode == 0
    assert done.stderr == f"code cache {folder} is not used any more: File too large\n"
    assert list(folder.iterdir()) == []


def test_nobody_hears_of_the_code_cache_in_the_users_folder(program, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    # Python would leave what it has written of the toolkit's own bytecode files.
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path / "bytecode"))
    done = program(**NO_SPACE)
    assert (done.returncode, done.stderr) == (0, "")
    assert list((tmp_path / "home/ancestry-obs/code").iterdir()) == []


@pytest.fixture
def shop(tmp_path):
    path = tmp_path / "shop.toml"
    path.write_text(SHOP)
    return path


def command(*arguments, stdout=subprocess.PIPE, **more):
    start = "import sys; from ancestry_obs.cli import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", start, *map(str, arguments)],
        preexec_fn=partial(resource.setrlimit, resource.RLIMIT_FSIZE, (100, 100)),
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        **more,
    )


@pytest.mark.parametrize(
    ("name", "output", "written"),
    [("rules", "rules.yml", "rules.yml"), ("dashboards", "", "shop_overview.json")],
)
def test_what_a_command_writes(shop, name, output, written):
    file = shop.with_name(written)
    file.write_text("before")
    done = command(name, shop, "-o", shop.with_name(output) if output else shop.parent)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"ancestry-obs: {file}: cannot be written (File too large); name another place with -o\n"
    )
    assert file.read_text() == "before"
    assert names(shop.parent) == []


@pytest.mark.skipif(not FULL.exists(), reason="a device of Linux")
def test_a_device_is_written_to_and_not_replaced(shop):
    done = command("rules", shop, "-o", FULL)
    assert done.returncode == 2
    assert done.stderr.startswith(f"ancestry-obs: {FULL}: cannot be written (No space left on ")
    assert FULL.is_char_device()


def test_what_a_link_leads_to_is_replaced(shop):
    (shop.parent / "folder").mkdir()
    link = shop.with_name("rules.yml")
    link.symlink_to("folder/real.yml")
    from ancestry_obs.cli import main

    assert main(["rules", str(shop), "-o", str(link)]) == 0
    assert link.is_symlink()
    assert "groups:" in (shop.parent / "folder" / "real.yml").read_text()


@pytest.mark.skipif(not FULL.exists(), reason="a device of Linux")
@pytest.mark.parametrize("name", ["rules", "list", "schema", "check"])
def test_the_standard_output(shop, name):
    with FULL.open("w") as full:
        done = command(name, *([] if name == "schema" else [shop]), stdout=full)
    assert done.returncode == 2
    assert done.stderr == (
        "ancestry-obs: standard output cannot be written (No space left on device); send it "
        "elsewhere\n"
    )
