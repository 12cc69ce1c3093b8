from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ancestry_obs.monitoring.catalogue import BUILD_INFO
from ancestry_obs.monitoring.grid import COLUMNS, Place, places
from ancestry_obs.monitoring.plan import Panel


def panel(width: int | None = None, height: int | None = None) -> Panel:
    return Panel(BUILD_INFO, "count", "", "", width=width, height=height)


SIZES = st.lists(st.tuples(st.integers(1, COLUMNS), st.integers(2, 12)), min_size=1, max_size=20)


def test_a_shelf_is_as_high_as_its_highest_and_filled_to_the_end():
    found = places([panel(10, 4), panel(6, 7), panel(12, 5)], top=3)
    assert found == [Place(0, 3, 14, 7), Place(14, 3, 10, 7), Place(0, 10, 24, 5)]


def test_what_does_not_divide_goes_to_the_first():
    assert [place.width for place in places([panel(7), panel(7), panel(7)], 0)] == [8, 8, 8]
    assert [place.width for place in places([panel(7), panel(8), panel(8)], 0)] == [8, 8, 8]
    assert [place.width for place in places([panel(5), panel(5), panel(6)], 0)] == [8, 8, 8]


def test_what_does_not_fit_begins_a_new_shelf():
    assert [place.y for place in places([panel(12, 3), panel(12, 3)], 0)] == [0, 0]
    assert [place.y for place in places([panel(12, 3), panel(13, 3)], 0)] == [0, 3]


def test_a_view_has_a_size_of_its_own():
    assert places([panel(), panel()], 0) == [Place(0, 0, 12, 4), Place(12, 0, 12, 4)]


@given(SIZES, st.integers(0, 100))
def test_every_cell_of_the_grid_belongs_to_one_panel(sizes, top):
    found = places([panel(*size) for size in sizes], top)
    cells = [
        (x, y)
        for place in found
        for x in range(place.x, place.x + place.width)
        for y in range(place.y, place.y + place.height)
    ]
    bottom = max(place.y + place.height for place in found)
    assert len(cells) == len(set(cells)) == COLUMNS * (bottom - top)
    assert all(0 <= x < COLUMNS and y >= top for x, y in cells)
