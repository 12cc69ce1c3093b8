"""The examples of docs/deployment as the libraries read them; `test_deployment.py` runs them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from supervisor.options import ServerOptions

DEPLOYMENT = Path(__file__).parents[2] / "docs/deployment"
CHECK = (Path(sys.executable).with_name("ancestry-obs"), "check", "obs.toml")


@pytest.mark.parametrize("program", ["gunicorn", "uvicorn", "celery"])
def test_the_map_fits_the_program(program):
    done = subprocess.run(
        CHECK,
        cwd=DEPLOYMENT / program,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.endswith("\nobs.toml: fine\n"), done.stdout + done.stderr


def test_supervisord_reads_its_file(tmp_path):
    text = (DEPLOYMENT / "supervisord.conf").read_text("utf-8")
    (tmp_path / "supervisord.conf").write_text(text.replace("/srv/shop", str(tmp_path)))
    options = ServerOptions()
    options.realize(["-c", str(tmp_path / "supervisord.conf")])
    (group,) = options.process_group_configs
    (program,) = group.process_configs
    assert program.command.startswith(f"{tmp_path}/venv/bin/ancestry-obs run ")
    assert program.environment == {"METRICS_NAMESPACE": "shop", "METRICS_EXPORT_PORT": "9000"}
    # An unknown key is passed over, so what the page says of the others is asked for.
    assert (program.stopsignal, program.stopwaitsecs) == (signal.SIGTERM, 35)
    assert (program.stopasgroup, program.killasgroup) == (False, True)
    assert program.redirect_stderr
