from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ancestry_obs.exceptions import MapError
from ancestry_obs.expressions import parse
from ancestry_obs.mapfile import (
    HookSpec,
    InstrumentSpec,
    LabelSpec,
    MetricSpec,
    RecordSpec,
    SampleSpec,
    Where,
    load,
    resolve_map,
)

NOWHERE = Where("", None, "")


def test_toml_and_mapping_give_the_same_spec(toml, good, write):
    assert tomllib.loads(toml).keys() == good.keys()
    assert load(write(toml)) == load(good)
    assert hash(load(good))


def test_a_spec_is_given_back_as_it_is(good):
    spec = load(good)
    assert load(spec) is spec


def test_metrics(good):
    metrics = {metric.name: metric for metric in load(good).metrics}
    assert list(metrics) == list(good["metrics"])
    assert metrics["requests_seconds"] == MetricSpec(
        name="requests_seconds",
        type="histogram",
        help="Requests.",
        labels=(
            LabelSpec("endpoint", None, 10, NOWHERE),
            LabelSpec("family", ("2xx", "error"), None, NOWHERE),
        ),
        buckets=(0.5, 1.0, 2.0),
        where=NOWHERE,
    )
    assert metrics["requests_total"].labels == (
        LabelSpec("result", ("hit", "miss"), None, NOWHERE),
    )


def test_records_have_their_labels_in_the_metrics_order(good):
    instrument = load(good).instruments[0]
    assert instrument == InstrumentSpec(
        targets=("shop.api:Client.send",),
        subclasses=True,
        at="",
        records=(
            RecordSpec(
                metric="requests_seconds",
                labels=(
                    ("endpoint", parse("endpoint(url)")),
                    ("family", parse("status_family(result)")),
                ),
                value=None,
                hit=None,
                on="exit",
                when=None,
                where=NOWHERE,
            ),
            RecordSpec(
                metric="requests_total",
                labels=(("result", parse("'hit' if ok(result) else 'miss'")),),
                value=parse("2"),
                hit=None,
                on="return",
                when=parse("result is not None"),
                where=NOWHERE,
            ),
        ),
        where=NOWHERE,
    )


def test_several_targets_and_the_other_types(good):
    instrument = load(good).instruments[1]
    assert instrument.targets == ("shop.*:Queue.*", "shop:main")
    assert not instrument.subclasses
    gauge, ratio, in_flight = instrument.records
    assert gauge.value == parse("length(self.items)")
    assert ratio.hit == parse("result is not None")
    assert (in_flight.on, in_flight.value) == ("call", None)


def test_samples_hooks_and_functions(good):
    spec = load(good)
    assert spec.samples == (
        SampleSpec(
            target="shop.pool:Pool",
            metric="age_seconds",
            value=parse("self.age()", allow_methods=True),
            labels=(("pool", parse("self.name")),),
            aggregate="max",
            where=NOWHERE,
        ),
    )
    assert spec.hooks == (HookSpec("shop:main", "exporter.start", "exporter.stop", NOWHERE),)
    assert spec.functions == (("shorten", "shop.labels:shorten"),)


def test_defaults_written_out_are_the_same_as_left_out(good, change):
    record = "instrument[0].record[0]"
    written = change(change(good, f"{record}.value", "elapsed"), f"{record}.on", "exit")
    assert load(written) == load(good)
    last = change(good, "sample[0].aggregate", "last")
    assert load(change(good, "sample[0].aggregate", ...)) == load(last)


def test_a_map_may_be_almost_empty():
    spec = load({"version": 1, "instrument": [], "sample": (), "hook": []})
    assert (spec.metrics, spec.instruments, spec.source) == ((), (), "<mapping>")


def line_of(start, text):
    return text[: text.index(start)].count("\n") + 1


def test_places_have_file_line_and_key(toml, write):
    path = write(toml)
    spec = load(path)
    assert spec.source == str(path)
    assert spec.metrics[1].where == Where(str(path), 10, "metrics.requests_total")
    record = spec.instruments[1].records[2]
    assert record.where == Where(str(path), 53, "instrument[1].record[2]")
    for part, start in [
        (spec.metrics[0].labels[1], "labels.family = "),
        (spec.instruments[0].records[1], '[[instrument.record]]\nmetric = "requests_total"'),
        (record, '  { metric = "busy"'),
        (spec.samples[0], "[[sample]]"),
        (spec.hooks[0], "[[hook]]"),
    ]:
        assert part.where.line == line_of(start, toml)


def test_where_something_stands_does_not_matter_to_equality(toml, write):
    shifted = "# a comment\n\n" + toml
    before = load(write(toml))
    assert before == load(write(shifted))


CORPUS = tomllib.loads((Path(__file__).parent / "mistakes.toml").read_text("utf-8"))
MISTAKES = [
    (mistake["key"], mistake.get("value", ...), mistake["finding"]) for mistake in CORPUS["mistake"]
]


@pytest.mark.parametrize(("path", "value", "finding"), MISTAKES)
def test_each_mistake_gives_one_finding_with_key_and_remedy(
    good, change, findings_of, path, value, finding
):
    assert findings_of(change(good, path, value)) == [f": {finding}"]


def test_a_broken_part_leaves_its_followers_told_as_well(good, change, findings_of):
    found = findings_of(change(good, "metrics", []))
    assert found[0] == (
        ": metrics: found an empty array; allowed is a table of names, each a table with type, "
        "help, labels, buckets, native"
    )
    assert len(found) == 1 + 6
    assert findings_of(change(good, "metrics.busy.labels.name", {"max_valu": 3})) == [
        (
            ": metrics.busy.labels.name.max_valu: unknown key 'max_valu'; did you mean "
            "'max_values'? allowed: values, max_values"
        ),
        (
            ': metrics.busy.labels.name: the label has no bound; write ["a", "b"] for an '
            "enumeration, or { max_values = 100 } for a free label"
        ),
    ]


def test_a_hook_needs_an_action(good, findings_of):
    good["hook"] = [{"target": "shop:main"}]
    assert findings_of(good) == [
        ': hook[0]: the hook has no action; write after = "exporter.start", for example'
    ]


def test_a_sample_sets_a_gauge(good, findings_of):
    good["sample"][0] |= {"metric": "hits", "labels": {}}
    assert findings_of(good) == [
        ": sample[0].metric: a sample sets a gauge, but 'hits' is a ratio; make the metric a gauge",
        (
            ": sample[0].metric: 'hits' is sampled here and recorded by an instrument; "
            "keep one of the two"
        ),
    ]


def test_names_that_are_no_text_are_refused_in_a_mapping(good, findings_of):
    good["metrics"][7] = good["metrics"].pop("hits")
    good["instrument"][1]["record"].pop(1)
    (finding,) = findings_of(good)
    assert finding.startswith(": metrics.7: the name 7 is not allowed; allowed are letters")


def test_all_mistakes_are_found_in_one_pass(good, change, findings_of):
    single = [
        ("metrics.hits.type", "ration"),
        ("metrics.queue_length.unit", "s"),
        ("instrument[0].record[0].labels.family", "'3xx'"),
        ("instrument[0].record[1].when", "lambda: 1"),
        ("instrument[1].target[0]", "shop"),
        ("sample[0].value", "slef.age"),
        ("hook[0].after", "stop"),
        ("functions.text", "shop:text"),
    ]
    everything = good
    for path, value in single:
        everything = change(everything, path, value)
    found = findings_of(everything)
    one_by_one = [findings_of(change(good, path, value))[0] for path, value in single]
    assert sorted(found) == sorted(one_by_one)


def test_a_broken_metric_is_not_reported_again_where_it_is_used(good, change, findings_of):
    assert len(findings_of(change(good, "metrics.requests_seconds", []))) == 1
    assert len(findings_of(change(good, "metrics.queue_length.type", None))) == 1
    assert len(findings_of(change(good, "instrument[1].record[0].value", 7))) == 1


@pytest.mark.parametrize("value", ["'other'", "'error'", "x or 'other'"])
def test_other_and_error_are_values_of_every_enumeration(good, change, value):
    assert load(change(good, "instrument[0].record[1].labels.result", value))


@pytest.mark.parametrize("name", ["result", "error", "elapsed"])
def test_at_the_call_these_names_are_left_to_parameters(good, change, name):
    record = change(good, "instrument[0].record[1].on", "call")
    assert load(change(record, "instrument[0].record[1].value", name))


def test_findings_have_the_line_of_their_key_and_come_in_that_order(toml, write, findings_of):
    text = (
        toml.replace("[0.5, 1, 2]", "[0.5, 2, 1]")
        .replace('type = "ratio"', 'type = "ration"')
        .replace("subclasses = true", "subclases = true")
        .replace('"hits", hit =', '"hits", on = "cal", hit =')
        .replace('target = "shop.pool:Pool"\n', "")
    )
    found = [finding.partition(";")[0] for finding in findings_of(write(text))]
    bad_type, bad_moment = line_of("ration", text), line_of('"cal"', text)
    # The order of buckets is looked at long after the types.
    assert found == [
        ":6: metrics.requests_seconds.buckets: the bucket 1 comes after 2",
        f":{bad_type}: metrics.hits.type: found the text 'ration'",
        f":{line_of('subclases', text)}: instrument[0].subclases: unknown key 'subclases'",
        f":{bad_moment}: instrument[1].record[1].on: found the text 'cal'",
        f":{line_of('[[sample]]', text)}: sample[0]: the key 'target' is missing",
    ]


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("version = 1\n\nx = [\n", ":3: not TOML: "),
        ("version = 1\nversion = 1\n", ":2: not TOML: Cannot overwrite a value"),
        ("version = 1\n[metrics.a]\n[metrics.a]\n", ":3: not TOML: Cannot declare"),
        (f"version = 1\nx = {'[' * 9000}\ny = 1\n", ":2: not TOML: Values are nested too deeply"),
        (f"version = 1\nx = {'9' * 5000}\ny = 1\n", ":2: not TOML: A number has too many digits"),
        (f"x = {'{a = ' * 9000}1{'}' * 9000}\ny = 1\n", ":1: not TOML: Values are nested too deep"),
    ],
)
def test_a_syntax_error_has_its_line(write, findings_of, text, finding):
    (found,) = findings_of(write(text))
    assert found.startswith(finding)


def test_a_file_that_cannot_be_read_is_told(tmp_path, findings_of):
    assert findings_of(tmp_path / "none.toml") == [": no such file; maps that ship: ancestry.toml"]
    assert findings_of("flask") == [
        ": no such file; did you mean 'pack:flask'? maps that ship: ancestry.toml"
    ]
    assert findings_of(tmp_path) == [": cannot be read: Is a directory; name a readable file"]
    (tmp_path / "latin.toml").write_bytes(b"# \xe9\n")
    (found,) = findings_of(tmp_path / "latin.toml")
    assert found.startswith(": not UTF-8 text (")
    assert found.endswith("; save it as UTF-8")


def test_the_message_names_the_file(write):
    path = write("version = 2")
    with pytest.raises(MapError) as caught:
        load(str(path))
    assert str(caught.value) == f"{path}:1: version: found the number 2; allowed is 1"


def test_a_bare_name_is_a_shipped_map_unless_there_is_such_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert resolve_map("ancestry.toml") == resolve_map("ancestry")
    assert resolve_map("ancestry").is_file()
    assert resolve_map("other") == Path("other")
    assert resolve_map("./ancestry.toml") == resolve_map("ancestry")
    assert resolve_map("sub/ancestry.toml") == Path("sub/ancestry.toml")
    Path("ancestry.toml").touch()
    assert resolve_map("ancestry.toml") == Path("ancestry.toml")


anything = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8),
        st.sampled_from(["counter", "result", "hits", "'a'", "shop:main", "exit"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)  # fmt: skip
places = st.sampled_from([path for path, _, _ in MISTAKES])


# The fixtures only hand out a constant and a function, so examples can share them.
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=places, what=anything)
def test_whatever_stands_in_a_map_it_loads_or_is_a_map_error(good, change, where, what):
    try:
        spec = load(change(good, where, what))
    except MapError as error:
        places_told = [str(finding.where) for finding in error.findings]
    else:
        places_told = [metric.where.source for metric in spec.metrics]
    assert all(place.startswith("<mapping>") for place in places_told)


@pytest.mark.parametrize("on", ["first", "item"])
def test_items_that_are_handed_over_have_no_items_of_their_own(good, findings_of, on):
    good["instrument"][0]["record"][1] |= {"on": on, "each": "result"}
    assert findings_of(good) == [
        (
            f": instrument[0].record[1].each: on = {on!r} is for the items that a generator hands "
            "over, each is not; keep one of the two"
        )
    ]


def test_a_misspelt_key_is_not_also_missing(good, findings_of):
    instrument = good["instrument"][0]
    instrument["targets"] = instrument.pop("target")
    assert findings_of(good) == [
        (
            ": instrument[0].targets: unknown key 'targets'; did you mean 'target'? "
            "allowed: name, target, subclasses, until, rare, sample, at, record, entry, context, "
            "tell, outermost"
        )
    ]


def test_a_file_may_begin_with_a_byte_order_mark(toml, write):
    path = write(toml)
    spec = load(path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load(path) == spec


def test_a_file_name_with_a_null_byte_is_told():
    with pytest.raises(MapError) as caught:
        load("a\0/b.toml")
    assert str(caught.value) == (
        "a\\x00/b.toml: cannot be read: embedded null byte; name a readable file"
    )


def test_a_bucket_beyond_every_float_is_refused(good, change, findings_of):
    bad = change(good, "metrics.requests_seconds.buckets", [1, 10**400])
    assert findings_of(bad) == [
        (
            ": metrics.requests_seconds.buckets[1]: found a number of more than a hundred digits; "
            "allowed is a finite number; +Inf is added by itself"
        )
    ]


def test_text_that_no_page_could_hold_is_refused(good, change, findings_of):
    bad = change(good, "metrics.requests_seconds.help", "\ud800")
    bad = change(bad, "metrics.requests_total.labels.result.values", ["hit", "miss", "\udfff"])
    assert findings_of(bad) == [
        (
            ": metrics.requests_seconds.help: found the text '\\ud800'; "
            "allowed is one sentence, as a text"
        ),
        (
            ": metrics.requests_total.labels.result.values[2]: found the text '\\udfff'; "
            "allowed is a label value, as a text"
        ),
    ]


def test_a_function_is_not_named_by_a_keyword(good, change, findings_of):
    assert findings_of(change(good, "functions.if", "shop.labels:shorten")) == [
        ": functions.if: 'if' is a keyword of Python; choose another name"
    ]


def test_a_number_that_python_refuses_to_write_is_described(write, findings_of):
    number = f"0x{'f' * 5000}"
    described = "found a number of more than a hundred digits; allowed is 1"
    assert findings_of(write(f"version = {number}")) == [f":1: version: {described}"]
    assert findings_of({"version": -(10**5000)}) == [f": version: {described}"]


def test_no_name_is_looked_for_that_is_like_a_text_of_any_length(
    good, change, findings_of, monkeypatch
):
    def refuse(found, *_, **__):
        assert len(found) <= 500
        return []

    monkeypatch.setattr("difflib.get_close_matches", refuse)
    (found,) = findings_of(change(good, "metrics.requests_total.type", "x" * 100_000))
    assert found.endswith("; allowed: counter, gauge, histogram, ratio, in_flight")
