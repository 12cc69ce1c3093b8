"""The hook for pre-commit, as the real pre-commit installs and runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
MAP = """\
version = 1
[metrics.prices_total]
type = "counter"
help = "Prices."
[[instrument]]
target = "shop:price"
record = [{ metric = "prices_total" }]
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Give the folder in which pre-commit keeps the environments that it makes."""
    return tmp_path_factory.mktemp("pre-commit")


@pytest.fixture
def project(tmp_path):
    """Make a repository with a program, its map, and the hook."""
    git("init", "--quiet", cwd=tmp_path)
    (tmp_path / "shop.py").write_text("def price(name): ...\nraise SystemExit('imported')\n")
    (tmp_path / "obs.toml").write_text(MAP)
    head = git("rev-parse", "HEAD", cwd=REPOSITORY).strip()
    (tmp_path / ".pre-commit-config.yaml").write_text(
        f"repos: [{{repo: '{REPOSITORY}', rev: {head}, hooks: [{{id: ancestry-obs-check}}]}}]\n"
    )
    git("add", ".", cwd=tmp_path)
    return tmp_path


def git(*words, cwd):
    return subprocess.run(
        ["git", *words], cwd=cwd, capture_output=True, text=True, check=True
    ).stdout


def commit_checked(project, home):
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "run"],
        cwd=project,
        env={**os.environ, "PRE_COMMIT_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_map_that_fits_may_be_committed(project, home):
    code, out = commit_checked(project, home)
    assert (code, "Passed" in out) == (0, True), out


def test_a_program_that_leaves_its_map_behind_may_not(project, home):
    text = (project / "shop.py").read_text().replace("price", "prise")
    (project / "shop.py").write_text(text)
    git("add", "shop.py", cwd=project)
    code, out = commit_checked(project, home)
    assert code == 1
    assert "obs.toml:5: instrument[0]: 'shop' has no 'price'; did you mean 'shop:prise'?" in out
