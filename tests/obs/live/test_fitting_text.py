from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_obs.live.fitting_text import columns_of, fitted, printable


@given(st.text(), st.integers(0, 60), st.booleans())
def test_it_is_exactly_so_wide_whatever_the_text_is(text, width, keep_end):
    shown = fitted(text, width, keep_end=keep_end)
    assert columns_of(shown) == width
    assert shown == printable(shown)


@pytest.mark.parametrize(
    ("text", "width", "from_start", "from_end"),
    [
        ("charge", 6, "charge", "charge"),
        ("charge", 8, "charge  ", "charge  "),
        ("shop:charge", 6, "shop:…", "…harge"),
        # A character of two columns is not cut in half.
        ("価格表", 6, "価格表", "価格表"),
        ("価格表", 5, "価格…", "…格表"),
        ("価格表", 4, "価… ", "…表 "),
        ("価", 1, "…", "…"),
        ("charge", 0, "", ""),
        # An accent of its own stays with its letter, or goes with it.
        ("cafe\u0301s", 5, "cafe\u0301s", "cafe\u0301s"),
        ("cafe\u0301s", 2, "c…", "…s"),
    ],
)
def test_cut_and_filled(text, width, from_start, from_end):
    assert fitted(text, width) == from_start
    assert fitted(text, width, keep_end=True) == from_end


@pytest.mark.parametrize("text", ["a\nb", "\x1b[2J", "a\u202eb", "\ud800", "\x9b", "a\u2028b"])
def test_nothing_that_a_terminal_obeys_is_left(text):
    shown = printable(text)
    assert "?" in shown
    assert shown.isprintable()
    assert len(shown) == len(text)
