import random

from hypothesis import given
from hypothesis import strategies as st

from ancestry_core.backoff import Backoff
from ancestry_core.config import HttpSettings

SETTINGS = HttpSettings(backoff_seconds=0.5, backoff_max_seconds=8.0)


@given(attempt=st.integers(1, 5_000), seed=st.integers())
def test_a_wait_lies_between_half_and_all_of_what_doubling_gives(attempt, seed):
    whole = min(8.0, 0.5 * 2 ** min(attempt - 1, 10))
    assert whole / 2 <= Backoff(SETTINGS, random.Random(seed)).seconds(attempt) <= whole


def test_the_same_seed_gives_the_same_waits():
    one, two = (Backoff(SETTINGS, random.Random(3)) for _ in range(2))
    assert [one.seconds(n) for n in range(1, 6)] == [two.seconds(n) for n in range(1, 6)]


def test_two_callers_do_not_come_back_together():
    one, two = Backoff(SETTINGS, random.Random(1)), Backoff(SETTINGS, random.Random(2))
    assert one.seconds(3) != two.seconds(3)
