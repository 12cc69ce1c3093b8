from __future__ import annotations

import pytest

from ancestry_obs.live.looking import look
from ancestry_obs.live.scrape import Lost
from ancestry_obs.live.view import View
from ancestry_obs.live.watched import Watched


class Paper:
    """A display that keeps all that it was shown."""

    def __init__(self, *sizes):
        self._sizes = list(sizes)
        self.screens = []

    def size(self):
        return self._sizes.pop(0) if len(self._sizes) > 1 else self._sizes[0]

    def show(self, lines):
        self.screens.append([line.text.rstrip() for line in lines])


@pytest.fixture
def looked(shop):
    def run(*events, sizes=((80, 13),)):
        paper = Paper(*sizes)
        look(Watched(shop()), View(), iter(events), paper)
        return paper.screens

    return run


def row(screen, name="shop:charge"):
    return next(line.split()[0] for line in screen[3:-3] if line.endswith(name))


def test_each_event_is_a_screen(looked, shop):
    screens = looked(shop(2.0, calls=30, looks=2), "t", "q", "TAB")
    assert [row(each) for each in screens] == ["-", "10", "30"]


def test_what_is_held_stays_and_goes_on_from_there(looked, shop):
    later = [shop(at, calls=calls, looks=1 + at) for at, calls in ((1, 20), (2, 100), (4, 110))]
    screens = looked(later[0], "p", later[1], "p", later[2])
    assert [row(each) for each in screens] == ["-", "10", "10", "10", "10", "30"]
    assert screens[2][1] == screens[3][1] == "held; p goes on"
    # The last is of the three seconds since the first.
    assert screens[-1][1] != "held; p goes on"


def test_a_lost_exporter_is_told_and_its_numbers_stay(looked, shop):
    first, second = shop(2.0, calls=30, looks=2), shop(9.0, calls=37, looks=3)
    screens = looked(first, Lost("no exporter answers there"), second)
    assert screens[2][1] == "waiting: no exporter answers there"
    assert [row(each) for each in screens] == ["-", "10", "10", "1"]
    assert "waiting" not in screens[3][1]


def test_one_that_answers_while_held_is_not_lost(looked, shop):
    screens = looked(Lost("no exporter answers there"), "p", shop(2.0, looks=2))
    assert screens[-1][1] == "held; p goes on"


def test_another_size_is_drawn_at_once(looked):
    screens = looked(None, None, sizes=((80, 13), (40, 8), (200, 30)))
    assert [len(each) for each in screens] == [13, 8, 30]
    assert "FAIL/S" not in screens[1][2]


def test_a_row_is_chosen_among_those_that_are_shown(looked):
    screens = looked("/", *"cart", "ENTER", "DOWN", "DOWN")
    assert screens[-1][-3] == "shop:Cart.add"
