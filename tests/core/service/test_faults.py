from __future__ import annotations

import threading
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_core.exceptions import SettingsError
from ancestry_core.service.faults import Broken, Fault, FaultPlan, FaultRates

IDS = tuple(f"match-{number}" for number in range(50))


def plan(rates: FaultRates, seed: int = 7) -> FaultPlan:
    return FaultPlan(rates, seed, {Broken.DETAILS: IDS})


def fates(rates: FaultRates, count: int, seed: int = 7) -> list[Fault]:
    faults = plan(rates, seed)
    return [faults.next() for _ in range(count)]


def test_a_service_without_faults_has_none():
    assert set(fates(FaultRates.none(), 500)) == {Fault.NONE}


def test_the_same_seed_meets_the_same_faults():
    rates = FaultRates(throttled=0.2, dropped=0.2)
    assert fates(rates, 200) == fates(rates, 200)
    assert fates(rates, 200) != fates(rates, 200, seed=8)


@given(st.sampled_from([fault for fault in Fault if fault not in {Fault.NONE, Fault.OUTAGE}]))
def test_a_rate_of_one_is_every_request(fault):
    assert set(fates(FaultRates(**{fault.value: 1.0}), 20)) == {fault}


def test_rates_are_met_on_average():
    rates = FaultRates(throttled=0.1, slow=0.2, broken_json=0.05)
    seen = Counter(fates(rates, 4000))
    assert seen[Fault.THROTTLED] == pytest.approx(400, rel=0.2)
    assert seen[Fault.SLOW] == pytest.approx(800, rel=0.2)
    assert seen[Fault.BROKEN_JSON] == pytest.approx(200, rel=0.3)
    assert set(seen) == {Fault.NONE, Fault.THROTTLED, Fault.SLOW, Fault.BROKEN_JSON}


def test_an_outage_is_a_window_of_requests():
    seen = fates(FaultRates(outage_start=4, outage_length=3), 9)
    expected = [Fault.NONE] * 3 + [Fault.OUTAGE] * 3 + [Fault.NONE] * 3
    assert seen == expected


def test_an_outage_that_is_switched_on_begins_with_the_next_request():
    faults = plan(FaultRates.none())
    faults.next()
    faults.switch(FaultRates(outage_length=2))
    assert [faults.next() for _ in range(3)] == [Fault.OUTAGE, Fault.OUTAGE, Fault.NONE]


def test_what_is_broken_for_good_stays_so_in_either_case_of_letters():
    faults = plan(FaultRates(broken_details=2))
    broken = [name for name in IDS if faults.is_broken(Broken.DETAILS, name)]
    assert len(broken) == 2
    assert all(faults.is_broken(Broken.DETAILS, name.upper()) for name in broken)
    assert not any(faults.is_broken(Broken.PROFILES, name) for name in IDS)


def test_what_is_broken_follows_the_rates_in_force():
    faults = plan(FaultRates(broken_details=2))
    faults.switch(FaultRates.none())
    assert faults.rates == FaultRates.none()
    assert not any(faults.is_broken(Broken.DETAILS, name) for name in IDS)


def test_every_nth_visit_to_the_settings_page_fails():
    faults = plan(FaultRates(settings_failure_every=3))
    failed = [faults.settings_page_fails() for _ in range(7)]
    assert failed == [False, False, True, False, False, True, False]


def test_the_settings_page_never_fails_when_it_shall_not():
    faults = plan(FaultRates.none())
    assert not any(faults.settings_page_fails() for _ in range(10))


def test_threads_together_meet_each_fault_of_the_plan_once():
    rates = FaultRates(outage_start=10, outage_length=25, throttled=0.1)
    faults = plan(rates)
    seen: list[Fault] = []

    def ask() -> None:
        seen.extend(faults.next() for _ in range(50))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(seen) == Counter(fates(rates, 200))


@pytest.mark.parametrize("name", ["throttled", "outage_length", "retry_after", "slow_seconds"])
@pytest.mark.parametrize("value", [-1, float("nan")])
def test_a_value_below_zero_is_refused(name, value):
    with pytest.raises(SettingsError) as caught:
        FaultRates(**{name: value})
    assert str(caught.value) == f"faults of the embedded service: {name} is {value}; use 0 or more"


def test_rates_above_one_together_are_refused():
    with pytest.raises(SettingsError) as caught:
        FaultRates(slow=0.6, dropped=0.6)
    assert str(caught.value) == (
        "faults of the embedded service: the rates add up to 1.2; use at most 1"
    )


def test_the_realistic_faults_hold_every_kind():
    rates = FaultRates.realistic()
    assert all(rate > 0 for _, rate in rates.thresholds())
    assert rates.outage_length > 0
    assert all(getattr(rates, kind.value) > 0 for kind in Broken)
    assert rates.settings_failure_every > 1


def test_the_realistic_faults_all_happen_within_a_normal_run():
    seen = set(fates(FaultRates.realistic(), 900))
    assert seen == set(Fault)
