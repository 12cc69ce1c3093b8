from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_obs.exceptions import TargetError
from ancestry_obs.patcher.patterns import Pattern


@pytest.mark.parametrize(
    ("qualname", "name", "expected"),
    [
        ("get", "get", True),
        ("get", "get_all", False),
        ("*", "get", True),
        ("*", "Cache.get", True),
        ("*", "Cache.Inner.get", True),
        ("*", "get_all_", True),
        ("*", "_get", False),
        ("*", "Cache._get", False),
        ("*", "_Cache.get", False),
        ("*", "Cache.__init__", False),
        ("Cache.*", "Cache.get", True),
        ("Cache.*", "Cache.Inner.get", True),
        ("Cache.*", "Cacher.get", False),
        ("Cache.g*t", "Cache.get", True),
        ("Cache._*", "Cache._get", True),
        ("Cache._*", "Cache.get", False),
        ("Cache._*", "Cache.__init__", False),
        ("Cache.__*", "Cache.__init__", True),
        ("Cache.__init__", "Cache.__init__", True),
        ("*._*", "Cache._get", True),
        ("*.get", "Cache.get", True),
        ("*.get", "get", False),
        ("a+b", "aab", False),
    ],
)
def test_a_star_is_any_text_but_no_private_name(qualname, name, expected):
    assert Pattern("", "m", qualname).matches_name(name) is expected


@pytest.mark.parametrize(
    ("module", "name", "expected"),
    [
        ("pkg.*", "pkg.a", True),
        ("pkg.*", "pkg.a.b", True),
        ("pkg.*", "pkg", False),
        ("pkg.*", "pkg._vendor", False),
        ("pkg.*", "pkg._vendor.a", False),
        ("pkg._*", "pkg._vendor", True),
        ("pkg*", "pkg", True),
        ("pkg", "pkg.a", False),
    ],
)
def test_modules_are_matched_by_the_same_rule(module, name, expected):
    assert Pattern("", module, "f").matches_module(name) is expected


@pytest.mark.parametrize(
    ("text", "package", "modules", "names"),
    [
        ("pkg.mod:f", "pkg.mod", False, False),
        ("pkg.mod:*", "pkg.mod", False, True),
        ("pkg.*:f", "pkg", True, False),
        ("pkg.sub.x*.y:A.*", "pkg.sub", True, True),
    ],
)
def test_what_is_spelt_out_is_where_the_watch_begins(text, package, modules, names):
    pattern = Pattern.parse(text)

    assert pattern.package == package
    assert pattern.spans_modules is modules
    assert pattern.spans_names is names


def test_a_text_of_another_form_is_refused():
    with pytest.raises(TargetError, match="'no-colon'"):
        Pattern.parse("no-colon")


_names = st.lists(
    st.text("ab_", min_size=1, max_size=4).filter(str.isidentifier), min_size=1, max_size=4
).map(".".join)


@given(_names)
def test_a_name_without_stars_means_itself_only(name):
    assert Pattern("", "m", name).matches_name(name)
    assert not Pattern("", "m", name).matches_name(name + "x")


@given(_names)
def test_a_lone_star_means_exactly_the_names_without_a_private_part(name):
    is_private = re.search(r"(^|\.)_", name) is not None

    assert Pattern("", "m", "*").matches_name(name) is not is_private
