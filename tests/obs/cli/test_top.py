from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

import ancestry_obs
from ancestry_obs.cli import main, top

SHOP = """\
[metrics.price_seconds]
type = "histogram"
help = "Time."
buckets = [1]
[[instrument]]
target = ["shop:price", "shop:prise"]
record = [
  { metric = "price_seconds" },
]
"""


@pytest.fixture
def url(project, enabled):
    """A program with an exporter, in this process."""
    (project.path / "shop.toml").write_text(project.map + SHOP)
    ancestry_obs.install("shop.toml", settings=enabled)
    import shop

    assert shop
    ancestry_obs.start_exporter()
    return ancestry_obs.status().url


@pytest.fixture
def between(monkeypatch):
    """What the program does between the two looks, instead of the time that passes."""

    def set_up(work):
        monkeypatch.setattr(top.time, "sleep", lambda _seconds: work())

    return set_up


def calls(number):
    import shop

    for _ in range(number):
        shop.price("book")


@pytest.mark.live
def test_a_table_of_one_interval(command, url, between):
    calls(5)
    between(lambda: calls(3))
    done = command("top", url)
    assert (done.code, done.err) == (0, "")
    head, *lines = done.out.splitlines()
    assert head.split() == ["CALLS/S", "FAIL/S", "P50", "P95", "P99", "STATE", "TARGET"]
    told = {line.split()[-1]: line.split() for line in lines}
    assert told["shop:price"][1:6] == ["-", "<1s", "<1s", "<1s", "installed"]
    assert told["shop:price"][0] != "0"
    assert told["shop:prise"] == ["0", "-", "-", "-", "-", "error", "shop:prise"]
    # The most called first.
    assert lines[0].endswith("shop:price")


@pytest.mark.live
def test_json(command, url, between):
    between(lambda: calls(3))
    told = json.loads(command("top", url, "--json", "--filter", "price").out)
    assert (told["map"], told["restarted"], told["url"]) == ("shop.toml", False, url)
    (target,) = told["targets"]
    assert (target["target"], target["state"]) == ("shop:price", "installed")
    assert target["calls_per_second"] > 0
    assert target["failed_per_second"] is None
    assert target["seconds"]["p50"] == {"value": 0.5, "is_least": False, "below": 1}


@pytest.mark.live
def test_the_other_views(command, url, between):
    between(lambda: calls(3))
    told = json.loads(command("top", url, "--json", "--view", "series", "--sort", "name").out)
    by_name = {each["name"]: each for each in told["series"]}
    assert by_name['shop_prices_total{name="book"}']["value"] == 3
    assert by_name["shop_price_seconds"]["quantiles"]["p50"]["value"] == 0.5
    assert list(by_name) == sorted(by_name)
    table = command("top", url, "--once", "--view", "metrics").out
    assert table.splitlines()[0].split()[-1] == "METRIC"


@pytest.mark.live
def test_a_program_that_ends_between_the_two_looks(command, url, between):
    between(ancestry_obs.uninstall)
    done = command("top", url)
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert "no exporter answers there" in done.err


@pytest.mark.live
def test_the_exporter_of_this_machine(command, url, between, monkeypatch):
    between(lambda: None)
    address = url.removesuffix("/metrics")
    monkeypatch.setenv("METRICS_EXPORT_PORT", address.rpartition(":")[2])
    assert json.loads(command("top", "--json").out)["url"] == address


@pytest.mark.live
def test_no_password_is_shown(command, url, between):
    between(lambda: None)
    told = command("top", url.replace("http://", "http://ada:secret@"), "--json").out
    assert json.loads(told)["url"] == url


@pytest.mark.live
def test_an_interrupt_before_the_second_look(command, url, between):
    def interrupt():
        raise KeyboardInterrupt

    between(interrupt)
    done = command("top", url)
    assert (done.code, done.out, done.err) == (130, "", "")


@pytest.mark.live
def test_no_label_commands_a_terminal(command, url, between):
    import shop

    between(lambda: shop.price("\x1b[2J"))
    told = command("top", url, "--once", "--view", "series").out
    assert 'shop_prices_total{name="?[2J"}' in told
    assert "\x1b" not in told


@pytest.mark.live
def test_labels_that_the_encoding_lacks(encoded, url, between):
    import shop

    between(lambda: shop.price("日本語"))
    done = encoded("top", url, "--once", "--view", "series")
    assert done.code == 0
    assert r'shop_prices_total{name="\u65e5\u672c\u8a9e"}' in done.out
    told = json.loads(encoded("top", url, "--json", "--view", "series").out)
    assert 'shop_prices_total{name="日本語"}' in {each["name"] for each in told["series"]}


@pytest.mark.live
def test_without_standard_input(command, url, between, monkeypatch):
    between(lambda: None)
    monkeypatch.setattr("sys.stdin", None)
    assert command("top", url).out.startswith("CALLS/S")


@pytest.mark.live
def test_without_standard_output(url, between, monkeypatch):
    between(lambda: None)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("sys.stdout", None)
    assert main(["top", url]) == 0


@pytest.mark.live
def test_a_column_that_there_is_not(command, url):
    done = command("top", url, "--sort", "cost")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "ancestry-obs: --sort cost: no such column; there are rate, failed, p50, p95, p99, kind, "
        "name\n"
    )


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "1e9", "soon"])
def test_an_interval_that_is_none(command, seconds):
    done = command("top", "--interval", seconds)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(
        f"ancestry-obs: argument --interval: {seconds!r} is no number of seconds above 0 and up to "
        "86,400"
    )
    assert done.err.count("\n") == 1


@pytest.mark.live
def test_the_page_tells_what_feeds_what(url):
    from ancestry_obs.metrics_exporter.client import get

    page = json.loads(get(url.replace("/metrics", "/status")))
    assert [(each["pattern"], each["metric"]) for each in page["feeds"]] == [
        ("shop:price", "shop_prices_total"),
        ("shop:price", "shop_price_seconds"),
        ("shop:prise", "shop_price_seconds"),
    ]
