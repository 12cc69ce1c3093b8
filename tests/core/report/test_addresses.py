from __future__ import annotations

import pytest

from ancestry_core.report.addresses import shortened

UUID = "f24c214a-a427-4992-8260-00623b453db8"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GET http://a.test/x/y/z/details: 500", "GET .../z/details: 500"),
        ("http://a.test/account/settings does not", "/account/settings does not"),
        ("no answer from http://a.test:8080; try", "no answer from http://a.test:8080; try"),
        ("no answer from http://a.test/; try", "no answer from http://a.test/; try"),
        (f"GET https://a.test/b/c/{UUID}/messages", "GET .../f24c214a/messages"),
        (f"match {UUID} not gathered", "match f24c214a not gathered"),
        ("/home/ada/project/data/run.db: full", "/home/ada/project/data/run.db: full"),
    ],
)
def test_addresses_are_shortened_and_files_are_not(text, expected):
    assert shortened(text) == expected
