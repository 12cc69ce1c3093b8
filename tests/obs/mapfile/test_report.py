from __future__ import annotations

from ancestry_obs.exceptions import Where
from ancestry_obs.mapfile.report import Report


def test_lines_are_looked_for_once_somebody_asks_for_one():
    asked = []
    report = Report("my.toml", lambda: asked.append(1) or {("a",): 3, ("a", "b"): 4})
    places = [report.where(("a", "b")), report.where(("a", "missing")), report.where(("other",))]
    assert not asked
    assert [each.line for each in places] == [4, 3, None]
    assert asked == [1]


def test_a_place_is_what_it_says():
    later = Report("my.toml", lambda: {("a",): 3}).where(("a",))
    assert later == Where("my.toml", 3, "a")
    assert later != Where("my.toml", 4, "a")
    assert hash(later) == hash(Where("my.toml", 3, "a"))
    assert (str(later), repr(later)) == ("my.toml:3: a", "Where('my.toml', 3, 'a')")
