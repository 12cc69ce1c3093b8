from __future__ import annotations


def test_a_metric(project, command):
    explained = command("explain", "shop.toml", "prices_total")
    assert explained.code == 0
    assert explained.out.splitlines() == [
        "prices_total: counter, at most 12 series",
        "  Prices asked for.",
        "  label name: at most 10 values, then 'other'",
        "  fed by shop:price (exit)",
    ]


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
    assert explained.startswith("shop:price\n  on exit: prices_total\n    name = name\n")
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
    assert "  on return: prices_total, when result > 0\n    value = result\n" in explained


def test_a_sample(project, command):
    explained = command("explain", "shop.toml", "shop:Cart").out
    assert explained.startswith("shop:Cart\n  sample cart_items\n")
    assert "shop:Cart.__init__, with the statements in it:\n" in explained


def test_a_hook(project, command):
    explained = command("explain", "shop.toml", "shop:open_shop").out
    assert explained.startswith("shop:open_shop\n  after: exporter.start\n")
    assert "shop:open_shop, with the statements in it:\n" in explained


def test_a_glob_has_the_code_of_all_that_it_reaches(project, command):
    record = 'record = [{ metric = "prices_total", labels = { name = "\'x\'" } }]'
    project.write(
        "shop.toml", project.metrics + f'[[instrument]]\ntarget = "shop:Cart.*"\n{record}\n'
    )
    explained = command("explain", "shop.toml", "shop:Cart.*").out
    assert "shop:Cart.add, with the statements in it:\n" in explained
    assert "shop:Cart.size, with the statements in it:\n" in explained


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
        "ancestry-obs: shop.toml has no target or metric 'shop:prices'; did you mean 'shop:price'? "
        "'ancestry-obs list shop.toml' shows what it has\n"
    )


def test_a_name_like_none_has_no_hint(project, command):
    assert "did you mean" not in command("explain", "shop.toml", "zzz").err
