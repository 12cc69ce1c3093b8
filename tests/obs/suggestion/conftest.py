"""What the tests of suggestions share: programs that are traced, and sources that are read."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

import pytest

from ancestry_obs.checking.checker import Checker
from ancestry_obs.checking.modules import Finder
from ancestry_obs.checking.program import Program
from ancestry_obs.suggestion.candidates import Source
from ancestry_obs.suggestion.traced_command import trace


@pytest.fixture
def write(tmp_path):
    """Write files of a program; gives its folder."""

    def write(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text))
        return tmp_path

    return write


@pytest.fixture
def traced(write, monkeypatch):
    """Trace a program in a process of its own; gives what it did, with what was called by name."""

    def run(source, *, package="prog", words=("prog.py",), **files):
        folder = write({"prog.py": source, **{f"{name}.py": text for name, text in files.items()}})
        monkeypatch.chdir(folder)
        result = trace(package, sys.executable, [sys.executable, *words], output=subprocess.DEVNULL)
        by_name = {each.target: each for each in result.functions}
        return result, by_name

    return run


@pytest.fixture
def checker(tmp_path):
    """Give what checks maps of the program that was written."""

    def make():
        return Checker(Program(Finder([str(tmp_path), *sys.path])))

    return make


@pytest.fixture
def source(write):
    """Read a program's source for candidates."""

    def read(files):
        return Source(Program(Finder([str(write(files)), *sys.path])))

    return read
