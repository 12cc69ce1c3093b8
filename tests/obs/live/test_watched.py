from __future__ import annotations

from ancestry_obs.feeds import Feed
from ancestry_obs.installation_status import Status, TargetStatus
from ancestry_obs.live.rate_history import History
from ancestry_obs.live.scrape import Scrape
from ancestry_obs.live.watched import Watched


def rates(watched, subject="targets", **how):
    return {each.name: each.rate for each in watched.rows(subject, **how)}


def test_rates_need_two_scrapes(shop):
    watched = Watched(shop())
    assert set(rates(watched).values()) == {None}
    watched.add(shop(2.0, calls=30, looks=2))
    assert rates(watched)["shop:charge"] == 10
    assert rates(watched, since_start=True)["shop:charge"] == 30


def test_each_scrape_is_compared_with_the_one_before(shop):
    watched = Watched(shop())
    for at, calls in ((1.0, 20), (2.0, 20), (4.0, 60)):
        watched.add(shop(at, calls=calls, looks=2 + at))
    assert rates(watched)["shop:charge"] == 20
    assert list(watched.history("targets", "shop:charge")) == [10, 0, 20]
    assert list(watched.history("metrics", "shop_charge_seconds")) == [10, 0, 20]
    assert list(watched.history("series", "shop_charge_seconds")) == [10, 0, 20]
    assert list(watched.history("targets", "nobody")) == []


def test_a_program_that_is_started_anew_has_no_negative_rates(shop):
    watched = Watched(shop(looks=100, calls=1000))
    watched.lost = "no exporter answers there"
    watched.add(shop(2.0, looks=1, calls=4, quick=2, good=1, failed=0, adds=3))
    assert (watched.has_restarted, watched.lost) == (True, "")
    assert rates(watched)["shop:charge"] == 2
    assert all(rate is None or rate >= 0 for rate in rates(watched, "series").values())
    watched.add(shop(3.0, looks=2, calls=6, quick=2, good=1, failed=0, adds=3))
    assert not watched.has_restarted
    assert rates(watched)["shop:charge"] == 2


def test_another_status_joins_anew(shop):
    first = shop()
    watched = Watched(first)
    assert watched.rows("targets", since_start=True)[1].failed is None
    status = Status(
        enabled=True, targets=(TargetStatus("shop:Cart.add", "installed", patterns=("x",)),)
    )
    feeds = [
        Feed("x", "shop_charges_total", {}, {"outcome": ("error",)}, "exit", is_duration=False)
    ]
    watched.add(Scrape(1.0, first.metrics, status, feeds))
    assert watched.rows("targets", since_start=True)[1].failed == 2


def test_a_history_is_bounded_and_forgets_who_has_gone():
    history = History()
    for moment in range(100):
        history.add([("a", float(moment))])
    assert list(history.of("a")) == [float(each) for each in range(40, 100)]
    history.add((str(each), 1.0) for each in range(20_000))
    assert list(history.of("a")) == []
    assert list(history.of("9999")) == [1.0]
    assert list(history.of("10000")) == []
