"""Each pack against the source of the library that is installed: `check` has nothing to say."""

from __future__ import annotations

import pytest

from ancestry_obs.cli import main


@pytest.mark.parametrize("pack", ["boto3", "celery", "jinja2", "redis", "sqlalchemy"])
def test_check_finds_nothing(pack, pack_file, capsys):
    path = pack_file(pack)
    code = main(["check", str(path)])
    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if not line.startswith("note:")] == [f"{path}: fine"]
    assert code == 0
