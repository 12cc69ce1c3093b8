"""`check` as people and programs use it: what is told of a map, where, in which form."""

from __future__ import annotations

import json

import pytest

from ancestry_obs.checking import checker

RECORD = 'record = [{ metric = "prices_total", labels = { name = "%s" } }]\n'

UNFED = (
    "shop.toml:6: metrics.cart_items: no instrument and no sample feeds it; give it a record, or "
    "feed it by ancestry_obs.metrics().cart_items"
)


def instrument(target, label="'x'"):
    return f'[[instrument]]\ntarget = "{target}"\n' + RECORD % label


def test_a_map_that_fits_its_program_is_fine(project, command):
    checked = command("check", "shop.toml")
    assert (checked.code, checked.err) == (0, "")
    assert checked.out.splitlines() == [
        "note: at most 13 series, of which 12 of prices_total",
        "shop.toml: fine",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            instrument("shop:prise"),
            "shop.toml:9: instrument[0]: 'shop' has no 'prise'; did you mean 'shop:price'?",
        ),
        (
            instrument("shop:Cart.ad"),
            "shop.toml:9: instrument[0]: 'shop:Cart' has no 'ad'; did you mean 'shop:Cart.add'?",
        ),
        (
            instrument("shop:price", "nam"),
            (
                "shop.toml:11: instrument[0].record[0]: shop:price: unknown name 'nam'; did you "
                "mean 'name'? known are elapsed, error, name, result (in 'nam', column 1)"
            ),
        ),
        (
            instrument("shpo:price"),
            "shop.toml:9: instrument[0]: there is no module 'shpo' (looked in .",
        ),
        (
            instrument("builtins:dict.get"),
            (
                "shop.toml:9: instrument[0]: 'builtins:dict.get' is implemented in C and cannot be "
                "replaced; name a Python caller of it"
            ),
        ),
        (
            instrument("math:sqrt"),
            (
                "shop.toml:9: instrument[0]: 'math' is implemented in C and cannot be replaced; "
                "name a Python caller of it"
            ),
        ),
        (
            instrument("shop:*prise"),
            "shop.toml:9: instrument[0]: 'shop:*prise' matches nothing that 'shop' defines",
        ),
        (
            instrument("shop:Cart"),
            "shop.toml:9: instrument[0]: 'shop:Cart' is a class; name a method of it, such as",
        ),
        (
            '[[sample]]\ntarget = "shop:Cat"\nmetric = "cart_items"\nvalue = "self.size()"\n',
            "shop.toml:9: sample[0]: 'shop' has no 'Cat'; did you mean 'shop:Cart'?",
        ),
        (
            '[[sample]]\ntarget = "shop:Cart"\nmetric = "cart_items"\nvalue = "self.sise()"\n',
            (
                "shop.toml:9: sample[0]: shop:Cart.__init__: 'shop:Cart' has no attribute 'sise'; "
                "did you mean 'size'? (in 'self.sise()')"
            ),
        ),
        (
            '[[hook]]\ntarget = "shop:shut"\nafter = "exporter.stop"\n',
            "shop.toml:9: hook[0]: 'shop' has no 'shut'",
        ),
        ("[[instrument", "shop.toml:9: not TOML"),
    ],
)
def test_each_finding_has_its_line(project, command, text, told):
    project.write("shop.toml", project.metrics + text)
    checked = command("check", "shop.toml")
    assert checked.code == 1
    first, *_, verdict = checked.out.splitlines()
    assert first.startswith(told)
    assert verdict == "shop.toml: 1 finding"


def test_what_the_source_does_not_tell_is_neither_fine_nor_wrong(project, command):
    project.write("made.py", "class Cart: ...\nsetattr(Cart, 'add', lambda self: 1)\n")
    project.write("shop.toml", project.metrics + instrument("made:Cart.add"))
    checked = command("check", "shop.toml")
    use = "cannot be told from the source; use --import"
    assert checked.code == 0
    assert checked.out.splitlines()[0] == (
        f"shop.toml:9: instrument[0]: made:Cart.add: {use} "
        "('made:Cart' does not show 'add', but has setattr in line 2)"
    )
    assert checked.out.splitlines()[-1] == f"shop.toml: 1 target {use}"
    assert command("check", "--import", "shop.toml").out.endswith("shop.toml: fine\n")


def test_a_package_of_which_nothing_can_be_told_is_not_fine(project, command):
    text = "globals().update(f=1)\n"
    project.write("made/__init__.py", text)
    project.write("made/part.py", text)
    target = instrument("made:*").replace('"made:*"', '["made:*", "made.*:*"]')
    project.write("shop.toml", project.metrics + target)
    assert command("check", "shop.toml").out.splitlines()[-1] == (
        "shop.toml: 2 targets cannot be told from the source; use --import"
    )
    project.write("made/part.py", "def f(): ...\n")
    assert command("check", "shop.toml").out.splitlines()[-1] == "shop.toml: fine"


def test_a_package_whose_own_module_is_empty_is_fine(project, command):
    project.write("market/__init__.py", "")
    project.write("market/stall.py", "def open_it(): ...")
    target = instrument("market:*").replace('"market:*"', '["market:*", "market.*:*"]')
    project.write("shop.toml", project.metrics + target)
    assert command("check", "shop.toml").out.splitlines()[-1] == "shop.toml: fine"
    project.write("shop.toml", project.metrics + instrument("market:*"))
    assert "matches nothing that 'market' defines" in command("check", "shop.toml").out


def test_a_module_without_python_is_told_beside_what_fits(project, command):
    project.write("market/__init__.py", "")
    project.write("market/stall.py", "def open_it(): ...")
    project.write("market/broken.py", "def open_it(:")
    project.write("shop.toml", project.metrics + instrument("market.*:open_*"))
    checked = command("check", "shop.toml")
    assert checked.code == 1
    assert checked.out.startswith(
        "shop.toml:9: instrument[0]: the module 'market.broken': it is no Python in line 1: "
    )


def test_what_decorators_do_is_a_note(project, command):
    project.write("market.py", "import functools\n@functools.cache\ndef price(name): ...\n")
    project.write("shop.toml", project.metrics + instrument("market:price"))
    (note,) = [e for e in command("check", "shop.toml").out.splitlines() if "@functools" in e]
    assert note == (
        "note: market:price: @functools.cache answers by itself: each call is counted by a proxy, "
        "and what has taken the bare object elsewhere is not; "
        'at = "definition" counts only where it has no answer'
    )
    at = 'at = "definition"\n'
    project.write("shop.toml", project.metrics + instrument("market:price") + at)
    assert "@functools" not in command("check", "shop.toml").out


MESSY = """\
# A map of my own: 'shop:prise' is 'shop:prise' here.\r
version = 1\r
[metrics.prices_total]   # counts "shop:prise"
type = "counter"
help = "Not 'shop:prise'."
[[instrument]]
target = [ 'shop:prise',	"shop:price", "shop:open_shop" ] # shop:prise
  record = [{ metric='prices_total' }]

[[hook]]
target = '''shop:open_sho'''
after = "exporter.start"
"""


def test_new_names_are_written_and_nothing_else(project, command):
    path = project.path / "shop.toml"
    path.write_bytes(MESSY.encode().replace(b'"shop:price", ', b""))
    path.chmod(0o640)
    fixed = command("check", "--fix", "shop.toml")
    assert fixed.code == 0
    assert fixed.out.splitlines() == [
        "shop.toml: shop:prise is shop:price now",
        "shop.toml: shop:open_sho is shop:open_shop now",
        "note: at most 1 series, of which 1 of prices_total",
        "shop.toml: fine",
    ]
    expected = MESSY.replace("[ 'shop:prise',", "[ 'shop:price',").replace('"shop:price", ', "")
    expected = expected.replace("'''shop:open_sho'''", "'''shop:open_shop'''")
    assert path.read_bytes().decode() == expected
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_map_behind_a_link_is_mended_where_it_is(project, command):
    project.write("maps/real.toml", project.metrics + instrument("shop:prise"))
    (project.path / "link.toml").symlink_to("maps/real.toml")
    assert command("check", "--fix", "link.toml").code == 0
    assert (project.path / "link.toml").is_symlink()
    assert "shop:price" in (project.path / "maps/real.toml").read_text()


def test_included_files_are_mended_and_packs_are_not(project, command):
    project.write("maps/common.toml", project.metrics + instrument("shop:prise"))
    mine = 'version = 1\ninclude = ["common.toml", "pack:click"]\n' + instrument("shop:Cart.ad")
    project.write("maps/mine.toml", mine)
    told = command("check", "maps/mine.toml").out.splitlines()
    assert told[0].startswith("maps/mine.toml:3: instrument[0]: 'shop:Cart' has no 'ad'; did you")
    assert told[1].startswith("maps/common.toml:9: instrument[0]: 'shop' has no 'prise'; did you")
    assert command("check", "--fix", "maps/mine.toml").out.splitlines()[:2] == [
        "maps/common.toml: shop:prise is shop:price now",
        "maps/mine.toml: shop:Cart.ad is shop:Cart.add now",
    ]
    assert "shop:price" in (project.path / "maps/common.toml").read_text()
    (project.path / "maps/common.toml").write_text("version = 1\nmetric = 3\n")
    told = command("check", "--format", "github", "maps/mine.toml").out.splitlines()
    assert told[1].startswith("::error file=maps/common.toml,line=2,title=metric::")


def test_a_map_that_cannot_be_written_stays_as_it_was(project, command, monkeypatch):
    text = project.metrics + instrument("shop:prise")
    project.write("shop.toml", text)

    def refuse(target, data):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("ancestry_obs.cli.check.replace_file", refuse)
    fixed = command("check", "--fix", "shop.toml")
    assert fixed.code == 2
    assert fixed.err == (
        "ancestry-obs: shop.toml: cannot be mended (Permission denied); "
        "make it and its folder writable\n"
    )
    assert (project.path / "shop.toml").read_text() == text


def test_a_map_that_a_new_name_would_break_stays_as_it_was(project, command, monkeypatch):
    def misspelt(text, names):
        return text.replace("shop:prise", "shop.price")

    project.write("common.toml", project.metrics + instrument("shop:prise"))
    path = project.write("shop.toml", "version = 1\ninclude = ['common.toml']\n")
    before = (project.path / "common.toml").read_text()
    path.chmod(0o640)
    monkeypatch.setattr("ancestry_obs.cli.check.renamed", misspelt)
    fixed = command("check", "--fix", "shop.toml")
    assert fixed.code == 1
    assert "did you mean 'shop:price'?" in fixed.out
    assert "note: not mended, since the map would have a mistake: common.toml:10:" in fixed.out
    assert " now" not in fixed.out
    assert (project.path / "common.toml").read_text() == before
    assert path.stat().st_mode & 0o777 == 0o640


def test_what_a_decorator_may_leave_of_a_class_is_a_note(project, command):
    shop = "def keep(cls): return cls\n"
    shop += "from absent import unknown\n"
    for name, decorators in (("One", "@keep\n"), ("Two", "@unknown\n")):
        shop += f"{decorators}class {name}:\n    def add(self): ...\n    def drop(self): ...\n"
    project.write("till.py", shop)
    names = [f"till:{name}.{method}" for name in ("One", "Two") for method in ("add", "drop")]
    text = "".join(instrument(each, "'x'") for each in names)
    project.write("till.toml", project.metrics + text)
    checked = command("check", "till.toml")
    told = [line for line in checked.out.splitlines() if "leaves of it" in line]
    why = "what @unknown leaves of it cannot be told from the source"
    assert told == [f"note: till:Two: {why}; use --import"]
    assert checked.code == 0


@pytest.mark.parametrize(
    ("label", "told"),
    [
        ('["price"]', "does not list 'open_shop', which becomes 'other'"),
        ('["price", "open_shop"]', ""),
        ("{ max_values = 1 }", ""),
    ],
)
def test_a_target_s_name_that_a_label_does_not_list_is_a_note(project, command, label, told):
    text = (
        f'version = 1\n[metrics.n_total]\ntype = "counter"\nhelp = "x"\nlabels.item = {label}\n'
        '[[instrument]]\ntarget = ["shop:price", "shop:open_shop"]\n'
        'record = [{ metric = "n_total", labels = { item = "target.name" } }]\n'
    )
    project.write("shop.toml", text)
    checked = command("check", "shop.toml")
    notes = [line for line in checked.out.splitlines() if "does not list" in line]
    place = "note: shop.toml:8: instrument[0].record[0]: the label 'item' "
    assert (checked.code, notes) == (0, [place + told] if told else [])


def test_a_map_with_a_byte_order_mark_keeps_it(project, command):
    text = "\ufeff" + (project.metrics + instrument("shop:prise")).replace("\n", "\r\n")
    path = project.path / "shop.toml"
    path.write_bytes(text.encode())
    assert command("check", "--fix", "shop.toml").code == 0
    assert path.read_bytes().decode() == text.replace("shop:prise", "shop:price")


INITIALIZED = """\
from dataclasses import dataclass
@dataclass(frozen=True)
class Base:
    item: str
@dataclass(slots=True, frozen=True)
class Line(Base):
    count: int = 1
class Plain:
    item = 1
class Vault:
    def __turn(self, __key, *__rest, __way=1, **__more): ...
"""


@pytest.mark.parametrize(
    ("target", "name", "code"),
    [
        ("Base.__init__", "item", 0),
        ("Line.__init__", "item", 0),
        ("Line.__init__", "count", 0),
        ("Line.__init__", "other", 1),
        ("Plain.__init__", "item", 1),
        ("Vault._Vault__turn", "_Vault__key", 0),
        ("Vault._Vault__turn", "_Vault__rest", 0),
        ("Vault._Vault__turn", "_Vault__way", 0),
        ("Vault._Vault__turn", "_Vault__more", 0),
        ("Vault._Vault__turn", "_Vault__no", 1),
    ],
)
def test_parameters_that_python_writes_or_names(project, command, target, name, code):
    project.write("till.py", INITIALIZED)
    project.write("till.toml", project.metrics + instrument(f"till:{target}", f"text({name})"))
    assert command("check", "till.toml").code == code


def test_standard_input_is_read_once(project, command, standard_input):
    standard_input(project.map.encode())
    refused = command("check", "-", "shop.toml", "-")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err == (
        "ancestry-obs: -: standard input can be read once; name files for the other maps\n"
    )


def test_several_maps_and_a_folder(project, command):
    project.write("maps/good.toml", project.map)
    project.write("maps/bad.toml", project.metrics + instrument("shop:prise"))
    project.write("maps/bad.plan.toml", "[plan]\n")
    project.write("maps/pyproject.toml", "[tool.x]\n")
    checked = command("check", "shop.toml", "maps")
    assert checked.code == 1
    verdicts = [line for line in checked.out.splitlines() if line.endswith(("fine", "finding"))]
    assert verdicts == ["shop.toml: fine", "maps/bad.toml: 1 finding", "maps/good.toml: fine"]


@pytest.mark.parametrize(
    ("make", "name", "told"),
    [
        (lambda folder: None, "absent.toml", "absent.toml: no such file; maps that ship: "),
        (lambda folder: (folder / "empty").mkdir(), "empty", "empty: no map in this folder; name"),
        (
            lambda folder: (folder / "photo.toml").write_bytes(b"\xff\xd8\xff\xe0" * 9),
            "photo.toml",
            ("photo.toml: not UTF-8 text ('utf-8' codec can't decode byte 0xff in position 0: "
            "invalid start byte); save it as UTF-8"),
        ),
        (lambda folder: (folder / "loop.toml").symlink_to("loop.toml"), "loop.toml", "loop.toml: "),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_one_line(project, command, make, name, told):
    make(project.path)
    checked = command("check", name)
    assert (checked.code, checked.out) == (2, "")
    assert checked.err.startswith(f"ancestry-obs: {told}")
    assert checked.err.count("\n") == 1


def test_standard_input(project, command, standard_input):
    standard_input(("\ufeff" + project.metrics + instrument("shop:prise")).encode())
    checked = command("check", "-")
    assert checked.code == 1
    assert checked.out.splitlines()[0].startswith("<stdin>:9: instrument[0]: 'shop' has no 'prise'")


@pytest.mark.parametrize(
    ("options", "data", "told"),
    [
        (["--fix"], b"version = 1", "--fix needs a file to write to; name the map"),
        ([], b"\xff\xfe", "<stdin>: not UTF-8 text ("),
    ],
)
def test_standard_input_that_is_of_no_use(project, command, standard_input, options, data, told):
    standard_input(data)
    checked = command("check", *options, "-")
    assert (checked.code, checked.out) == (2, "")
    assert checked.err.startswith(f"ancestry-obs: {told}")


def test_standard_input_with_a_mistake(project, command, standard_input):
    standard_input(b"version = 2")
    assert command("check", "-").out.startswith("<stdin>:1: version: found the number 2")


def test_the_same_for_programs(project, command):
    project.write("shop.toml", project.metrics + instrument("shop:prise"))
    answer = json.loads(command("check", "--json", "shop.toml").out)
    (finding,) = answer["findings"]
    assert (finding["source"], finding["line"], finding["key"]) == ("shop.toml", 9, "instrument[0]")
    assert finding["text"] == (
        f"shop.toml:9: instrument[0]: {finding['message']}; {finding['remedy']}"
    )
    notes = [f"note: {UNFED}", "note: at most 13 series, of which 12 of prices_total"]
    assert answer["notes"] == notes
    assert answer["renames"] == {"shop:prise": "shop:price"}
    assert (answer["untold"], answer["mended"]) == ([], {})


def test_annotations_of_a_workflow(project, command):
    project.write("made.py", "exec('1')\n")
    project.write("a,b.toml", project.metrics + instrument("shop:prise") + instrument("made:f"))
    lines = command("check", "--format", "github", "a,b.toml").out.splitlines()
    assert lines == [
        (
            "::error file=a%2Cb.toml,line=9,title=instrument[0]::'shop' has no 'prise'; did you "
            "mean 'shop:price'?"
        ),
        (
            "::warning file=a%2Cb.toml,line=12,title=instrument[1]::made:f: cannot be told from "
            "the source; use --import ('made' does not show 'f', but has exec in line 1)"
        ),
        f"::notice file=a%2Cb.toml::{UNFED.replace('shop.toml', 'a,b.toml')}",
        "::notice file=a%2Cb.toml::at most 13 series, of which 12 of prices_total",
    ]


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_columns_on_a_terminal(project, shown, variables):
    project.write(
        "shop.toml", project.metrics + instrument("shop:prise") + instrument("shop:price", "nam")
    )
    assert shown("check", "shop.toml", **variables).splitlines() == [
        "shop.toml",
        "   9  instrument[0]            'shop' has no 'prise'",
        "                               did you mean 'shop:price'?",
        "  14  instrument[1].record[0]  shop:price: unknown name 'nam'; did you mean",
        "                               'name'? known are elapsed, error, name, result",
        "                               (in 'nam', column 1)",
        "  note: shop.toml:6: metrics.cart_items: no instrument and no sample feeds it;",
        "    give it a record, or feed it by ancestry_obs.metrics().cart_items",
        "  note: at most 13 series, of which 12 of prices_total",
        "  2 findings",
    ]


def test_columns_on_a_terminal_name_the_file_of_a_line(project, shown):
    project.write("common.toml", project.metrics + instrument("shop:prise"))
    mine = 'version = 1\ninclude = ["common.toml"]\n' + instrument("shop:Cart.ad")
    project.write("mine.toml", mine)
    told = shown("check", "mine.toml", NO_COLOR="1").splitlines()
    assert told[:6] == [
        "mine.toml",
        "  3  instrument[0]  'shop:Cart' has no 'ad'",
        "                    did you mean 'shop:Cart.add'?",
        "  common.toml",
        "  9  instrument[0]  'shop' has no 'prise'",
        "                    did you mean 'shop:price'?",
    ]
    mended = shown("check", "--fix", "mine.toml", NO_COLOR="1").splitlines()
    assert mended[:3] == [
        "mine.toml",
        "  mended  shop:prise is shop:price now in common.toml",
        "  mended  shop:Cart.ad is shop:Cart.add now",
    ]


def test_colours_on_a_terminal_alone(project, command, shown):
    project.write("shop.toml", project.metrics + instrument("shop:prise"))
    assert "\x1b[31m1 finding\x1b[0m" in shown("check", "shop.toml")
    assert "\x1b" not in command("check", "shop.toml").out


def test_a_second_run_sees_what_has_changed(project, command):
    assert command("check", "shop.toml").code == 0
    assert command("check", "shop.toml").code == 0
    path = project.path / "shop.py"
    path.write_text(path.read_text().replace("def price(name)", "def price(word)"))
    assert "unknown name 'name'" in command("check", "shop.toml").out
    path.unlink()
    assert "there is no module 'shop'" in command("check", "shop.toml").out
    project.write("shop/__init__.py", "")
    assert "'shop' has no 'price'" in command("check", "shop.toml").out


def test_the_shipped_map_fits_the_platform(command):
    checked = command("check", "ancestry")
    assert checked.code == 0, checked.out
    assert checked.out.endswith("ancestry: fine\n")


def test_a_value_that_nobody_hands_over_may_be_misspelt(project, command):
    tell = '[[instrument]]\ntarget = "shop:Cart.add"\ntell = { status = "result" }\n'
    read = instrument("shop:price", "told.statsu or context.customer or 'none'")
    project.write("shop.toml", project.metrics + tell + read)
    told = command("check", "shop.toml").out
    assert (
        "shop.toml:14: instrument[1].record[0]: told.statsu is always None, since no instrument "
        "has tell.statsu; did you mean 'told.status'?\n"
    ) in told
    assert "no instrument has context.customer\n" in told


def test_a_glob_sets_what_another_instrument_sets_too(project, command):
    context = '[[instrument]]\ntarget = "shop:%s"\ncontext = { name = "%s" }\n'
    project.write(
        "shop.toml", project.metrics + context % ("*", "'a'") + context % ("price", "name")
    )
    (found,) = [
        line for line in command("check", "shop.toml").out.splitlines() if "another" in line
    ]
    assert found == (
        "shop.toml:12: instrument[1]: shop:price: context.name is another value in shop.toml:9; "
        "keep one of the two, or give them different names"
    )


def test_many_series_are_told_with_what_they_are_made_of(project, command):
    limits = "labels.name = { max_values = 998 }\nlabels.kind = { max_values = 8 }"
    few = project.metrics.replace("labels.name = { max_values = 10 }", limits)
    project.write("few.toml", few)
    assert [line for line in command("check", "few.toml").out.splitlines() if "*" in line] == []
    project.write("many.toml", few.replace("= 8 }", "= 9 }"))
    assert (
        "\nnote: many.toml:2: metrics.prices_total: that is 1,000 name * 11 kind; only "
        "combinations that occur are series, and ancestry_obs_series counts them\n"
    ) in command("check", "many.toml").out
    explained = command("explain", "pack:flask", "http_server_request_duration_seconds").out
    assert explained.startswith(
        "http_server_request_duration_seconds: histogram, at most 10,910,328 series\n"
        "  that is 17 of a histogram * 13 http_request_method * 102 http_route * 22\n"
        "    http_response_status_code * 22 error_type\n"
    )


def test_a_default_that_does_not_fit_has_its_own_line(project, command):
    defaults = '[defaults.labels.shop]\nmax_values = 3\nvalue = "nam"\n'
    project.write("shop.toml", project.metrics + instrument("shop:price"))
    project.write("all.toml", 'version = 1\ninclude = ["shop.toml"]\n' + defaults)
    finding = (
        "all.toml:5: defaults.labels.shop.value: shop:price: unknown name 'nam'; did you mean "
        "'name'? known are elapsed, error, name, result (in 'nam', column 1)\n"
    )
    assert command("check", "all.toml").out.startswith(finding)


NAMED = '[[instrument]]\nname = "%s"\ntarget = "shop:price"\n'


def test_a_name_that_replaces_nothing(project, command):
    def notes(name):
        text = 'version = 1\ninclude = ["shop.toml"]\n' + NAMED % name + RECORD % "'x'"
        project.write("own.toml", text)
        return [each for each in command("check", "own.toml").out.splitlines() if "name '" in each]

    project.write("shop.toml", project.metrics + NAMED % "shop.price" + RECORD % "name")
    (note,) = notes("shop.prise")
    assert note == (
        "note: own.toml:3: instrument[0]: its name 'shop.prise' replaces nothing of the included "
        "files; did you mean 'shop.price'?"
    )
    assert notes("shop.price") == []
    assert notes("till") == []


def test_an_included_record_that_a_metric_of_the_including_file_does_not_fit(project, command):
    project.write("shop.toml", project.metrics + instrument("shop:price"))
    metric = '[metrics.prices_total]\ntype = "counter"\nhelp = "P."\nlabels.kind = ["a"]\n'
    project.write("own.toml", 'version = 1\ninclude = ["shop.toml"]\n' + metric)
    refused = command("check", "own.toml").out.splitlines()
    assert refused[:2] == [
        (
            "shop.toml:11: instrument[0].record[0].labels.name: unknown label 'name' of "
            "'prices_total', declared in own.toml:3; allowed: kind"
        ),
        (
            "shop.toml:11: instrument[0].record[0].labels: the label 'kind' is missing, declared "
            'in own.toml:3; add kind = "..." with an expression'
        ),
    ]


def test_a_pack_whose_library_is_not_here(project, command, monkeypatch):
    monkeypatch.setattr(checker, "python_path", lambda _: (str(project.path),))
    lines = command("check", "pack:aiohttp-client").out.splitlines()
    assert lines[0].startswith("pack:aiohttp-client:")
    assert lines[0].endswith("; install the library, or leave its pack out")


@pytest.mark.parametrize("folder", ["program", "program/maps"])
def test_a_program_that_is_in_the_folder_of_the_map(project, command, folder):
    project.write(f"{folder}/till.toml", project.metrics + instrument("till:price", "'x'"))
    assert "it is in" not in command("check", f"{folder}/till.toml").out
    project.write("program/till.py", "def price(): ...\n")
    (found, *_) = command("check", f"{folder}/till.toml").out.splitlines()
    assert found.startswith(
        f"{folder}/till.toml:9: instrument[0]: there is no module 'till' (looked"
    )
    assert found.endswith("; it is in 'program'; run this there")
