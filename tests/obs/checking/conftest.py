"""What the tests of the checker share: programs that are written and never imported."""

from __future__ import annotations

import subprocess
from textwrap import dedent
from types import SimpleNamespace

import pytest

from ancestry_obs.checking.modules import Finder
from ancestry_obs.checking.program import Program
from ancestry_obs.checking.survey import Place, Survey
from ancestry_obs.exceptions import Where


@pytest.fixture
def write(tmp_path):
    """Write files of a program, by their path; packages get their `__init__`."""

    def write(files, *, packages=True):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            for folder in path.relative_to(tmp_path).parents[:-1] if packages else ():
                (tmp_path / folder / "__init__.py").touch()
            path.write_text(dedent(text))
        return tmp_path

    return write


@pytest.fixture
def survey(write):
    """Look for a target in a program that is made of some files."""

    def look(files, target, *, packages=True, is_class=False):
        folder = write(files, packages=packages)
        found = Survey(Program(Finder([str(folder)])))
        outcome = found.look(Place(target, Where("a.toml", 1, ""), is_class))
        return SimpleNamespace(
            targets=[each.target for each in outcome.found],
            loss=outcome.loss and f"{outcome.loss.message}; {outcome.loss.hint}",
            findings=[each.message for each in outcome.findings],
            doubt=outcome.doubt,
            found=outcome.found,
        )

    return look


@pytest.fixture
def commit():
    """Make a repository of a folder, with all that is in it as its first version."""

    def commit(folder):
        for arguments in (
            ["init", "-q"],
            ["add", "-A"],
            ["-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "First"],
        ):
            subprocess.run(["git", "-C", str(folder), *arguments], check=True, timeout=60)

    return commit
