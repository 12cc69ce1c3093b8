from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_obs.feeds import Feed
from ancestry_obs.frozen import replaced
from ancestry_obs.installation_status import Status, TargetStatus
from ancestry_obs.live.fitting_text import columns_of
from ancestry_obs.live.rows import SUBJECTS
from ancestry_obs.live.scrape import Scrape
from ancestry_obs.live.screen import screen
from ancestry_obs.live.view import View
from ancestry_obs.live.watched import Watched

AT_80 = """\
http://127.0.0.1:9000  shop.toml  1 error, 1 idle, 2 installed
[targets]  metrics  series  failed expressions: 6
▼CALLS/S FAIL/S     P50     P95     P99 STATE     HISTORY TARGET
      10      2  <100ms   910ms   982ms installed       █ shop:charge
       0      -       -       -       - installed       ▁ shop:Cart.add
       0      -       -       -       - idle            ▁ shop:never
       0      -       -       -       - error           ▁ shop:prise



shop:charge
failed expressions/s: 3
q end  Tab view  <> sort  r reverse  / filter  t totals  p hold  ? help"""
AT_40 = """\
http://127.0.0.1:9000  shop.toml  1 err…
[targets]  metrics  series  failed expr…
▼CALLS/S     P95 STATE     TARGET
      10   910ms installed shop:charge
       0       - installed shop:Cart.add
       0       - idle      shop:never
       0       - error     shop:prise



shop:charge
failed expressions/s: 3
q end  Tab view  <> sort  r reverse  / …"""
AT_200 = "▼CALLS/S FAIL/S     P50     P95     P99 STATE     HISTORY                        TARGET"
LONG = "価格.管理:Bestellung.berechne_" + "sehr_" * 30 + "lang"


@pytest.fixture
def watched(two_looks):
    before, after = two_looks
    seen = Watched(before)
    seen.add(after)
    return seen


def shown(watched, view=None, width=80, height=13):
    lines = screen(watched, view or View(), width, height)
    assert [columns_of(line.text) for line in lines] == [width] * height
    return [line.text.rstrip() for line in lines]


def styles(watched, view=None, **size):
    lines = screen(watched, view or View(), size.get("width", 80), size.get("height", 13))
    return [line.style for line in lines]


def test_at_80_columns(watched):
    assert "\n".join(shown(watched)) == AT_80


def test_at_40_columns(watched):
    assert "\n".join(shown(watched, width=40)) == AT_40


def test_at_200_columns_the_history_is_longer(watched):
    lines = shown(watched, width=200)
    assert lines[2] == AT_200
    assert lines[3].endswith("█ shop:charge")


QUICK_AND_SLOW = """\
    # TYPE ancestry_obs_target_info gauge
    ancestry_obs_target_info{target="shop:quick",state="installed"} 1
    ancestry_obs_target_info{target="shop:slow",state="installed"} 1
    ancestry_obs_target_info{target="shop:apart",state="installed"} 1
    # TYPE ancestry_obs_calls_total counter
    ancestry_obs_calls_total{target="shop:quick"} 97
    ancestry_obs_calls_total{target="shop:slow"} 3
    ancestry_obs_calls_total{target="shop:apart"} 2
    # TYPE call_seconds histogram
    call_seconds_bucket{f="quick",le="0.1"} 97
    call_seconds_bucket{f="quick",le="0.2"} 97
    call_seconds_bucket{f="quick",le="+Inf"} 97
    call_seconds_bucket{f="slow",le="0.1"} 0
    call_seconds_bucket{f="slow",le="0.2"} 0
    call_seconds_bucket{f="slow",le="+Inf"} 3
    # TYPE apart_seconds histogram
    apart_seconds_bucket{le="0.1"} 2
    apart_seconds_bucket{le="+Inf"} 2
"""
QUICK_AND_SLOW_AT_80 = """\
  ▼CALLS FAILED     P50     P95     P99 STATE     HISTORY TARGET
      97      - ~<100ms ~<100ms ~>200ms installed         shop:quick
       3      - ~<100ms ~<100ms ~>200ms installed         shop:slow
       2      -  <100ms  <100ms  <100ms installed         shop:apart"""


@pytest.mark.parametrize("width", [80, 120])
def test_what_is_of_other_targets_too_is_marked_wherever_it_lies(scraped, width):
    names = ("quick", "slow", "apart")
    status = Status(
        targets=tuple(TargetStatus(f"shop:{n}", "installed", patterns=(n,)) for n in names),
        enabled=True,
    )
    metrics = ("call_seconds", "call_seconds", "apart_seconds")
    feeds = [
        Feed(name, metric, {}, {}, "exit", is_duration=True)
        for name, metric in zip(names, metrics, strict=True)
    ]
    seen = Watched(scraped(QUICK_AND_SLOW, status=status, feeds=feeds))
    lines = shown(seen, View(since_start=True), width=width)[2:6]
    # What is wider is the history.
    before, wider = lines[0].index(" TARGET") - (width - 80) // 4, lines[0].index(" TARGET")
    assert [e[:before] + e[wider:] for e in lines] == QUICK_AND_SLOW_AT_80.split("\n")


def many(scraped, number=100, name="mod:f{}"):
    text = "# TYPE ancestry_obs_target_info gauge\n# TYPE ancestry_obs_calls_total counter\n"
    for each in range(number):
        target = name.format(each)
        text += f'ancestry_obs_target_info{{target="{target}",state="installed"}} 1\n'
        text += f'ancestry_obs_calls_total{{target="{target}"}} {1000 - each}\n'
    return Watched(scraped(text))


VIEWS = st.builds(
    View,
    st.sampled_from(SUBJECTS),
    st.integers(0, 6),
    words=st.text(max_size=5),
    is_typing=st.booleans(),
    since_start=st.booleans(),
    has_help=st.booleans(),
    at=st.integers(0, 200),
)


@given(width=st.integers(1, 250), height=st.integers(1, 60), view=VIEWS, lost=st.text())
def test_whatever_the_size_and_the_view(scraped, width, height, view, lost):
    seen = many(scraped, 3, f"{LONG}{{}}")
    seen.lost = lost
    shown(seen, view, width, height)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_long_and_wide_names_keep_their_end(scraped, width):
    line = shown(many(scraped, 1, LONG), width=width)[3]
    assert line.endswith("lang")
    assert "…" in line or LONG in line


def test_the_full_name_of_a_row_is_below(scraped):
    assert shown(many(scraped, 1, LONG), width=200)[-3] == LONG


def test_the_column_that_is_sorted_by_stays_where_others_go(watched):
    p50 = View(sort=2)
    assert " ▼P50" in shown(watched, p50, width=40)[2]
    assert "P95" not in shown(watched, p50, width=40)[2]
    assert "▲STATE" in shown(watched, View(sort=5))[2]
    assert "▼STATE" in shown(watched, View(sort=5, is_reversed=True))[2]


def test_states_have_colours_and_the_chosen_row_stands_out(watched):
    assert styles(watched)[:7] == ["title", "warning", "head", "chosen", "", "warning", "bad"]
    # The row whose expressions fail, when another one is chosen.
    assert styles(watched, View(at=3))[3:7] == ["warning", "", "warning", "chosen"]


def test_the_chosen_row_is_on_the_screen(scraped):
    seen = many(scraped)
    for at in (0, 5, 50, 99, 500):
        view = View(at=at)
        lines = screen(seen, view, 80, 13)
        (chosen,) = [line.text for line in lines if line.style == "chosen"]
        assert chosen.rstrip().endswith(f"mod:f{sorted(map(str, range(100)))[min(at, 99)]}")


def test_totals(watched):
    lines = shown(watched, View(since_start=True))
    assert lines[1] == "[targets]  metrics  series  since the start  failed expressions: 6"
    assert lines[2].split()[:3] == ["▼CALLS", "FAILED", "P50"]
    assert lines[3].split()[:2] == ["100", "-"]
    assert "shop:Cart.add" in lines[3]
    assert lines[4].split()[:2] == ["30", "6"]


def test_before_the_second_scrape_nothing_is_made_up(shop):
    seen = Watched(shop())
    row = next(line for line in shown(seen) if "shop:charge" in line)
    assert row.split() == ["-", "-", "-", "-", "-", "installed", "shop:charge"]
    assert "10" in shown(seen, View(since_start=True))[4]


def test_metrics(watched):
    lines = shown(watched, View("metrics"))
    assert lines[2].split() == [
        "▼RATE/S", "VALUE", "P50", "P95", "P99", "TYPE", "HISTORY", "METRIC",
    ]  # fmt: skip
    assert lines[5].split() == ["-", "7", "-", "-", "-", "gauge", "shop_cart_items"]


def test_a_series_without_room_has_the_values_of_its_labels_alone(watched):
    assert shown(watched, View("series"))[4].endswith(" …arges_total{EUR,success}")
    wide = shown(watched, View("series"), width=120)[4]
    assert wide.endswith('shop_charges_total{currency="EUR",outcome="success"}')


def test_a_map_is_told_without_its_folder(shop):
    first = shop()
    status = replaced(first.status, map="/opt/shop/maps/shop.toml")
    seen = Watched(Scrape(0.0, first.metrics, status))
    assert shown(seen)[0].startswith("http://127.0.0.1:9000  shop.toml  1 error")


def test_messages(watched):
    def message(**view):
        return shown(watched, View(**view))[1]

    assert message(words="charge") == (
        "[targets]  metrics  series  filter 'charge': 1 of 4  failed expressions: 6"
    )
    assert message(words="char", is_typing=True) == "filter: char_"
    assert message(is_paused=True) == "held; p goes on"
    watched.has_restarted = True
    assert message() == "the program has been started anew; counters begin at 0"
    watched.lost = "no exporter answers there"
    assert message() == "waiting: no exporter answers there"
    assert styles(watched)[1] == "bad"


def test_what_the_program_says_is_wrong_with_its_exporter(shop):
    first = shop()
    wrong = replaced(
        first.status,
        exporter_error="cannot register",
        end_error="none of ours",
    )
    seen = Watched(Scrape(0.0, first.metrics, wrong))
    told = "[targets]  metrics  series  exporter: cannot register  end: none of ours"
    assert shown(seen)[1] == told
    assert styles(seen)[1] == "warning"
    seen = Watched(Scrape(0.0, first.metrics, replaced(first.status, map_error="s.toml: no TOML")))
    assert shown(seen)[1] == "[targets]  metrics  series  map: s.toml: no TOML"


def test_a_filter_that_nothing_has(watched):
    assert shown(watched, View(words="nothing"))[3] == "  no targets with 'nothing'"


def test_help_tells_every_key(watched):
    lines = shown(watched, View(has_help=True), height=24)
    text = "\n".join(lines)
    assert "Tab  1 2 3" in text
    assert "Ctrl-C" in text
    assert "…" not in text


def test_no_targets(scraped):
    lines = shown(Watched(scraped("")))
    assert lines[0].endswith("no targets")
    assert lines[3] == "  no targets"
