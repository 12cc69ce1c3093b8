from __future__ import annotations

import pytest

from ancestry_obs.exceptions import TargetError
from ancestry_obs.mapfile import TargetPattern, parse_target


@pytest.mark.parametrize(
    ("text", "pattern", "is_glob"),
    [
        ("pkg:main", TargetPattern("pkg", "main"), False),
        ("pkg.mod:Class.method", TargetPattern("pkg.mod", "Class.method"), False),
        ("pkg.mod:_Private.__init__", TargetPattern("pkg.mod", "_Private.__init__"), False),
        ("pkg.*:*", TargetPattern("pkg.*", "*"), True),
        ("pkg.mod:Cache.get*", TargetPattern("pkg.mod", "Cache.get*"), True),
        ("pkg.*_api:*.run", TargetPattern("pkg.*_api", "*.run"), True),
        ("größe:maß", TargetPattern("größe", "maß"), False),
    ],
)
def test_accepted(text, pattern, is_glob):
    parsed = parse_target(text)
    assert parsed == pattern
    assert parsed.is_glob is is_glob
    assert str(parsed) == text
    assert parsed.package == text[: text.index("." if "." in text.split(":")[0] else ":")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "pkg.main",
            "target 'pkg.main' is no module:qualname, such as 'package.module:Class.method'",
        ),
        (":main", "is no module:qualname"),
        ("pkg:", "is no module:qualname"),
        ("", "target '' is no module:qualname"),
        ("*:main", "target '*:main' has a '*' in the top-level package; write it out"),
        ("pk*.mod:main", "has a '*' in the top-level package"),
        ("pkg:f.<locals>", "has '<locals>', which is no Python name"),
        ("pkg:a b", "target 'pkg:a b' has 'a b', which is no Python name"),
        ("pkg..mod:f", "has '', which is no Python name"),
        ("pkg:f:g", "has 'f:g', which is no Python name"),
        ("pkg:f()", "has 'f()', which is no Python name"),
        ("pkg: f", "has ' f', which is no Python name"),
    ],
)
def test_refused(text, message):
    with pytest.raises(TargetError) as caught:
        parse_target(text)
    assert message in str(caught.value)
