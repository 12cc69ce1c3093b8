from __future__ import annotations

import json
import logging
import sys

import pytest

import ancestry_obs

RECORD = 'record = [{ metric = "prices_total", labels = { name = "%s" } }]\n'


def instrument(target: str, label: str = "'x'") -> str:
    return f'[[instrument]]\ntarget = "{target}"\n' + RECORD % label


def test_a_map_that_fits_its_program_is_fine(project, command):
    checked = command("check", "--import", "shop.toml")
    assert (checked.code, checked.err) == (0, "")
    assert checked.out.splitlines() == [
        "note: at most 13 series, of which 12 of prices_total",
        "shop.toml: fine",
    ]


def test_the_program_is_left_as_it_was(project, command):
    import shop

    before = {owner: dict(vars(owner)) for owner in (shop, shop.Cart)}
    path, level = list(sys.path), logging.getLogger("ancestry_obs").level
    command("check", "--import", "shop.toml")
    assert {owner: dict(vars(owner)) for owner in before} == before
    assert sys.path == path
    assert logging.getLogger("ancestry_obs").level == level
    assert not ancestry_obs.status().enabled


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        (
            instrument("shop:prise"),
            "shop.toml:9: instrument[0]",
            "shop:prise: error: 'shop' has no 'prise'; did you mean 'price'?",
        ),
        (
            instrument("shop:Cart.ad"),
            "shop.toml:9: instrument[0]",
            "shop:Cart.ad: error: 'shop:Cart' has no 'ad'; did you mean 'add'?",
        ),
        (
            instrument("shop:price", "nam"),
            "shop.toml:11: instrument[0].record[0]",
            "shop:price: error: cannot be woven: shop:price: unknown name 'nam'",
        ),
        (
            instrument("no_such_module_x:f"),
            "shop.toml:9: instrument[0]",
            "module 'no_such_module_x' cannot be imported: ModuleNotFoundError: No module named",
        ),
        (
            instrument("builtins:dict.get"),
            "shop.toml:9: instrument[0]",
            "builtins:dict.get: error: 'builtins:dict.get' is implemented in C",
        ),
        (
            instrument("shop:*prise"),
            "shop.toml:9: instrument[0]",
            "shop:*prise: error: ",
        ),
        (
            '[[sample]]\ntarget = "shop:Basket"\nmetric = "cart_items"\nvalue = "self.size()"\n',
            "shop.toml:9: sample[0]",
            "shop:Basket.__init__: error: 'shop' has no 'Basket'",
        ),
        (
            '[[hook]]\ntarget = "shop:shut"\nafter = "exporter.stop"\n',
            "shop.toml:9: hook[0]",
            "shop:shut: error: 'shop' has no 'shut'",
        ),
        (
            '[functions]\nlast = "shop:no_such_function"\n'
            + instrument("shop:price", "last(name)"),
            "shop.toml:11: instrument[0]",
            "functions.last: cannot import 'shop:no_such_function'",
        ),
        (
            instrument("shop:price", "name.__class__"),
            "shop.toml:11: instrument[0].record[0].labels.name",
            "'__class__'",
        ),
        (
            '[metrics.prices_totl]\ntype = "countr"\nhelp = "x"\n',
            "shop.toml:10: metrics.prices_totl.type",
            "found the text 'countr'; did you mean 'counter'?",
        ),
        ("[[instrument", "shop.toml:9", "not TOML"),
    ],
)
def test_each_finding_has_its_line(project, command, text, place, message):
    project.write("shop.toml", project.metrics + text)
    checked = command("check", "--import", "shop.toml")
    assert checked.code == 1
    first, *_, verdict = checked.out.splitlines()
    assert first.startswith(f"{place}: ")
    assert message in first
    assert verdict == "shop.toml: 1 finding"


def test_every_finding_is_told_at_once_and_once(project, command, caplog):
    text = instrument("shop:prise") + instrument("shop:pryce") + instrument("shop:price", "nam")
    project.write("shop.toml", project.metrics + text)
    checked = command("check", "--import", "shop.toml")
    assert checked.code == 1
    assert sum(" error: " in line for line in checked.out.splitlines()) == 3
    assert checked.out.endswith("shop.toml: 3 findings\n")
    assert caplog.messages == []


def test_a_module_that_cannot_be_imported_is_told_once(project, command):
    project.write("broken.py", "1 / 0")
    project.write("shop.toml", project.metrics + instrument("broken:f") + instrument("broken:g"))
    checked = command("check", "--import", "shop.toml")
    assert checked.out.splitlines()[0].startswith(
        "shop.toml:9: instrument[0]: module 'broken' cannot be imported: ZeroDivisionError:"
    )
    assert "pending" not in checked.out


def test_a_module_that_exits_or_prints_disturbs_nothing(project, command):
    project.write("loud.py", "print('loud')\nraise SystemExit(7)")
    project.write("shop.toml", project.metrics + instrument("loud:f"))
    checked = command("check", "--import", "--json", "shop.toml")
    assert checked.code == 1
    assert "SystemExit: 7" in json.loads(checked.out)["findings"][0]["message"]
    assert checked.err == "loud\n"


def test_every_module_under_a_glob_is_imported(project, command):
    project.write("market/__init__.py", "")
    project.write("market/stall.py", "def open_it(): ...")
    project.write("market/broken.py", "import no_such_module_x")
    project.write("shop.toml", project.metrics + instrument("market.*:open_*"))
    checked = command("check", "--import", "shop.toml")
    assert "module 'market.broken' cannot be imported" in checked.out
    assert "market.stall" in sys.modules
    assert checked.code == 1


def test_what_stays_unmeasured_is_a_note(project, command):
    project.write(
        "market.py", "import functools\n@functools.cache\ndef price(name): ...\nPRICES = [price]"
    )
    project.write("shop.toml", project.metrics + instrument("market:price"))
    checked = command("check", "--import", "shop.toml")
    (note,) = [line for line in checked.out.splitlines() if "not reached" in line]
    assert note.startswith("note: market:price: not reached, stays unmeasured: ")
    assert checked.code == 0


def test_the_same_for_programs(project, command):
    project.write("shop.toml", project.metrics + instrument("shop:prise"))
    answer = json.loads(command("check", "--import", "--json", "shop.toml").out)
    (finding,) = answer["findings"]
    assert (finding["source"], finding["line"], finding["key"]) == ("shop.toml", 9, "instrument[0]")
    assert finding["text"] == f"shop.toml:9: instrument[0]: {finding['message']}"
    assert [note.partition(": no ")[0] for note in answer["notes"]] == [
        "note: shop.toml:6: metrics.cart_items",
        "note: at most 13 series, of which 12 of prices_total",
    ]


def test_a_program_in_src_is_found_as_the_source_of_it_is(project, command):
    project.write("pyproject.toml", "[project]\nname = 'till'\n")
    project.write("src/till_of_src.py", "def price(): ...\n")
    project.write("till.toml", project.metrics + instrument("till_of_src:price"))
    path = [*sys.path]
    assert command("check", "till.toml").code == 0
    assert command("check", "--import", "till.toml").code == 0
    assert sys.path == path


def test_a_file_that_is_not_there_is_no_finding(project, command):
    checked = command("check", "--import", "absent.toml")
    assert (checked.code, checked.out) == (2, "")
    assert checked.err == "ancestry-obs: absent.toml: no such file; maps that ship: ancestry.toml\n"


def test_a_map_without_anything_is_fine(project, command):
    project.write("empty.toml", "version = 1\n")
    assert command("check", "--import", "empty.toml").out == "empty.toml: fine\n"


def test_the_shipped_map_fits_the_platform(command):
    checked = command("check", "--import", "ancestry")
    assert checked.code == 0, checked.out
    assert checked.out.endswith("ancestry: fine\n")
