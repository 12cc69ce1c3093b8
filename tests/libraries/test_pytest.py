"""pytest: its assertion rewriting is a finder in front; fixtures and tests are what it holds."""

from __future__ import annotations

import pytest

TESTS = """
    import pytest

    import helper

    CALLED = []

    @pytest.fixture
    def basket():
        return ["tea"]

    @pytest.fixture
    def opened(basket):
        yield basket + ["open"]
        CALLED.append("closed")

    @pytest.fixture(scope="module", params=[1, 2])
    def number(request):
        return request.param

    @pytest.fixture(name="renamed")
    def long_name_of_a_fixture():
        return "renamed"

    @pytest.fixture(autouse=True)
    def always():
        yield

    def test_one(basket, number):
        assert helper.double(number) == 2 * number
        assert basket == ["tea"]

    def test_two(opened, renamed):
        assert opened == ["tea", "open"]
        assert renamed == "renamed"

    class TestMore:
        @pytest.fixture
        def own(self, basket):
            return len(basket)

        def test_three(self, own):
            assert own == 1

        @pytest.mark.parametrize("x", [1, 2, 3])
        def test_four(self, x):
            assert helper.check(x) is None

    def test_that_fails():
        values = [1, 2]
        assert values == [1, 3]

    def test_an_assertion_of_the_helper():
        with pytest.raises(AssertionError) as error:
            helper.check(-1)
        assert "assert -1 > 0" in str(error.value)
"""
HELPER = """
    def double(x):
        return 2 * x

    def check(x):
        assert x > 0
"""
CONFTEST = """
    import pytest

    pytest.register_assert_rewrite("helper")

    @pytest.fixture(autouse=True, scope="session")
    def whole_session():
        yield

    def pytest_runtest_setup(item):
        pass
"""
COUNTS = {
    "test_shop:basket": 4,
    "test_shop:opened": 1,
    "test_shop:number": 2,
    "test_shop:long_name_of_a_fixture": 1,
    "test_shop:always": 9,
    "test_shop:test_one": 2,
    "test_shop:test_two": 1,
    "test_shop:TestMore.own": 1,
    "test_shop:TestMore.test_three": 1,
    "test_shop:TestMore.test_four": 3,
    "test_shop:test_that_fails": 1,
    "test_shop:test_an_assertion_of_the_helper": 1,
    "helper:double": 2,
    "helper:check": 4,
    "conftest:whole_session": 1,
    "conftest:pytest_runtest_setup": 9,
}
# The map is installed when pytest calls a plugin: at its very start, before it collects, or when
# it has collected and holds every test and fixture. `early` comes before pytest's own finder.
APP = """
    import contextlib
    import io
    import json
    import sys

    import pytest

    import ancestry_obs

    MOMENT = MOMENT_HERE
    MAPPING = json.loads(MAPPING_HERE)


    def install():
        settings = ancestry_obs.ObservabilitySettings(
            enable_prometheus_metrics=True, metrics_export_port=0, metrics_namespace="shop"
        )
        ancestry_obs.install(MAPPING, settings=settings)


    class Plugin:
        passed = failed = 0

        def pytest_configure(self):
            self.at("configure")

        def pytest_sessionstart(self):
            self.at("session start")

        def pytest_collection_finish(self):
            self.at("collected")

        def at(self, moment):
            if moment == MOMENT:
                install()

        def pytest_runtest_logreport(self, report):
            self.passed += report.when == "call" and report.passed
            self.failed += report.failed


    def main():
        if MOMENT == "early":
            install()
        plugin, said = Plugin(), io.StringIO()
        with contextlib.redirect_stdout(said):
            pytest.main(["-p", "no:cacheprovider", "test_shop.py"], plugins=[plugin])
        reported = "assert [1, 2] == [1, 3]" in said.getvalue()
        return [plugin.passed, plugin.failed, reported, json_page()]


    def json_page():
        from prometheus_client import generate_latest
        states = {each.target: each.state for each in ancestry_obs.status().targets}
        return [generate_latest(ancestry_obs.get_registry()).decode(), states]
"""


@pytest.mark.parametrize("moment", ["early", "configure", "session start", "collected"])
def test_tests_fixtures_hooks_and_a_helper(run_bare, counting_map, counted, moment):
    import json

    mapping = repr(json.dumps(counting_map(*COUNTS)))
    program = APP.replace("MOMENT_HERE", repr(moment)).replace("MAPPING_HERE", mapping)
    files = {"test_shop": TESTS, "helper": HELPER, "conftest": CONFTEST}
    passed, failed, reported, (page, states) = run_bare(program, files=files).result
    assert (passed, failed, reported) == (8, 1, True)
    assert {target: state for target, state in states.items() if state != "installed"} == {}
    assert counted(page) == COUNTS
