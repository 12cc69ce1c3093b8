from __future__ import annotations

import json

from ancestry_obs.explanation import metric_lines


def test_a_metric(project, command):
    explained = command("explain", "shop.toml", "prices_total")
    assert explained.code == 0
    assert explained.out.splitlines()[:9] == [
        "prices_total: counter, at most 12 series",
        "  Prices asked for.",
        "  declared in shop.toml:2",
        "  exposed as ancestry_prices_total",
        "  label name: at most 10 values, then 'other'",
        "  fed by shop:price",
        "    on exit: prices_total",
        "      said in shop.toml:11",
        "      name = name",
    ]
    assert "\n  panel How much? / Prices\n" in explained.out
    assert (
        "\n  record job:ancestry_prices:rate5m\n    sum by (job) (rate(ancestry_prices_total[5m]))"
        in explained.out
    )


def test_a_metric_by_any_name_that_prometheus_has_for_it(project, command):
    text = """
        version = 1
        [metrics.wait_seconds]
        type = "histogram"
        help = "Waits."
        buckets = [0.5, 1]
        """
    project.write("wait.toml", text)
    plain = command("explain", "wait.toml", "wait_seconds", "--namespace", "pub").out
    assert "histogram_quantile(0.99, sum by (job, le)" in plain
    for name in ("wait_seconds_bucket", "pub_wait_seconds", "pub_wait_seconds_count"):
        assert command("explain", "wait.toml", name, "--namespace", "pub").out == plain
    assert command("explain", "wait.toml", "pub_wait_seconds").code == 2
    assert command("explain", "shop.toml", "prices_total_bucket").code == 2


def test_the_alerts_and_panels_of_another_plan(project, command):
    plan = """
        version = 1
        title = "Shop"
        [[row]]
        title = "Prices"
        [[row.panel]]
        metric = "prices_total"
        title = "Asked"
        description = "How often."
        [[objective]]
        name = "priced"
        metric = "prices_total"
        title = "Prices"
        good = { name = ["tea"] }
        target = 0.99
        """
    project.write("other.toml", plan)
    explained = command("explain", "shop.toml", "prices_total", "--plan", "other.toml", "--json")
    assert explained.code == 0, explained.err
    facts = json.loads(explained.out)
    assert [each["name"] for each in facts["panels"]] == ["Prices / Asked"]
    # They read what a recording rule computes of the metric, not the metric.
    assert any(each["kind"] == "alert" for each in facts["rules"])
    missing = command("explain", "shop.toml", "prices_total", "--plan", "none.toml")
    assert (missing.code, missing.err.count("\n")) == (2, 1)
    assert "none.toml: cannot be read" in missing.err


def test_promql_is_never_broken_in_a_text():
    query = "label_replace(" + "a" * 50 + ', "name", "none yet and more of it", "", "")'
    use = {"kind": "panel", "name": "P", "queries": [query]}
    facts = {
        "metric": "a", "type": "counter", "help": "A.", "where": "m:1", "series": "a",
        "series_multiplied": "", "series_at_most": 1, "buckets": [], "native": None, "labels": [],
        "fed_by": [],
        "panels": [use], "rules": [],
    }  # fmt: skip
    lines = [*metric_lines(facts)]
    assert any('"none yet and more of it",' in line for line in lines)
    assert max(map(len, lines)) <= 80
    assert " ".join(line.strip() for line in lines[lines.index("  panel P") + 1 :]) == query


def test_a_metric_with_buckets_and_an_enumeration(project, command):
    text = """
        version = 1
        [metrics.wait_seconds]
        type = "histogram"
        help = "Waits."
        buckets = [0.5, 1]
        labels.kind = ["long", "short"]
        """
    project.write("wait.toml", text)
    explained = command("explain", "wait.toml", "wait_seconds").out
    assert "  buckets: 0.5, 1, +Inf\n" in explained
    assert "  label kind: long, short; anything else is 'other'\n" in explained


def test_a_target_with_the_code_that_runs_there(project, command):
    explained = command("explain", "shop.toml", "shop:price").out
    # A long path stands below its words.
    explained = explained.replace("defined in\n      ", "defined in ")
    assert explained.startswith(
        "shop:price\n  on exit: prices_total\n    said in shop.toml:11\n    name = name\n"
        f"  leads to shop:price\n    defined in {project.path}/shop.py:12\n"
        "    woven inline: the statements are in its own code\n"
        "  ancestry_prices_total: at most 12 series\n    panel "
    )
    assert "shop:price, with the statements in it:\n" in explained
    assert "def price(name)" in explained


def test_a_target_with_a_condition(project, command):
    project.write(
        "shop.toml",
        project.metrics
        + """
        [[instrument]]
        target = "shop:price"
        [[instrument.record]]
        metric = "prices_total"
        on = "return"
        when = "result > 0"
        value = "result"
        labels = { name = "name" }
        """,
    )
    explained = command("explain", "shop.toml", "shop:price").out
    assert (
        "  on return: prices_total\n    said in shop.toml:12\n    when = result > 0\n" in explained
    )
    assert "    value = result\n    name = name\n" in explained


def test_a_target_with_many_items(project, command):
    project.write(
        "shop.toml",
        project.metrics
        + """
        [[instrument]]
        target = "shop:price"
        [[instrument.record]]
        metric = "prices_total"
        on = "return"
        each = "result"
        labels = { name = "item" }
        """,
    )
    explained = command("explain", "shop.toml", "shop:price").out
    assert "    each = result: at most 1,000 items of a call\n    name = item\n" in explained
    assert "_obs_each" in explained
    checked = command("check", "shop.toml")
    assert checked.code == 0
    assert (
        "note: shop.toml:12: instrument[0].record[0]: each: at most 1,000 items of a call are "
        "recorded; ancestry_obs_items_left_out_total counts the others\n" in checked.out
    )


def test_a_target_with_exemplars(project, command):
    record = """
        [[instrument]]
        target = "shop:price"
        [[instrument.record]]
        metric = "prices_total"
        labels = { name = "name" }
        exemplar = { trace_id = "trace_id()", name = "%s" }
        """
    project.write("shop.toml", project.metrics + record % "name")
    explained = command("explain", "shop.toml", "shop:price").out
    told = "    exemplar.trace_id = trace_id()\n    exemplar.name = name\n"
    assert f"    name = name\n{told}" in explained
    assert "_obs_exemplify" in explained
    assert command("check", "shop.toml").code == 0
    project.write("shop.toml", project.metrics + record % "nam")
    checked = command("check", "shop.toml")
    assert checked.code == 1
    assert "record[0]: shop:price: unknown name 'nam'; did you mean 'name'?" in checked.out


def test_a_target_whose_items_cannot_be_followed_inline(project, command):
    project.write("shop.py", "def price(name):\n    yield from name\n")
    project.write(
        "shop.toml",
        project.metrics
        + """
        [[instrument]]
        target = "shop:price"
        record = [{ metric = "prices_total", on = "item", labels = { name = "item" } }]
        """,
    )
    explained = command("explain", "shop.toml", "shop:price").out
    assert "  on item: prices_total\n" in explained
    assert "because: it hands items over by 'yield from';" in explained


def test_a_sample(project, command):
    explained = command("explain", "shop.toml", "shop:Cart").out
    assert explained.startswith("shop:Cart\n  sample: cart_items\n    said in shop.toml:12\n")
    assert "shop:Cart.__init__, with the statements in it:\n" in explained


def test_a_hook(project, command):
    explained = command("explain", "shop.toml", "shop:open_shop").out
    assert explained.startswith(
        "shop:open_shop\n  after: exporter.start\n    said in shop.toml:16\n"
    )
    assert "shop:open_shop, with the statements in it:\n" in explained


def test_a_glob_has_the_code_of_all_that_it_reaches(project, command):
    record = 'record = [{ metric = "prices_total", labels = { name = "\'x\'" } }]'
    project.write(
        "shop.toml", project.metrics + f'[[instrument]]\ntarget = "shop:Cart.*"\n{record}\n'
    )
    explained = command("explain", "shop.toml", "shop:Cart.*").out
    assert "shop:Cart.add, with the statements in it:\n" in explained
    assert "shop:Cart.size, with the statements in it:\n" in explained


def test_one_function_of_a_glob(project, command):
    record = 'record = [{ metric = "prices_total", labels = { name = "\'x\'" } }]'
    project.write(
        "shop.toml", project.metrics + f'[[instrument]]\ntarget = "shop:Cart.*"\n{record}\n'
    )
    explained = command("explain", "shop.toml", "shop:Cart.add").out
    assert explained.startswith("shop:Cart.*\n")
    assert "shop:Cart.add, with the statements in it:\n" in explained
    assert "shop:Cart.size" not in explained
    astray = command("explain", "shop.toml", "shop:Cart.adds")
    assert (astray.code, astray.out) == (2, "")
    assert astray.err == (
        "ancestry-obs: 'shop:Cart.*' leads to no function 'shop:Cart.adds'; did you mean "
        "'shop:Cart.add' or 'shop:Cart.size'? name 'shop:Cart.*' to see all\n"
    )


def test_a_glob_over_the_targets_of_the_map(project, command):
    explained = command("explain", "shop.toml", "shop:*", "--json")
    told = json.loads(explained.out)["targets"]
    assert [each["target"] for each in told] == ["shop:price", "shop:Cart", "shop:open_shop"]
    assert [each["functions"][0]["way"] for each in told] == ["inline"] * 3


def test_a_function_that_is_not_woven_inline_says_why(project, command):
    project.write("shop.py", "def price(name):\n    return len(locals())\n")
    project.write("shop.toml", project.map.partition("[[sample]]")[0])
    explained = command("explain", "shop.toml", "shop:price").out
    assert "    woven call: its code calls the original\n    because: " in explained


def test_a_target_that_cannot_be_woven_says_why(project, command):
    project.write("shop.toml", project.map.replace("shop:price", "shop:prise"))
    explained = command("explain", "shop.toml", "shop:prise")
    assert explained.code == 0
    assert explained.out.splitlines()[-1] == (
        "  not woven: shop.toml:9: instrument[0]: shop:prise: error: 'shop' has no 'prise'; "
        "did you mean 'price'?"
    )


def test_an_unknown_name_has_the_nearest_one(project, command):
    explained = command("explain", "shop.toml", "shop:prices")
    assert (explained.code, explained.out) == (2, "")
    assert explained.err == (
        "ancestry-obs: shop.toml has no target, metric or instrument 'shop:prices'; did you mean "
        "'shop:price' or 'shop:open_shop' or 'shop:Cart'? 'ancestry-obs list' shows what it has\n"
    )


def test_a_name_like_none_has_no_hint(project, command):
    assert "did you mean" not in command("explain", "shop.toml", "zzz").err


NAMED = """
    version = 1
    [metrics.calls_total]
    type = "counter"
    help = "Calls."
    [[instrument]]
    name = "prices"
    target = ["shop:price", "shop:open_*"]
    record = [{ metric = "calls_total" }]
"""


def test_an_instrument_by_its_name(project, command):
    project.write("named.toml", NAMED)
    explained = command("explain", "named.toml", "prices").out
    assert explained.startswith("shop:price\n  on exit: calls_total\n    said in named.toml:9\n")
    assert explained.count("    in the instrument 'prices'\n") == 2
    assert "shop:open_shop, with the statements in it:" in explained
    told = json.loads(command("explain", "named.toml", "prices", "--json").out)["targets"]
    assert [each["target"] for each in told] == ["shop:price", "shop:open_*"]
    assert {each["does"][0]["name"] for each in told} == {"prices"}


def test_a_name_of_an_instrument_that_is_no_quite_right(project, command):
    project.write("named.toml", NAMED)
    assert "did you mean 'prices'?" in command("explain", "named.toml", "priecs").err


def test_a_map_on_standard_input(project, command, standard_input):
    standard_input(project.map.encode())
    explained = command("explain", "-", "prices_total")
    assert explained.code == 0
    assert "  declared in <stdin>:2\n" in explained.out
    standard_input(project.map.encode())
    assert "def price(name)" in command("explain", "-", "shop:price").out


OVER = """
        [[instrument]]
        target = "shop:price"
        until = 2020-01-01
        record = [{ metric = "prices_total", labels = { name = "name" } }]
        """
IN_FORCE = """
        [[instrument]]
        target = "shop:price"
        record = [{ metric = "prices_total", on = "raise", labels = { name = "'x'" } }]
        """


def test_a_target_that_is_over(project, command):
    project.write("shop.toml", project.metrics + OVER)
    explained = command("explain", "shop.toml", "shop:price").out
    # A long path stands below its words.
    explained = explained.replace("defined in\n      ", "defined in ")
    assert explained.startswith(
        "shop:price\n  on exit: prices_total\n    said in shop.toml:13\n"
        "    over since 2020-01-01: it measures nothing any more\n    name = name\n"
        f"  leads to shop:price\n    defined in {project.path}/shop.py:12\n"
        "    not woven\n    because: over since 2020-01-01\n"
        "  ancestry_prices_total: at most 12 series\n"
    )
    assert "with the statements in it" not in explained
    told = json.loads(command("explain", "shop.toml", "shop:price", "--json").out)["targets"][0]
    assert (told["does"][0]["until"], told["does"][0]["is_over"]) == ("2020-01-01", True)
    (function,) = told["functions"]
    assert function == {
        "target": "shop:price", "defined_at": f"{project.path}/shop.py:12", "way": "",
        "why": "over since 2020-01-01", "source": "",
    }  # fmt: skip
    assert "over since 2020-01-01" in command("explain", "shop.toml", "prices_total").out


def test_a_target_of_which_a_part_is_over(project, command):
    project.write("shop.toml", project.metrics + OVER + IN_FORCE)
    explained = command("explain", "shop.toml", "shop:price").out
    assert explained.count("over since 2020-01-01") == 1
    assert "    woven inline: the statements are in its own code\n" in explained


def test_a_target_that_is_not_over_yet(project, command):
    project.write("shop.toml", project.metrics + OVER.replace("2020", "2120"))
    explained = command("explain", "shop.toml", "shop:price").out
    assert "    until 2120-01-01\n" in explained
    assert "woven inline" in explained


def test_a_function_of_a_glob_that_is_over(project, command):
    record = OVER.replace("shop:price", "shop:Cart.*").replace('"name"', "\"'x'\"")
    project.write("shop.toml", project.metrics + record + IN_FORCE)
    explained = command("explain", "shop.toml", "shop:Cart.add").out
    assert explained.startswith("shop:Cart.*\n")
    assert "leads to shop:Cart.add\n" in explained
    assert "shop:Cart.size" not in explained
    assert "    not woven\n    because: over since 2020-01-01\n" in explained
    both = json.loads(command("explain", "shop.toml", "shop:*", "--json").out)["targets"]
    assert [[way["way"] for way in each["functions"]] for each in both] == [["", ""], ["inline"]]


def test_a_target_that_is_over_whose_function_another_one_measures(project, command):
    record = OVER.replace("shop:price", "shop:p*").replace('"name"', "\"'x'\"")
    project.write("shop.toml", project.metrics + record + IN_FORCE)
    explained = command("explain", "shop.toml", "shop:p*").out
    assert "over since 2020-01-01: it measures nothing any more\n" in explained
    assert "    woven inline: the statements are in its own code\n" in explained
    assert "not woven" not in explained


def test_a_target_that_is_over_and_not_there(project, command):
    project.write("shop.toml", project.metrics + OVER.replace("shop:price", "shop:prise"))
    explained = command("explain", "shop.toml", "shop:prise").out
    assert "    over since 2020-01-01: it measures nothing any more\n" in explained
    assert explained.splitlines()[-1] == (
        "  not woven: shop.toml:10: instrument[0]: shop:prise: error: 'shop' has no 'prise'; "
        "did you mean 'price'?"
    )


def test_values_that_are_over(project, command):
    handed = OVER.replace("record = ", 'entry.size = "len(name)"\n        record = ')
    project.write("shop.toml", project.metrics + handed)
    explained = command("explain", "shop.toml", "shop:price").out
    assert explained.count("over since 2020-01-01: it measures nothing any more") == 2
