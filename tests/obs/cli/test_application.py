from __future__ import annotations

import json
import re
from importlib.metadata import version

import pytest

from ancestry_obs.mapfile import json_schema


def test_the_version(command):
    assert command("--version").out == f"{version('ancestry-obs')}\n"


def test_help_names_every_command(command):
    helped = command("--help")
    assert helped.code == 0
    for name in (
        "run",
        "check",
        "list",
        "explain",
        "status",
        "top",
        "schema",
        "dashboards",
        "rules",
    ):
        assert re.search(rf"^    {name}\b", helped.out, re.MULTILINE)


def test_the_usage_of_run_has_the_program_once(command):
    usage, _, _ = " ".join(command("run", "--help").out.split()).partition(" positional")
    assert usage.endswith("[--textfile F] [--] COMMAND [ARGUMENT ...]")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ((), "the following arguments are required: COMMAND; 'ancestry-obs --help'"),
        (("chek",), "argument COMMAND: invalid choice: 'chek'"),
        (("check",), "the following arguments are required: M; 'ancestry-obs check --help'"),
        (("run", "--port", "many", "--", "x"), "argument --port: invalid int value: 'many'"),
        (
            ("run", "--map", "a.toml", "--map", "b.toml", "--", "x"),
            "--map is there twice; name one, with include = ['b.toml'] in it; 'ancestry-obs run ",
        ),
        (
            ("list", "a.toml", "b"),
            "unrecognized arguments: b; 'ancestry-obs list --help' shows what is allowed",
        ),
        (
            ("run", "--packs=flask", "--", "x"),
            "unrecognized arguments: --packs=flask; did you mean '--pack'? 'ancestry-obs run ",
        ),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(command, argv, message):
    wrong = command(*argv)
    assert (wrong.code, wrong.out) == (2, "")
    assert wrong.err.startswith(f"ancestry-obs: {message}")
    assert wrong.err.endswith(" shows what is allowed\n")
    assert wrong.err.count("\n") == 1


def test_the_schema(command):
    printed = command("schema")
    assert printed.code == 0
    assert json.loads(printed.out) == json_schema()


def test_the_installed_command(launch):
    done = launch("check", "shop.toml")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("shop.toml: fine\n")
