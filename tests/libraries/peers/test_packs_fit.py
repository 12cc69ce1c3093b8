"""Each pack against the source of the library that is installed: `check` has nothing to say."""

from __future__ import annotations

import itertools

import pytest

from ancestry_obs.cli import main
from ancestry_obs.mapfile import load

PACKS = ("boto3", "celery", "jinja2", "redis", "sqlalchemy")


@pytest.mark.parametrize("pack", PACKS)
def test_check_finds_nothing(pack, capsys):
    code = main(["check", f"pack:{pack}"])
    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if not line.startswith("note:")] == [f"pack:{pack}: fine"]
    assert code == 0


@pytest.mark.parametrize("packs", [*itertools.combinations(PACKS, 2)], ids=" ".join)
def test_two_packs_go_together(packs):
    both = load({"version": 1, "include": [f"pack:{each}" for each in packs]})
    alone = [load(f"pack:{each}") for each in packs]
    assert set(both.metrics) == {metric for each in alone for metric in each.metrics}
