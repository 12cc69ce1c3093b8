"""The pack of click, against click: its counts are those of the program itself."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
import click
import sys

@click.group(invoke_without_command=True)
def shop(): pass

@shop.group()
def items(): pass

@items.command()
@click.argument("way")
def add(way):
    context = click.get_current_context()
    match way:
        case "fails": raise click.ClickException("no")
        case "raises": raise ValueError(way)
        case "aborts": raise click.Abort
        case "leaves": context.exit()
        case "leaves badly": context.exit(3)
        case "ends": sys.exit()
        case "ends badly": sys.exit(4)

class Bare(click.Group): pass  # without a function of its own

bare = Bare("bare", commands={"add": add})
for way in ("fails", "raises", "aborts", "leaves", "leaves badly", "ends", "ends badly", "works"):
    for command, words in ((shop, ["items", "add", way]), (bare, ["add", way])):
        try:
            command.main(words, prog_name=command.name)
        except (SystemExit, ValueError):
            pass
shop.main(["--lost"], prog_name="shop", standalone_mode=True)
"""
COUNTS = {
    'cli_command_duration_seconds_count{command="shop",outcome="success"} 8.0',
    'cli_command_duration_seconds_count{command="shop items",outcome="success"} 8.0',
    'cli_command_duration_seconds_count{command="shop items add",outcome="success"} 3.0',
    'cli_command_duration_seconds_count{command="shop items add",outcome="error"} 5.0',
    'cli_command_duration_seconds_count{command="bare add",outcome="success"} 3.0',
    'cli_command_duration_seconds_count{command="bare add",outcome="error"} 5.0',
    *(
        f'cli_command_errors_total{{command="{command} add",error_type="{kind}"}} 1.0'
        for command in ("shop items", "bare")
        for kind in (
            "click.exceptions.ClickException",
            "click.exceptions.Abort",
            "click.exceptions.Exit",
            "ValueError",
            "SystemExit",
        )
    ),
    "cli_commands_active 0.0",
}


def test_commands_and_how_they_end(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM, "utf-8")
    command = [sys.executable, "-m", "ancestry_obs", "run", "--map", "pack:click", "--port", "0"]
    command += ["--textfile", "page.prom", "--", "program.py"]
    ended = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, env=os.environ
    )
    assert ended.returncode == 2, ended.stderr  # of the option that there is not
    page = (tmp_path / "page.prom").read_text("utf-8").splitlines()
    counted = {
        each for each in page if each.startswith("cli_") and not each.split("{")[0].endswith("sum")
    }
    assert {each for each in counted if "_bucket" not in each} == COUNTS
    assert (
        'ancestry_obs_target_info{state="installed",target="click.core:Command.invoke"} 1.0' in page
    )
