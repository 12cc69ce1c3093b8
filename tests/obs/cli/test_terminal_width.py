"""Every report on packs can be read on a terminal of 80 columns: no line is wider than that.

A word that is wider stands alone on its line, so that it can be copied. The code of a function,
which `explain` prints, is as wide as it is.
"""

from __future__ import annotations

import json
import re

import pytest

from ancestry_obs.cli import application
from ancestry_obs.cli.listing import uses
from ancestry_obs.cli.output import broken, table
from ancestry_obs.cli.status import describe
from ancestry_obs.installation_status import Status, TargetStatus
from ancestry_obs.mapfile import load
from ancestry_obs.mapfile.map_files import PACK, packs_there_are

PACKS = [f"{PACK}{each}" for each in packs_there_are()]
# Many commands in one process: a process of its own takes each of them longer than all it does.
MANY = """
import json, sys
from ancestry_obs.cli import main
for words in json.loads(sys.argv[1]):
    print("$", *words)
    try:
        main(words)
    except SystemExit:
        pass
"""


def too_wide(text, columns=80):
    """Give the lines that are too wide and could be less so; commands are lines of this test."""
    lines = (line for line in text.splitlines() if not line.startswith("$ "))
    return [line for line in lines if len(line) > columns and len(line.split()) > 1]


def without_code(text):
    """Leave out the functions that `explain` prints."""
    code = r"^\S+, with the statements in it:\n(?:.*\n)*?(?=\$ |\n\S+:\S+\n  |\Z)"
    return re.sub(code, "", text, flags=re.MULTILINE)


@pytest.fixture
def told(shown, project):
    """Run some commands on a terminal; give what they print."""

    def run(*commands, **options):
        options = {"NO_COLOR": "1", **options}
        text = shown(json.dumps(commands), program=MANY, **options)
        assert text.count("$ ") >= len(commands)
        assert "Traceback (most" not in text
        return text

    return run


@pytest.mark.parametrize("columns", [80, 100])
@pytest.mark.parametrize("command", ["list", "check"])
def test_of_each_pack(told, command, columns):
    text = told(["packs"], *([command, pack] for pack in PACKS), columns=columns)
    assert not too_wide(text, columns)


def test_what_differs_between_packs(told):
    pairs = zip(PACKS, PACKS[1:] + PACKS[:1], strict=True)
    text = told(*(["diff", *pair] for pair in pairs))
    assert "breaks" in text
    assert not too_wide(text)


def test_all_that_can_be_explained(told):
    commands = []
    for pack in PACKS:
        metrics = [each.name for each in load(pack).metrics]
        commands += [["explain", pack, word] for word in ("*", *metrics)]
    text = told(*commands)
    assert "woven inline" in text
    assert not too_wide(without_code(text))


def test_what_is_written_elsewhere(told):
    commands = [["rules", pack, "-o", f"{number}.yml"] for number, pack in enumerate(PACKS)]
    text = told(*commands, ["suggest", "shop", "-o", "new.toml"])
    assert "wrote" in text
    assert not too_wide(text)


def test_what_a_pack_costs(told, project):
    pytest.importorskip("jinja2", reason="the library is not installed")
    project.write("page.py", "import jinja2\njinja2.Template('{{ 1 + 1 }}').render()\n")
    text = told(["cost", "pack:jinja2", "--rounds", "1", "--", "page.py"])
    assert "jinja2.environment:Template.render" in text
    assert not too_wide(re.sub(r".*\r\x1b\[K", "", text))


def test_the_status_of_each_pack():
    for pack in PACKS:
        rows = [
            TargetStatus(each.target, "installed", "because of " * 20) for each in uses(load(pack))
        ]
        assert not too_wide(describe(Status(enabled=True, map=pack, targets=tuple(rows)), 80))


def test_help_of_each_command(told):
    names = [each.__name__.rpartition(".")[2] for each in application._COMMANDS]
    names[names.index("listing")] = "list"
    assert not too_wide(told(*([name, "--help"] for name in names)))


def test_cells_without_room_stand_below_the_others():
    rows = [("a" * 12, "x", 1, "said in words"), ("a" * 12, "x", 22, "more"), ("b", "", 3, "")]
    assert table(("NAME", "KIND", "SIZE", "WORDS"), rows, 20).splitlines() == [
        "NAME          KIND",
        "  SIZE",
        "    WORDS",
        "aaaaaaaaaaaa  x",
        "     1",
        "    said in words",
        "    22",
        "    more",
        "b",
        "     3",
    ]


def test_a_word_is_never_broken():
    assert broken("  to " + "x" * 30, 20, "    ") == ["  to", "    " + "x" * 30]
    assert broken("  to  be", None) == ["  to  be"]
