"""What a test needs and is not here is told; where everything has to be here, that is a failure."""

from __future__ import annotations

import sys

import pytest

LOOKS = {
    "program": lambda real: real.find("no-such-program"),
    "package": lambda real: real.package("selenium.webdriver"),
}


@pytest.mark.parametrize("kind", LOOKS)
@pytest.mark.parametrize(
    ("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)]
)
def test_what_is_missing_fails_in_ci_and_skips_elsewhere(real, monkeypatch, kind, ci, outcome):
    monkeypatch.setenv("CI", ci)
    monkeypatch.setitem(sys.modules, "selenium", None)
    monkeypatch.setitem(sys.modules, "selenium.webdriver", None)
    with pytest.raises(outcome, match="is not installed"):
        LOOKS[kind](real)
