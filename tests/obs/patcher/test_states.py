"""What is told of targets that were reached, and of patterns that reached none."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("pattern", "state", "reason"),
    [
        ("prog:f", "installed", ""),
        ("prog:*", "installed", ""),
        ("prog:lost", "error", "'prog' has no 'lost'"),
        ("prog:lost*", "error", "matches nothing that 'prog' defines"),
        ("absent:f", "pending", "module 'absent' is not imported yet"),
        ("absent.*:f", "pending", "package 'absent' is not imported yet"),
        ("prog.*:f", "pending", "no module that 'prog.*' means is imported yet"),
    ],
)
def test_the_state_of_a_pattern(program, weave, patcher, pattern, state, reason):
    program("def f(): ...")
    weave(pattern)
    (report,) = patcher.report()

    assert (report.state, report.reason) == (state, reason)
    assert report.target == ("prog:f" if state == "installed" else pattern)
    assert report.patterns == (pattern,)


def test_the_ways_and_what_is_unreached(program, weave, reports):
    program(
        """
        import functools
        def inline(): ...
        def called(): return locals()
        @functools.lru_cache
        def cached(): ...
        TABLE = [cached]
        """
    )
    weave("prog:*")
    told = reports(holders=True)

    assert {name: each.way for name, each in told.items()} == {
        "prog:inline": "inline",
        "prog:called": "call",
        "prog:cached": "proxy",
    }
    assert {name: each.unreached for name, each in told.items() if each.unreached} == {
        "prog:cached": ("a builtins.list",)
    }
    assert "by locals" in told["prog:called"].reason


def test_reports_of_what_a_reload_left_share_one_count(program, weave, patcher, totals):
    source = "def f(): ..."
    old = program(source)
    weave("prog:f")
    old.f()
    kept = old.f
    new = program(source)
    weave("prog:f")
    new.f()
    kept()

    assert totals() == {"prog:f": 3}
    assert {each.state for each in patcher.report()} == {"installed"}
