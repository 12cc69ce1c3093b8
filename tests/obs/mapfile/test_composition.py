"""What a map includes: which files are read, whose word counts, and where mistakes are."""

from __future__ import annotations

import ast
import os
import pickle
from itertools import pairwise

import pytest

from ancestry_obs.exceptions import MapError
from ancestry_obs.mapfile import load, load_text, resolve_map
from ancestry_obs.mapfile.map_files import packs_there_are

ROOT = 'version = 1\ninclude = ["other.toml"]\n'
OTHER = """\
version = 1

[metrics.jobs_total]
type = "counter"
help = "Jobs."

[functions]
short = "shop.labels:short"

[[instrument]]
name = "jobs"
target = "shop:run"
record = [{ metric = "jobs_total" }]

[[sample]]
target = "shop:Pool"
metric = "pool_size"
value = "short(self.size)"

[[hook]]
target = "shop:main"
after = "exporter.start"

[metrics.pool_size]
type = "gauge"
help = "Size."
"""
INSTRUMENT = """
[[instrument]]
name = "jobs"
target = "shop:walk"
record = [{ metric = "jobs_total" }]
"""


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Write maps into the working folder."""
    monkeypatch.chdir(tmp_path)

    def write(**texts):
        for name, text in texts.items():
            (tmp_path / f"{name}.toml").write_text(text, "utf-8")

    return write


def mistakes(source):
    with pytest.raises(MapError) as caught:
        load(source)
    return [*map(str, caught.value.findings)]


def targets(source):
    return [target for each in load(source).instruments for target in each.targets]


def counter(name, help_="Jobs.", labels=""):
    return f'\n[metrics.{name}]\ntype = "counter"\nhelp = "{help_}"\n{labels}'


def test_an_included_map_brings_all_that_it_has(files):
    files(root=ROOT, other=OTHER)
    spec, alone = load("root.toml"), load("other.toml")
    assert spec == alone
    assert spec.samples
    assert spec.source == "root.toml"
    assert spec.metrics[0].where.source == "other.toml"
    assert spec.metrics[0].where.line == 3


def test_a_map_uses_what_it_includes(files):
    files(root=ROOT + INSTRUMENT.replace('"jobs"', '"mine"'), other=OTHER)
    assert targets("root.toml") == ["shop:run", "shop:walk"]


def test_paths_are_relative_to_the_including_file(tmp_path, monkeypatch):
    (tmp_path / "maps/inner").mkdir(parents=True)
    (tmp_path / "maps/root.toml").write_text('version = 1\ninclude = ["inner/a.toml"]', "utf-8")
    (tmp_path / "maps/inner/a.toml").write_text('version = 1\ninclude = ["../b.toml"]', "utf-8")
    (tmp_path / "maps/b.toml").write_text(OTHER, "utf-8")
    monkeypatch.chdir(tmp_path)
    spec = load("maps/root.toml")
    assert spec.metrics[0].where.source == "maps/inner/../b.toml"
    assert [resolved(path) for path, _ in spec.files] == [
        tmp_path / "maps" / name for name in ("b.toml", "inner/a.toml", "root.toml")
    ]


def resolved(name):
    return resolve_map(name).resolve()


def test_a_mapping_and_a_text_include_from_the_working_folder(files):
    files(other=OTHER)
    data = {"version": 1, "include": ["other.toml"]}
    assert load(data) == load("other.toml") == load_text(ROOT, "<stdin>")


def test_a_file_that_is_reached_twice_is_taken_once(files):
    files(
        root='version = 1\ninclude = ["a.toml", "b.toml", "./other.toml"]',
        a=ROOT,
        b=ROOT,
        other=OTHER,
    )
    assert load("root.toml") == load("other.toml")
    assert len(load("root.toml").files) == 4


def test_what_two_files_say_alike_is_there_once(files):
    files(root='version = 1\ninclude = ["a.toml", "other.toml"]', a=OTHER, other=OTHER)
    assert load("root.toml") == load("other.toml")


def test_two_maps_that_measure_one_function_both_count(files):
    other = OTHER.replace("jobs_total", "more_total").replace('"jobs"', '"more"')
    files(root='version = 1\ninclude = ["a.toml", "other.toml"]', a=OTHER, other=other)
    spec = load("root.toml")
    assert targets("root.toml") == ["shop:run", "shop:run"]
    assert [each.records[0].metric for each in spec.instruments] == ["jobs_total", "more_total"]


def test_a_file_that_says_one_thing_twice_means_it(files):
    twice = OTHER + OTHER[OTHER.index("[[instrument]]") : OTHER.index("[[sample]]")].replace(
        'name = "jobs"\n', ""
    )
    files(root=ROOT, other=twice)
    assert targets("root.toml") == ["shop:run", "shop:run"]


def test_the_including_file_replaces_metrics_instruments_and_functions(files):
    own = (
        counter("jobs_total", "Other jobs.")
        + '[functions]\nshort = "shop.labels:shorter"\n'
        + INSTRUMENT
    )
    files(root=ROOT + own, middle=ROOT.replace("other", "root"), other=OTHER)
    for name in ("root.toml", "middle.toml"):
        spec = load(name)
        assert [each.help for each in spec.metrics if each.type == "counter"] == ["Other jobs."]
        assert targets(name) == ["shop:walk"]
        assert spec.functions == (("short", "shop.labels:shorter"),)


def test_mistakes_of_what_is_replaced_are_none(files):
    # The metric has a label now, which the record that is replaced does not give.
    own = counter("jobs_total", labels='labels.kind = ["a"]\n') + INSTRUMENT.replace(
        '"jobs_total"', '"jobs_total", labels = { kind = "\'a\'" }'
    )
    files(root=ROOT + own, other=OTHER)
    assert targets("root.toml") == ["shop:walk"]
    files(root=ROOT + own.replace('name = "jobs"', 'name = "others"'))
    (found,) = mistakes("root.toml")
    assert found.startswith(
        "other.toml:13: instrument[0].record[0].labels: the label 'kind' is missing, declared in "
        "root.toml:4; add kind ="
    )


REMEDY = "make the two the same, or write it in the map that includes both, which wins"


def test_two_included_files_that_differ(files):
    other = (
        'version = 1\nbudget = "2%"\n'
        + counter("jobs_total", labels='labels.kind = ["a"]\n')
        + '[functions]\nshort = "shop.labels:shorter"\n'
        + INSTRUMENT
    )
    both = 'version = 1\ninclude = ["a.toml", "other.toml"]\n'
    files(root=both, a=OTHER.replace("= 1", '= 1\nbudget = "1%"', 1), other=other)
    assert mistakes("root.toml") == [
        f"other.toml:2: budget: it is not the same as in a.toml:2; {REMEDY}",
        f"other.toml:4: metrics.jobs_total: its labels are not the same as in a.toml:4; {REMEDY}",
        f"other.toml:9: functions.short: it is not the same as in a.toml:9; {REMEDY}",
        "other.toml:11: instrument[0]: the instrument 'jobs' is not the same as in a.toml:11; "
        + REMEDY,
    ]
    own = other.removeprefix("version = 1").replace('labels.kind = ["a"]', "")
    files(root=both + own)
    assert load("root.toml").budget == 0.02
    assert targets("root.toml") == ["shop:walk"]


METRIC = """\
version = 1
{namespace}
[metrics.queries_seconds]
type = "{type}"
help = "{help}"
{buckets}
labels.system = {system}
labels.{name} = {other}
"""


def metric(
    system='["redis"]',
    other="{ max_values = 3 }",
    buckets="buckets = [1, 2]",
    type_="histogram",
    name="error",
    help_="H.",
    namespace="",
):
    return METRIC.format(
        type=type_,
        help=help_,
        name=name,
        namespace=namespace,
        system=system,
        other=other,
        buckets=buckets,
    )


BOTH = 'version = 1\ninclude = ["a.toml", "other.toml"]\n'


def test_a_metric_of_two_files_has_room_for_the_values_of_both(files):
    more = metric(
        system='["redis", "sqlite", "mysql"]', other="{ max_values = 10000 }", help_="More."
    )
    files(root=BOTH, a=metric(), other=more)
    (both,) = load("root.toml").metrics
    assert both.help == "H."
    assert [(e.name, e.values, e.max_values) for e in both.labels] == [
        ("system", ("redis", "sqlite", "mysql"), None),
        ("error", None, 10_000),
    ]
    files(a=metric(system="{ max_values = 5 }"), other=metric(other='["x", "y"]'))
    (both,) = load("root.toml").metrics
    assert [(e.values, e.max_values) for e in both.labels] == [(None, 6), (None, 5)]


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"buckets": "buckets = [1, 3]"}, "its buckets are"),
        ({"name": "errors"}, "its labels are"),
        ({"type_": "gauge", "buckets": ""}, "its type is"),
        ({"namespace": 'namespace = "shop"'}, "its namespace is"),
    ],
)
def test_what_two_declarations_of_a_metric_agree_on(files, more, what):
    files(root=BOTH, a=metric(), other=metric(**more))
    (found,) = mistakes("root.toml")
    place = "other.toml:3: metrics.queries_seconds"
    assert found == f"{place}: {what} not the same as in a.toml:3; {REMEDY}"


def test_all_packs_go_together():
    spec = load([f"pack:{name}" for name in packs_there_are()])
    assert len(spec.packs) == len(packs_there_are())


def test_names_that_two_files_would_both_expose(files):
    files(root=ROOT + counter("jobs_count_total"), other=OTHER.replace("pool_size", "jobs_count"))
    (found,) = mistakes("root.toml")
    assert found == (
        "root.toml:4: metrics.jobs_count_total: 'jobs_count_total' and 'jobs_count' would both "
        "expose 'jobs_count'; rename one of them"
    )
    # Each has the namespace of its own file.
    files(root=ROOT.replace("\n", '\nnamespace = ""\n', 1) + counter("jobs_count_total"))
    assert {each.full_name("shop") for each in load("root.toml").metrics} >= {
        "jobs_count_total",
        "shop_jobs_count",
    }


def test_a_gauge_that_one_file_samples_and_another_one_records(files):
    record = INSTRUMENT.replace("jobs_total", 'pool_size", value = "result')
    files(root=ROOT + record, other=OTHER)
    (found,) = mistakes("root.toml")
    assert found == (
        "other.toml:17: sample[0].metric: 'pool_size' is sampled here and recorded by an "
        "instrument; keep one of the two"
    )


def test_two_instruments_of_one_file_have_one_name(files):
    files(root=OTHER + INSTRUMENT)
    (found,) = mistakes("root.toml")
    assert found == (
        "root.toml:29: instrument[1].name: another instrument of this file is named 'jobs'; rename "
        "one of them"
    )
    files(more=ROOT.replace("other", "root"))
    assert len(mistakes("more.toml")) == 1


@pytest.mark.parametrize(
    ("include", "finding"),
    [
        ("othr.toml", "there is no file 'othr.toml'; did you mean 'other.toml'?"),
        (
            "lost/x.toml",
            "there is no file 'lost/x.toml'; name a map's file, by its path from this one",
        ),
        ("pack:clik", "there is no pack 'clik'; did you mean 'click'? allowed: "),
        ("pack:../ancestry", "there is no pack '../ancestry'; "),
        ("pack:", "there is no pack ''; allowed: "),
        (".", "'.': cannot be read: Is a directory; name a readable file"),
        ("root.toml", "'root.toml' is this file itself; take it out"),
        (
            "roots.toml",
            "there is no file 'roots.toml'; name a map's file, by its path from this one",
        ),
        (
            "dangling.toml",
            "there is no file 'dangling.toml'; name a map's file, by its path from this one",
        ),
        ("circle.toml", "'circle.toml': cannot be read: Too many levels of symbolic links; name"),
        (
            "root.toml/x.toml",
            "there is no file 'root.toml/x.toml'; name a map's file, by its path from this one",
        ),
        ("pipe.toml", "'pipe.toml' is a pipe; name a file"),
        ("flask", "there is no file 'flask'; did you mean 'pack:flask'?"),
        ("y" * 300, f"'{'y' * 300}': cannot be read: File name too long; name a readable file"),
        ("\\u0000", "'\\x00' can be no file's name; name a map's file"),
        ("latin.toml", "'latin.toml': not UTF-8 text ("),
    ],
)
def test_what_cannot_be_included(files, tmp_path, include, finding):
    files(other=OTHER, root=f'version = 1\ninclude = [\n  "{include}",\n]')
    (tmp_path / "latin.toml").write_bytes(b"version = 1 # \xe9\n")
    (tmp_path / "dangling.toml").symlink_to("gone.toml")
    (tmp_path / "circle.toml").symlink_to("circle.toml")
    os.mkfifo(tmp_path / "pipe.toml")
    (found,) = mistakes("root.toml")
    assert found.startswith(f"root.toml:3: include[0]: {finding}")
    assert len(found.splitlines()) == 1


def test_a_circle(files):
    files(
        root=ROOT,
        other='version = 1\ninclude = ["more.toml"]',
        more='version = 1\n\ninclude = ["root.toml"]',
    )
    (found,) = mistakes("root.toml")
    assert found == (
        "more.toml:3: include[0]: 'root.toml' includes this file, too (root.toml -> other.toml -> "
        "more.toml -> root.toml); take one of the two out"
    )


def test_files_in_files_in_files(files):
    names = [f"m{number}" for number in range(60)]
    files(
        **{name: f'version = 1\ninclude = ["{inner}.toml"]' for name, inner in pairwise(names)},
        m59=OTHER,
    )
    (found,) = mistakes("m0.toml")
    assert found.endswith("files that include each other; include it further up")
    assert load("m45.toml") == load("m59.toml")


def test_mistakes_of_an_included_file_have_its_lines(files):
    files(root=ROOT + "metric = 3\n", other=OTHER.replace('"counter"', '"countr"') + "[more]\n")
    first, *others = mistakes("root.toml")
    assert first.startswith("root.toml:3: metric: unknown key 'metric'")
    assert others[0].startswith("other.toml:4: metrics.jobs_total.type: found the text 'countr'")
    assert others[1].startswith("other.toml:27: more: unknown key 'more'")
    files(root=ROOT, other=OTHER + "= 3\n")
    (found,) = mistakes("root.toml")
    assert found.startswith("other.toml:27: not TOML: ")


def test_a_file_that_was_read_is_named_once(files):
    """The mistakes of what cannot be read are no mistakes of what needs it."""
    files(root='version = 1\ninclude = ["a.toml", "other.toml"]\n' + INSTRUMENT, a=ROOT, other="=")
    assert len(mistakes("root.toml")) == 1


def test_the_shipped_packs_are_maps_that_say_what_they_are_for():
    assert "click" in packs_there_are()
    for name in packs_there_are():
        spec = load(f"pack:{name}")
        assert spec.source == f"pack:{name}"
        assert spec.packs, name


@pytest.mark.parametrize("name", packs_there_are())
def test_packs_name_exceptions_with_their_module(name):
    handed = [each.handed for each in load(f"pack:{name}").instruments]
    records = [record for each in load(f"pack:{name}").instruments for record in each.records]
    labels = [pair for each in records for pair in each.labels if pair[0] == "error_type"]
    tells = [pair for each in handed for pair in each.tell if pair[0] == "exception"]
    for _, expression in (*labels, *tells):
        for call in ast.walk(ast.parse(expression.source, mode="eval")):
            # To compare a name with is another matter.
            if isinstance(call, ast.IfExp | ast.Expression):
                assert not ast.unparse(call.body).startswith("type_name("), expression.source


def test_a_pack_is_included_by_its_name(files):
    files(root='version = 1\ninclude = ["pack:click"]')
    spec, pack = load("root.toml"), load("pack:click")
    assert spec == pack
    assert str(spec.metrics[0].where).startswith("pack:click:")
    assert spec.packs[0].library == "click"
    assert pickle.loads(pickle.dumps(spec)) == spec


def test_packs_by_their_names_with_or_without_what_a_map_writes():
    assert load("pack:click", ["pack:flask"]) == load("pack:click", ["flask"])


def test_a_pack_that_there_is_not():
    assert mistakes("pack:clik")[0].startswith(
        "pack:clik: there is no pack 'clik'; did you mean 'click'? allowed: "
    )


def context_of(value, target="jobs:run"):
    return f'[[instrument]]\ntarget = "{target}"\ncontext = {{ tenant = "{value}" }}\n'


def test_two_files_set_one_context_value_at_one_function(files):
    files(root=ROOT + context_of("self.a"), other=OTHER + context_of("self.b"))
    (found,) = mistakes("root.toml")
    assert found == (
        "root.toml:3: instrument[0]: jobs:run: context.tenant is another value in other.toml:27; "
        "keep one of the two, or give them different names"
    )
    files(root=ROOT + context_of("self.a"), other=OTHER + context_of("self.a"))
    assert load("root.toml")
    files(root=ROOT + context_of("self.a"), other=OTHER + context_of("self.b", "jobs:stop"))
    assert load("root.toml")


def test_one_file_sets_one_context_value_twice_at_one_function(files):
    files(alone="version = 1\n" + context_of("self.a") + context_of("self.b"))
    (found,) = mistakes("alone.toml")
    assert found.startswith(
        "alone.toml:5: instrument[1]: jobs:run: context.tenant is another value"
    )
