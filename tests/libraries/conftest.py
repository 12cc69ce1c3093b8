"""Programs of real libraries."""

from __future__ import annotations

import pytest

# What is still open of weaving in place, each with its reason; strict, so that a mend shows.
_OPEN = {
    "test_a_module_that_is_imported_under_its_hook[": "a function inside rewritten code is refused",
    "test_a_function_that_its_decorator_checks[": "typeguard compiles the function anew",
}


def pytest_collection_modifyitems(items):
    for item in items:
        for name, reason in _OPEN.items():
            if item.name.startswith(name):
                item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
