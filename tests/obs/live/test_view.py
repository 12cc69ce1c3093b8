from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ancestry_obs.live.columns import COLUMNS
from ancestry_obs.live.rates import Quantile
from ancestry_obs.live.rows import Row
from ancestry_obs.live.view import View, chosen

KEYS = st.sampled_from(
    [*"q123<>r/tpjk?hx価 ", "TAB", "BACK_TAB", "UP", "DOWN", "LEFT", "RIGHT", "PAGE_UP",
     "PAGE_DOWN", "HOME", "END", "ENTER", "ESCAPE", "BACKSPACE", "KEY_F(1)"]
)  # fmt: skip
ROWS = [
    Row("shop:charge", "installed", 5.0, 1.0, (Quantile(0.3),) * 3),
    Row("shop:Cart.add", "installed", 50.0),
    Row("shop:prise", "error", None),
    Row("shop:never", "idle", 0.0, 0.0),
]


def after(view, *keys, count=4):
    for key in keys:
        view = view.pressed(key, count)
    return view


def names(*keys, view=None):
    return [row.name for row in chosen(ROWS, after(view or View(), *keys))]


@given(st.lists(KEYS), st.integers(0, 30))
def test_any_keys_leave_a_view_that_can_be_shown(keys, count):
    view = after(View(), *keys, count=count)
    assert view.subject in COLUMNS
    assert 0 <= view.sort < len(COLUMNS[view.subject])
    assert 0 <= view.at < max(1, count)
    assert {row.name for row in chosen(ROWS, view)} <= {row.name for row in ROWS}


def test_the_most_called_comes_first_and_what_is_not_known_last():
    assert names() == ["shop:Cart.add", "shop:charge", "shop:never", "shop:prise"]


def test_the_other_way_round_what_is_not_known_is_still_last():
    assert names("r") == ["shop:never", "shop:charge", "shop:Cart.add", "shop:prise"]
    assert names("r", "r") == names()


def test_each_column_is_sorted_by():
    orders = {after(View(), *[">"] * step).column.name: names(*[">"] * step) for step in range(7)}
    assert list(orders) == ["rate", "failed", "p50", "p95", "p99", "kind", "name"]
    assert orders["failed"][:2] == ["shop:charge", "shop:never"]
    assert orders["p95"][0] == "shop:charge"
    # The worst state first.
    assert orders["kind"] == ["shop:prise", "shop:never", "shop:Cart.add", "shop:charge"]
    assert orders["name"] == sorted(orders["name"])


def test_beyond_the_last_column_is_the_first():
    assert after(View(), "<").column.name == "name"
    assert after(View(), "LEFT", "RIGHT") == View()


def test_the_next_view_begins_with_its_first_column():
    assert after(View(), ">", ">", "r", "TAB") == View("metrics")
    assert after(View(), "TAB", "TAB", "TAB") == View()
    assert after(View(), "BACK_TAB") == View("series")
    assert after(View(), "2", ">", "2").sort == 1


def test_words_are_looked_for_in_name_and_state():
    assert names("/", *"cart", "ENTER") == ["shop:Cart.add"]
    assert names("/", *"SHOP err") == ["shop:prise"]
    assert names("/", *"nothing") == []


def test_keys_are_text_while_words_are_typed():
    view = after(View(), "/", *"qr?価", "BACKSPACE", "TAB")
    assert (view.words, view.is_typing, view.is_over) == ("qr?", True, False)
    assert after(view, "ENTER", "q").is_over
    assert after(view, "ESCAPE") == View()
    assert after(view, "ENTER", "ESCAPE").words == ""


def test_a_row_is_chosen_within_those_that_there_are():
    assert after(View(), "DOWN", "j").at == 2
    assert after(View(), *["DOWN"] * 9).at == 3
    assert after(View(), "END").at == 3
    assert after(View(), "END", "PAGE_UP").at == 0
    assert after(View(), "END", "HOME").at == 0
    assert after(View(), "DOWN", count=0).at == 0
    # Fewer rows than before: the next step begins at the last of them.
    assert after(View(at=20), "UP", count=4).at == 2


def test_help_goes_by_any_key_which_does_what_it_does():
    helped = after(View(), "?")
    assert helped.has_help
    assert after(helped, "h") == View()
    assert after(helped, "2") == View("metrics")
    assert after(helped, "q").is_over


def test_switches():
    assert after(View(), "t").since_start
    assert after(View(), "p").is_paused
    assert after(View(), "t", "p", " ", "t") == View()
    assert after(View(), "KEY_F(1)", "x") == View()
