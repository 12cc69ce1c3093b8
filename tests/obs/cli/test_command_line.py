from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from ancestry_obs.cli.command_line import by_shell, find
from ancestry_obs.exceptions import LaunchError

PYTHON = sys.executable
ISOLATED = (
    "-I: the option -I isolates Python from its environment, so that nothing would be measured; "
    "leave it out, or call ancestry_obs.install() in the program"
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Stand in a folder with one of each; `bin` in it is all that is on PATH."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "bin")

    def write(name, text="", *, executable=False):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if executable:
            path.chmod(path.stat().st_mode | stat.S_IXUSR)

    write("plain.py")
    write("direct.py", f"#!{PYTHON}\n", executable=True)
    write("headless.py", "print()\n", executable=True)
    write("app.pyz", "PK")
    write("direct.pyz", f"#!{PYTHON}\nPK", executable=True)
    write("folder/__main__.py")
    write("empty/other.py")
    write("bin/tool", f"#!{PYTHON}\n", executable=True)
    write("bin/isolated", f"#!{PYTHON} -I\n", executable=True)
    write("bin/by_env", "#!/usr/bin/env -S A=1 python3 -sE\n", executable=True)
    write("bin/shell", "#!/bin/sh -E\n", executable=True)
    write("bin/notes", "text")
    write("bin/python3.13", "", executable=True)
    write("bin/folder", "#!/bin/sh\n", executable=True)
    write("script", "#!/bin/sh\n")
    return write


@pytest.mark.parametrize(
    ("words", "file", "called", "is_python"),
    [
        (["plain.py", "-x"], PYTHON, [PYTHON, "plain.py", "-x"], True),
        (["./plain.py"], PYTHON, [PYTHON, "./plain.py"], True),
        (["headless.py"], PYTHON, [PYTHON, "headless.py"], True),
        (["direct.py", "a"], "direct.py", ["direct.py", "a"], False),
        (["app.pyz"], PYTHON, [PYTHON, "app.pyz"], True),
        (["direct.pyz"], "direct.pyz", ["direct.pyz"], False),
        (["./folder", "a"], PYTHON, [PYTHON, "./folder", "a"], True),
        # What is on PATH comes before a folder of that name, as in a shell.
        (["folder"], "bin/folder", ["folder"], False),
        (["-m", "pkg", "-m"], PYTHON, [PYTHON, "-m", "pkg", "-m"], True),
        (["-X", "dev", "-c", "1"], PYTHON, [PYTHON, "-X", "dev", "-c", "1"], True),
        (["tool", "-I"], "bin/tool", ["tool", "-I"], False),
        (["bin/tool"], "bin/tool", ["bin/tool"], False),
        (["shell"], "bin/shell", ["shell"], False),
        (["python3.13", "-X", "a", "p", "-E"], "bin/python3.13", None, True),
        (["python3.13", "-c", "1", "-I"], "bin/python3.13", None, True),
        (["python3.13", "-mEgg"], "bin/python3.13", None, True),
        (["python3.13", "-Xa", "-W", "-I", "-"], "bin/python3.13", None, True),
        (["python3.13", "--check-hash-based-pycs", "default"], "bin/python3.13", None, True),
    ],
)
def test_what_a_command_means(folder, words, file, called, is_python):
    found = find(words)
    assert (found.file, found.words) == (file, called or words)
    assert found.is_python == is_python


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-m"], "-m: names no module; write '-- -m package.module'"),
        (["absent.py"], "absent.py: no such file; give the program's path, or `-m module`"),
        (["bin/absent"], "bin/absent: no such file; give the program's path, or `-m module`"),
        (["absent"], "absent: no such file, nor a command on PATH; is it installed?"),
        (["empty"], "empty: is a folder without __main__.py; name the file in it, or use `-m`"),
        (
            ["notes"],
            "notes: no such file, nor a command on PATH; is it installed?",
        ),
        (
            ["./script"],
            "./script: is not executable; allow it by chmod +x, or name what runs it in front",
        ),
        (["-I", "plain.py"], ISOLATED),
        (["python3.13", "-sE", "x.py"], "python3.13: the option -E makes Python ignore its env"),
        (["python3.13", "-W", "a", "-S"], "python3.13: the option -S makes Python start without"),
        (["isolated"], f"isolated: {PYTHON} -I: the option -I isolates Python"),
        (["by_env"], "by_env: python3 -sE: the option -E makes Python ignore"),
    ],
)
def test_what_cannot_be_run_is_one_clear_line(folder, words, message):
    with pytest.raises(LaunchError) as caught:
        find(words)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "echo a\n", "# \N{BULLET}\necho a\0b\n", "#!\necho a\n"])
def test_a_shell_runs_what_has_no_first_line_for_the_system(folder, text):
    folder("bin/plain", text, executable=True)
    found = by_shell(find(["plain", "-x", "a b"]))
    assert (found.file, found.words) == ("/bin/sh", ["/bin/sh", "bin/plain", "-x", "a b"])
    assert not found.is_python


@pytest.mark.parametrize("text", ["\x7fELF\2\0", "MZ\0\n", "\0"])
def test_a_shell_runs_no_program_of_another_machine(folder, text):
    folder("bin/plain", text, executable=True)
    assert by_shell(find(["plain"])) is None


def test_a_shell_runs_nothing_that_it_cannot_read(folder):
    folder("bin/plain", "echo a\n", executable=True)
    found = find(["plain"])
    Path("bin/plain").unlink()
    assert by_shell(found) is None


def test_a_file_that_cannot_be_read_is_left_to_the_system(folder):
    folder("bin/binary", "", executable=True)
    Path("bin/binary").chmod(stat.S_IXUSR)
    assert os.access("bin/binary", os.X_OK)
    assert find(["binary"]).file == "bin/binary"
