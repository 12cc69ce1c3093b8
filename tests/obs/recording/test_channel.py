from __future__ import annotations

import math

from ancestry_obs.recording import Channel, CounterSeries, GaugeSeries, LatestChannel, Site


def test_taking_leaves_what_is_appended_later():
    channel = Channel(Site("m:f"), ())
    channel.extend([1.0, 2.0])
    assert channel.take() == [1.0, 2.0]
    channel.append(3.0)
    assert (list(channel), channel.folded) == ([3.0], 2)


def test_a_site_counts_what_its_channels_got_whether_folded_or_not():
    site = Site("m:f")
    first, second = (
        site.open("a", lambda: Channel(site, ())),
        site.open("b", lambda: Channel(site, ())),
    )
    first.extend([1.0, 1.0])
    first.take()
    first.append(1.0)
    second.append(1.0)
    assert site.observed() == 4


def test_a_site_has_one_channel_for_each_key():
    site = Site("m:f")
    channel = site.open("a", lambda: Channel(site, (CounterSeries(),)))
    assert site.open("a", lambda: Channel(site, ())) is channel
    assert site.open("b", lambda: Channel(site, ())) is not channel


def test_a_site_that_forgets_has_no_channels_and_no_memo():
    site = Site("m:f")
    site.memo["key"] = site.open("a", lambda: Channel(site, ()))
    site.forget()
    assert (site.memo, site.snapshot(), site.observed()) == ({}, [], 0)


def test_a_gauge_shows_the_last_value_at_once_and_buffers_nothing():
    gauge = GaugeSeries()
    channel = LatestChannel(Site("m:f"), (gauge,))
    channel.append(3.0)
    assert (gauge.value, list(channel)) == (3.0, [])


def test_a_gauge_buffers_what_has_to_be_counted():
    gauge = GaugeSeries()
    site = Site("m:f")
    LatestChannel(site, (gauge,), (), (("m", "a"),)).append(2.0)
    bad = LatestChannel(site, (gauge,))
    bad.append(math.nan)
    assert (gauge.value, len(bad)) == (2.0, 1)


def test_what_another_thread_appends_while_a_chunk_is_taken_stays():
    class Racing(Channel):
        def __getitem__(self, index):
            chunk = super().__getitem__(index)
            self.append(9.0)  # the other thread, between the copy and the removal
            return chunk

    channel = Racing(Site("m:f"), ())
    channel.extend([1.0, 2.0])
    assert channel.take() == [1.0, 2.0]
    assert (list(channel), channel.folded) == ([9.0], 2)
