"""Programs of real libraries."""

from __future__ import annotations

import pytest

# What is still open of weaving in place, each with its reason; strict, so that a mend shows.
_OPEN = {
    "test_a_pickle_by_value_is_as_large_as_without_a_map[map first-": "more marks in it",
    "test_what_comes_back_into_the_program_works[map first-cloudpickle]": "a copy is not counted",
    "test_what_comes_back_into_the_program_works[module first-cloudpickle]": "the same",
    "test_a_module_that_is_imported_under_its_hook[": "a function inside rewritten code is refused",
    "test_a_function_that_its_decorator_checks[": "typeguard compiles the function anew",
}


def pytest_collection_modifyitems(items):
    for item in items:
        for name, reason in _OPEN.items():
            if item.name.startswith(name):
                item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
