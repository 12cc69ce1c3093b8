from __future__ import annotations

import sys
from itertools import count

import pytest

from ancestry_obs.suggestion import stub
from ancestry_obs.suggestion.candidates import Candidate
from ancestry_obs.suggestion.prices import Prices, prices
from ancestry_obs.suggestion.proposals import Proposal


def traced_by() -> object:
    if sys.version_info >= (3, 12):
        return [sys.monitoring.get_tool(each) for each in range(6)]
    return sys.getprofile()


def test_measuring_leaves_nothing_behind():
    code, before = stub.called.__code__, traced_by()
    # Every round takes one second by this clock.
    assert prices(count().__next__) == Prices(0.0, 0.0, 0.0)
    assert stub.called.__code__ is code
    assert traced_by() == before


def test_what_takes_longer_has_a_price():
    codes = []
    plain = stub.called.__code__

    def clock():
        """Tell seconds of which a woven call takes twice as many, a traced one three times."""
        codes.append(stub.called.__code__)
        is_woven, is_traced = codes[-1] is not plain, traced_by() != before
        return len(codes) * (2 if is_woven else 3 if is_traced else 1)

    before = traced_by()
    found = prices(clock)
    assert found.measured == pytest.approx(1 / 5000)
    assert found.label == pytest.approx(0.0)
    # Of the seconds of this clock hardly any goes to counting.
    assert found.traced > 1


def test_the_price_of_a_candidate():
    label = Proposal("kind", "kind")
    candidate = Candidate("shop:add", "function", labels=[label, label])
    assert Prices(3.0, 0.5, 9.0).of(candidate) == 4.0
