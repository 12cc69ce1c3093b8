from __future__ import annotations

import math

from ancestry_obs.recording import Buffer, CounterSeries, GaugeSeries, LatestBuffer, Probe


def test_a_probe_counts_what_its_buffers_got_whether_folded_or_not():
    probe = Probe("m:f")
    first, second = (
        probe.open("a", lambda: Buffer(probe, ())),
        probe.open("b", lambda: Buffer(probe, ())),
    )
    first.extend([1.0, 1.0])
    del first[:]
    first.folded = 2
    first.append(1.0)
    second.append(1.0)
    assert probe.observed() == 4


def test_a_probe_has_one_buffer_for_each_key():
    probe = Probe("m:f")
    buffer = probe.open("a", lambda: Buffer(probe, (CounterSeries(),)))
    assert probe.open("a", lambda: Buffer(probe, ())) is buffer
    assert probe.open("b", lambda: Buffer(probe, ())) is not buffer


def test_a_probe_that_forgets_has_no_buffers_and_no_memo():
    probe = Probe("m:f")
    probe.memo["key"] = probe.open("a", lambda: Buffer(probe, ()))
    probe.forget()
    assert (probe.memo, probe.snapshot(), probe.observed()) == ({}, [], 0)


def test_a_gauge_shows_the_last_value_at_once_and_buffers_nothing():
    gauge = GaugeSeries()
    buffer = LatestBuffer(Probe("m:f"), (gauge,))
    buffer.append(3.0)
    assert (gauge.value, list(buffer)) == (3.0, [])


def test_a_gauge_buffers_what_has_to_be_counted():
    gauge = GaugeSeries()
    probe = Probe("m:f")
    LatestBuffer(probe, (gauge,), (), (("m", "a"),)).append(2.0)
    bad = LatestBuffer(probe, (gauge,))
    bad.append(math.nan)
    assert (gauge.value, len(bad)) == (2.0, 1)
