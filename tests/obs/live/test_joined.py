"""Which targets feed the same series, compared with a look at each two of them."""

from __future__ import annotations

import sys
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from ancestry_obs.feeds import Feed
from ancestry_obs.installation_status import TargetStatus
from ancestry_obs.live.joined import Joined

TEXTS = st.sampled_from("xyz")
FEEDS = st.builds(
    Feed,
    pattern=st.sampled_from("abcd"),
    metric=st.sampled_from(["calls_total", "call_seconds"]),
    constants=st.dictionaries(st.sampled_from(["kind", "on", "way"]), TEXTS),
    failing=st.just({}),
    on=st.just("exit"),
    is_duration=st.just(True),
)


def meet(one, other):
    """Tell whether a series can have the constant labels of both."""
    same = one.constants.keys() & other.constants.keys()
    return one.metric == other.metric and all(
        one.constants[name] == other.constants[name] for name in same
    )


@given(st.lists(FEEDS, max_size=9), st.booleans())
def test_what_two_targets_may_both_feed_is_shared(feeds, takes_both):
    patterns = {name: (name, "a") if takes_both else (name,) for name in "abcd"}
    targets = [TargetStatus(name, "installed", patterns=each) for name, each in patterns.items()]
    joined = Joined(targets, feeds)
    fed = {name: [each for each in feeds if each.pattern in patterns[name]] for name in "abcd"}
    shared = {
        (name, id(mine))
        for one, other in combinations("abcd", 2)
        for first in fed[one]
        for second in fed[other]
        if meet(first, second)
        for name, mine in ((one, first), (other, second))
    }
    for name, own in fed.items():
        for each in own:
            assert joined.is_shared([each]) == any((n, id(each)) in shared for n in "abcd"), name


def test_many_places_are_not_compared_one_by_one():
    def steps_of(count):
        names = [f"shop:f{number}" for number in range(count)]
        feeds = [
            Feed(name, "calls_total", {"kind": name, **more}, {}, "exit", is_duration=True)
            for name in names
            for more in ({}, {"on": "a"})
        ]
        targets = [TargetStatus(name, "installed", patterns=(name,)) for name in names]
        steps = []
        sys.setprofile(lambda *_: steps.append(1))
        try:
            joined = Joined(targets, feeds)
        finally:
            sys.setprofile(None)
        assert not joined.is_shared(feeds)
        return len(steps)

    assert steps_of(400) <= 5 * steps_of(100)
