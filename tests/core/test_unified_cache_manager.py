import threading

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ancestry_core.config import CacheSettings
from ancestry_core.unified_cache_manager import CacheStatistics, UnifiedCacheManager


@pytest.fixture
def make(clock):
    def cache(max_entries=100, default=60.0, **ttls):
        settings = CacheSettings(
            max_entries=max_entries, default_ttl_seconds=default, ttl_seconds=ttls
        )
        return UnifiedCacheManager(settings, clock=clock)

    return cache


def test_what_was_stored_is_found_under_the_whole_triple_alone(make):
    cache = make()
    cache.set("matches", "details", "a", 1)
    assert cache.get("matches", "details", "a") == 1
    assert cache.get("profiles", "details", "a") is None
    assert cache.get("matches", "badge", "a") is None
    assert cache.get("matches", "details", "b") is None


def test_values_are_copied_in_and_out(make):
    cache, value = make(), {"names": ["Ada"]}
    cache.set("s", "e", "k", value)
    value["names"].append("changed by the writer")
    cache.get("s", "e", "k")["names"].append("changed by a reader")
    assert cache.get("s", "e", "k") == {"names": ["Ada"]}


@pytest.mark.parametrize("value", [0, "", [], False])
def test_empty_values_are_values(make, value):
    cache = make()
    cache.set("s", "e", "k", value)
    assert cache.get("s", "e", "k") == value
    assert cache.statistics("s", "e").hits == 1


def test_none_is_refused(make):
    with pytest.raises(ValueError) as caught:
        make().set("s", "e", "k", None)
    assert str(caught.value) == (
        "None cannot be cached for s/e: a lookup gives None on a miss; store an empty value"
    )


def test_each_service_has_its_own_time_to_live(make, clock):
    cache = make(default=10, profiles=100)
    cache.set("matches", "e", "k", 1)
    cache.set("profiles", "e", "k", 2)
    clock.advance(9.9)
    assert cache.get("matches", "e", "k") == 1
    clock.advance(0.1)
    assert cache.get("matches", "e", "k") is None
    assert cache.get("profiles", "e", "k") == 2


def test_an_entry_may_have_a_time_to_live_of_its_own(make, clock):
    cache = make(default=10)
    cache.set("s", "e", "long", 1, ttl=100)
    cache.set("s", "e", "never", 1, ttl=0)
    clock.advance(50)
    assert cache.get("s", "e", "long") == 1
    assert cache.get("s", "e", "never") is None


def test_storing_again_begins_a_new_life(make, clock):
    cache = make(default=10)
    cache.set("s", "e", "k", 1)
    clock.advance(9)
    cache.set("s", "e", "k", 2)
    clock.advance(9)
    assert cache.get("s", "e", "k") == 2


def test_the_least_recently_used_entry_makes_room(make):
    cache = make(max_entries=2)
    cache.set("s", "e", "a", 1)
    cache.set("s", "e", "b", 2)
    cache.get("s", "e", "a")
    cache.set("s", "e", "c", 3)
    assert [cache.get("s", "e", key) for key in "abc"] == [1, None, 3]
    assert cache.statistics("s", "e").expiries == 0


@pytest.mark.parametrize(
    ("pattern", "removed"),
    [
        ({}, 4),
        ({"service": "s"}, 3),
        ({"service": "s", "endpoint": "e"}, 2),
        ({"service": "s", "endpoint": "e", "key": "a"}, 1),
        ({"key": "a"}, 3),
        ({"service": "nobody"}, 0),
    ],
)
def test_invalidation_removes_what_matches(make, pattern, removed):
    cache = make()
    for triple in (("s", "e", "a"), ("s", "e", "b"), ("s", "f", "a"), ("t", "e", "a")):
        cache.set(*triple, 1)
    assert cache.invalidate(**pattern) == removed
    assert len(cache) == 4 - removed
    assert cache.statistics().invalidations == removed


def test_an_expired_entry_is_not_invalidated_but_expires(make, clock):
    cache = make(default=10)
    cache.set("s", "e", "k", 1)
    clock.advance(10)
    assert cache.invalidate() == 0
    assert cache.statistics() == CacheStatistics(sets=1, expiries=1)


def test_figures_are_kept_per_service_and_endpoint(make, clock):
    cache = make(default=10)
    cache.set("s", "e", "k", 1)
    cache.get("s", "e", "k")
    cache.get("s", "e", "other")
    clock.advance(10)
    cache.get("s", "f", "k")
    assert cache.statistics("s", "e") == CacheStatistics(hits=1, misses=1, sets=1, expiries=1)
    assert cache.statistics("s", "f") == CacheStatistics(misses=1)
    assert cache.statistics("s").lookups == 3
    assert cache.statistics("nobody") == CacheStatistics()


def test_an_entry_expires_once_and_in_one_place(make, clock, monkeypatch):
    seen = []
    original = UnifiedCacheManager._expire
    monkeypatch.setattr(
        UnifiedCacheManager,
        "_expire",
        lambda self, *triple: (seen.append(triple), original(self, *triple))[1],
    )
    cache = make(max_entries=3, default=10)
    for key in "abc":
        cache.set("s", "e", key, 1)
    clock.advance(10)
    cache.set("s", "e", "d", 1)
    cache.get("s", "e", "a")
    clock.advance(10)
    assert len(cache) == 0
    assert sorted(seen) == [("s", "e", key) for key in "abcd"]


def test_threads_lose_no_count(make):
    cache = make(max_entries=10)

    def work(number):
        for step in range(300):
            cache.set("s", "e", f"{number}-{step % 5}", step)
            cache.get("s", "e", f"{step % 4}-{step % 5}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (cache.statistics().sets, cache.statistics().lookups) == (1_200, 1_200)
    assert len(cache) <= 10


class CacheModel(RuleBasedStateMachine):
    """The cache beside a plain dictionary of (value, expiry), the oldest use first."""

    keys = st.tuples(st.sampled_from("st"), st.sampled_from("ef"), st.sampled_from("abc"))

    def __init__(self):
        super().__init__()
        self.now = 0.0
        settings = CacheSettings(max_entries=5, default_ttl_seconds=7, ttl_seconds={"t": 3})
        self.cache = UnifiedCacheManager(settings, clock=lambda: self.now)
        self.model = {}
        self.expired = 0

    def forget_expired(self):
        over = [key for key, (_, until) in self.model.items() if until <= self.now]
        for key in over:
            del self.model[key]
        self.expired += len(over)

    @rule(triple=keys, value=st.integers())
    def store(self, triple, value):
        self.forget_expired()
        self.model.pop(triple, None)
        if len(self.model) == 5:
            del self.model[next(iter(self.model))]
        self.model[triple] = (value, self.now + (3 if triple[0] == "t" else 7))
        self.cache.set(*triple, value)

    @rule(triple=keys)
    def look_up(self, triple):
        self.forget_expired()
        if triple in self.model:
            self.model[triple] = self.model.pop(triple)
        assert self.cache.get(*triple) == self.model.get(triple, (None,))[0]

    @rule(service=st.sampled_from("stx"))
    def invalidate(self, service):
        self.forget_expired()
        gone = [key for key in self.model if key[0] == service]
        for key in gone:
            del self.model[key]
        assert self.cache.invalidate(service) == len(gone)

    @rule(seconds=st.floats(0, 4))
    def time_passes(self, seconds):
        self.now += seconds

    @invariant()
    def bound_and_figures_hold(self):
        self.forget_expired()
        assert len(self.cache) == len(self.model) <= 5
        assert self.cache.statistics().expiries == self.expired


CacheModel.TestCase.settings = hypothesis_settings(max_examples=60, deadline=None)
TestCacheModel = CacheModel.TestCase
