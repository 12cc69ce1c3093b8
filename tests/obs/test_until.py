"""What a map measures until a date, and not from then on."""

from __future__ import annotations

import importlib
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from prometheus_client import CollectorRegistry, generate_latest

import ancestry_obs
from ancestry_obs import instrumentation
from ancestry_obs.checking.remarks import ends
from ancestry_obs.cli import main
from ancestry_obs.exceptions import MapError
from ancestry_obs.mapfile import load
from ancestry_obs.settings import ObservabilitySettings

SHOP = """
def price(name): return len(name)
def refund(name): return -len(name)
"""
END = datetime(2027, 1, 1, tzinfo=UTC).timestamp()


def spec(until, more=()):
    record = [{"metric": "calls_total"}]
    return {
        "version": 1,
        "metrics": {"calls_total": {"type": "counter", "help": "Calls."}},
        "instrument": [
            {"target": "until_shop:price", "until": until, "record": record},
            {"target": "until_shop:refund", "record": record},
            *more,
        ],
    }


class Clock:
    now = END - 1

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(instrumentation, "time", clock)
    return clock


@pytest.fixture
def shop(make_module, clock):
    make_module("until_shop", SHOP)
    module = importlib.import_module("until_shop")
    module.own = module.price.__code__
    module.own_refund = module.refund.__code__
    module.registry = CollectorRegistry()
    yield module
    ancestry_obs.uninstall()
    assert module.price.__code__ is module.own


def install(shop, until=date(2027, 1, 1)):
    settings = ObservabilitySettings(enable_prometheus_metrics=True, metrics_export_port=0)
    ancestry_obs.install(spec(until), settings=settings, registry=shop.registry)


def states():
    return {each.target.partition(":")[2]: each.state for each in ancestry_obs.status().targets}


def page(shop):
    return generate_latest(shop.registry).decode()


def test_it_measures_until_then_and_gives_the_function_its_own_code_back(shop, clock):
    install(shop)
    shop.price("a")
    assert 'calls_total{target="until_shop:price"} 1.0' in page(shop)
    clock.now = END
    told = page(shop)
    assert shop.price.__code__ is shop.own
    shop.price("a")
    shop.refund("a")
    assert states() == {"price": "expired", "refund": "installed"}
    assert 'ancestry_obs_target_info{state="expired",target="until_shop:price"} 1.0' in told
    # What was counted is still there, and nothing is counted for the target any more.
    assert "ancestry_calls_total 2.0" in page(shop)
    assert 'ancestry_obs_calls_total{target="until_shop:price"}' not in page(shop)
    (over,) = [each for each in ancestry_obs.status().targets if each.state == "expired"]
    assert over.reason == "over since 2027-01-01"


def test_what_is_over_at_the_start_is_never_woven(shop, clock):
    clock.now = END + 1
    install(shop)
    assert shop.price.__code__ is shop.own
    assert states() == {"price": "expired", "refund": "installed"}


def test_a_reload_that_moves_the_date_measures_again(shop, clock):
    clock.now = END + 1
    install(shop)
    ancestry_obs.reload(spec(date(2028, 1, 1)))
    shop.price("a")
    assert states() == {"price": "installed", "refund": "installed"}
    assert 'ancestry_obs_calls_total{target="until_shop:price"} 1.0' in page(shop)


def test_a_clock_that_is_set_back_takes_the_end_back(shop, clock):
    install(shop)
    clock.now = END
    assert states() == {"price": "expired", "refund": "installed"}
    clock.now = END - 1
    assert states() == {"price": "installed", "refund": "installed"}
    shop.price("a")
    assert 'ancestry_obs_calls_total{target="until_shop:price"} 1.0' in page(shop)


def test_uninstalled_in_the_midst_of_the_look_after_an_end(shop, clock, monkeypatch):
    install(shop)
    clock.now = END
    pointcuts = instrumentation.aspects.pointcuts

    def late(*arguments):
        monkeypatch.undo()
        ancestry_obs.uninstall()
        return pointcuts(*arguments)

    monkeypatch.setattr(instrumentation.aspects, "pointcuts", late)
    page(shop)
    assert shop.price.__code__ is shop.own
    assert shop.refund.__code__ is shop.own_refund


def test_a_reload_tells_what_else_is_asked_for(shop):
    install(shop)
    assert ancestry_obs.reload(spec(date(2028, 1, 1))).targets_changed == ("until_shop:price",)
    rare = spec(date(2028, 1, 1))
    rare["instrument"][1]["rare"] = True
    assert ancestry_obs.reload(rare).targets_changed == ("until_shop:refund",)


def test_what_a_reload_adds_is_not_idle_for_earlier_calls(shop, clock):
    install(shop)
    for _ in range(200):
        shop.price("a")
    assert states() == {"price": "installed", "refund": "idle"}
    ancestry_obs.reload(spec(date(2028, 1, 1)))
    assert states()["refund"] == "installed"
    for _ in range(100):
        shop.price("a")
    assert states()["refund"] == "idle"


def test_another_instrument_of_the_target_goes_on(shop, clock):
    more = {"target": "until_shop:*", "record": [{"metric": "calls_total", "on": "call"}]}
    settings = ObservabilitySettings(enable_prometheus_metrics=True, metrics_export_port=0)
    whole = spec(date(2027, 1, 1), [more])
    ancestry_obs.install(whole, settings=settings, registry=shop.registry)
    clock.now = END
    page(shop)
    shop.price("a")
    assert states()["price"] == "installed"
    assert "ancestry_calls_total 1.0" in page(shop)


@pytest.mark.parametrize(
    ("until", "seconds", "shown"),
    [
        (date(2027, 1, 1), END, "2027-01-01"),
        (datetime(2027, 1, 1, 8, tzinfo=UTC), END + 8 * 3600, "2027-01-01T08:00:00+00:00"),
        (
            datetime(2027, 1, 1, tzinfo=timezone(timedelta(hours=2))),
            END - 2 * 3600,
            "2026-12-31T22:00:00+00:00",
        ),
    ],
)
def test_dates_and_times(until, seconds, shown):
    first = load(spec(until)).instruments[0]
    assert (first.until, first.end) == (seconds, shown)
    assert first.is_over(seconds)
    assert not first.is_over(seconds - 1)


@pytest.mark.parametrize(
    "until",
    [
        *("2027-01-01", 2027, True, datetime(2027, 1, 1)),  # noqa: DTZ001
        # Within the calendar where they are written, and not in UTC.
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
        datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone(timedelta(hours=-5))),
        # No number of seconds is so exact.
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    ],
)
def test_what_is_no_date_is_refused(until):
    with pytest.raises(MapError, match=r"until: found .*allowed is a date such as 2027-01-01, or"):
        load(spec(until))


@pytest.mark.parametrize(
    ("days", "told"),
    [(14.1, None), (14, "14 days"), (1.5, "2 days"), (1, "1 day"), (0.1, "1 day")],
)
def test_check_has_a_note_before(days, told):
    notes = [*ends(load(spec(date(2027, 1, 1))), END - days * 24 * 3600)]
    when = f"over in {told}, on 2027-01-01; if it is to go on, move its date"
    assert notes == ([f"note: <mapping>: instrument[0]: {when}"] if told else [])


@pytest.mark.parametrize("edge", [date(1, 1, 1), date(9999, 12, 31)])
def test_the_edges_of_the_calendar(edge):
    assert load(spec(edge)).instruments[0].end == str(edge)


def test_check_has_a_note(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "shop.toml").write_text(
        "version = 1\n[metrics.calls_total]\ntype = 'counter'\nhelp = 'Calls.'\n"
        "[[instrument]]\ntarget = 'shop:price'\nuntil = 2020-01-01\n"
        "record = [{ metric = 'calls_total' }]\n"
    )
    for _ in range(2):  # the second time from the cache
        assert main(["check", "shop.toml"]) == 0
        note = (
            "note: shop.toml:5: instrument[0]: over since 2020-01-01; remove it, or move its date"
        )
        assert note in capsys.readouterr().out.splitlines()
