"""What a woven call records: labels, values, conditions, moments; and what failures cost."""

from __future__ import annotations

import enum
import logging
import threading

import pytest


def returns(value):
    return value


def fails(error):
    raise error


class TestMoments:
    @pytest.fixture
    def calls(self, loom):
        """Weaves a counter at one moment; gives the count after one good and one failed call."""

        def count(on):
            loom.metric("calls_total")
            woven = loom.weave(_fail_or_give, loom.record("calls_total", on=on))
            woven.function(1)
            with pytest.raises(KeyError):
                woven.function(KeyError())
            return loom.total("calls_total"), woven.calls()

        return count

    @pytest.mark.parametrize(
        ("on", "expected"), [("call", 2), ("return", 1), ("raise", 1), ("exit", 2)]
    )
    def test_each_moment_counts_what_it_should_and_calls_counts_all(self, calls, on, expected):
        assert calls(on) == (expected, 2)

    @pytest.mark.parametrize(("is_timed", "looks"), [(False, 0), (True, 4)])
    def test_the_clock_is_read_only_where_something_is_timed(self, loom, is_timed, looks):
        loom.metric("calls_total")
        loom.metric("seconds", "histogram")
        records = (loom.record("calls_total"), loom.record("seconds"))[: 1 + is_timed]
        function = loom.weave(_fail_or_give, *records).function
        function(1)
        with pytest.raises(KeyError):
            function(KeyError())
        assert loom.clock.now + 1 == looks

    def test_a_call_that_raises_is_counted_in_seconds_too(self, loom):
        loom.metric("seconds", "histogram")
        function = loom.weave(fails, loom.record("seconds")).function
        with pytest.raises(KeyError):
            function(KeyError())
        assert loom.read("seconds") == {(): (1, 1.0)}


def _fail_or_give(value):
    if isinstance(value, BaseException):
        raise value
    return value


class TestLabels:
    def test_the_label_functions_of_a_response_are_right_also_from_the_memo(self, loom, response):
        loom.metric("a_total", family=("2xx", "4xx"), result=("success", "failure"))
        function = loom.weave(
            returns,
            loom.record(
                "a_total",
                family="status_family(result)",
                result="'success' if ok(result) else 'failure'",
            ),
        ).function
        other = type("Other", (response,), {})
        for status in (200, 404, 200):
            for kind in (response, other):
                function(kind(status_code=status))
        for value in (response(status_code="no number"), response(), None, 404, True, "x"):
            function(value)
        assert loom.read("a_total") == {
            ("2xx", "success"): 4,
            ("4xx", "failure"): 2,
            ("error", "success"): 4,
            ("error", "failure"): 1,
            ("4xx", "success"): 1,
        }

    def test_equal_keys_that_print_differently_stay_apart(self, loom):
        class Method(str, enum.Enum):  # noqa: UP042 - it prints otherwise than a StrEnum
            GET = "GET"

        loom.metric("a_total", v=20)
        function = loom.weave(returns, loom.record("a_total", v="value")).function
        for _ in range(2):
            for value in (1, True, 1.0, "1", "GET", Method.GET, None, "None", (1,), ["x"], {}):
                function(value)
        assert loom.read("a_total") == {
            ("1",): 4,
            ("True",): 2,
            ("1.0",): 2,
            ("GET",): 2,
            ("Method.GET",): 2,
            ("None",): 4,
            ("(1,)",): 2,
            ("['x']",): 2,
            ("{}",): 2,
        }

    def test_a_text_and_a_label_that_equals_it_stay_apart(self, loom):
        class Odd(str):
            __slots__ = ()

            def upper(self):
                return "odd"

        loom.metric("a_total", v=20)
        loom.functions["own"] = lambda value: f"<{value}>"
        function = loom.weave(returns, loom.record("a_total", v="lower(value)")).function
        for value in ("GET", "get", Odd("GET"), "get"):
            function(value)
        assert loom.read("a_total") == {("get",): 4}

    def test_a_function_of_one_s_own_is_asked_at_every_call(self, loom):
        answers = iter("abcabc")
        loom.functions["own"] = lambda value: next(answers)
        loom.metric("a_total", v=20)
        function = loom.weave(returns, loom.record("a_total", v="own(value)")).function
        for _ in range(2):
            function("same")
        # The first call asks twice: once in vain, for the memo is empty.
        assert sum(loom.read("a_total").values()) == 2
        assert next(answers) != "a"

    def test_more_texts_than_the_memo_holds_lose_nothing(self, loom):
        loom.metric("a_total", v=3)
        function = loom.weave(returns, loom.record("a_total", v="value")).function
        for number in range(5000):
            function(f"user {number % 2500}")
        assert sum(loom.read("a_total").values()) == 5000
        assert loom.store.overflows["a_total", "v"] == 5000 - 3 * 2
        (probe,) = [probe for probe in loom.store._probes if probe.target == "m:returns"]
        assert len(probe.memo) <= 2048
        assert len(probe.buffers) == 4

    def test_a_very_long_text_is_cut_and_not_remembered(self, loom):
        loom.metric("a_total", v=3)
        function = loom.weave(returns, loom.record("a_total", v="value")).function
        for _ in range(2):
            function("x" * 100_000)
        assert loom.read("a_total") == {("x" * 256,): 2}
        (probe,) = [probe for probe in loom.store._probes if probe.target == "m:returns"]
        assert probe.memo == {}

    def test_self_is_the_first_parameter_whatever_its_name(self, loom):
        class Shop:
            name = "corner"

            def sell(this):  # noqa: N805 - the name is what is tested
                return 1

        loom.metric("a_total", shop=9, kind=9)
        record = loom.record("a_total", shop="self.name", kind="type_name(self)")
        Shop.sell = loom.weave(Shop.sell, record, is_method=True).function
        Shop().sell()
        assert loom.read("a_total") == {("corner", "Shop"): 1}

    def test_after_the_call_result_is_what_it_returned_whatever_the_parameters(self, loom):
        def f(result):
            return "returned"

        loom.metric("a_total", v=9)
        loom.metric("b_total", v=9)
        function = loom.weave(
            f,
            loom.record("a_total", v="result"),
            loom.record("b_total", on="call", v="result"),
        ).function
        function("passed")
        assert loom.read("a_total") == {("returned",): 1}
        assert loom.read("b_total") == {("passed",): 1}


class TestValues:
    def test_a_value_is_what_the_expression_gives(self, loom):
        loom.metric("size", "histogram")
        loom.metric("bytes_total")
        loom.metric("last", "gauge")
        function = loom.weave(
            returns,
            loom.record("size", value="length(result)"),
            loom.record("bytes_total", value="length(result)"),
            loom.record("last", value="length(result)"),
        ).function
        for text in ("abc", "", "ab"):
            function(text)
        assert loom.read("size") == {(): (3, 5.0)}
        assert loom.read("bytes_total") == {(): 5.0}
        assert loom.read("last") == {(): 2.0}


class TestConditions:
    def test_a_call_is_recorded_only_where_the_condition_holds(self, loom):
        loom.metric("a_total", v=9)
        woven = loom.weave(returns, loom.record("a_total", v="value", when="value != 'b'"))
        for value in "abba":
            woven.function(value)
        assert loom.read("a_total") == {("a",): 2}
        assert woven.calls() == 4

    def test_a_condition_of_a_raise_reads_the_error(self, loom):
        loom.metric("a_total", kind=9)
        record = loom.record(
            "a_total", on="raise", kind="type_name(error)", when="type_name(error) != 'KeyError'"
        )
        function = loom.weave(fails, record).function
        for error in (KeyError(), ValueError()):
            with pytest.raises(type(error)):
                function(error)
        assert loom.read("a_total") == {("ValueError",): 1}

    def test_streams_of_different_conditions_stay_apart(self, loom):
        loom.metric("a_total")
        loom.metric("b_total")
        function = loom.weave(
            returns,
            loom.record("a_total", when="value > 1"),
            loom.record("b_total", when="value > 2"),
        ).function
        for value in (1, 2, 3):
            function(value)
        assert (loom.total("a_total"), loom.total("b_total")) == (2, 1)


class TestFailures:
    def test_a_failing_label_is_an_error_label_and_the_others_stay(self, loom, caplog):
        loom.metric("a_total", good=9, bad=9)
        woven = loom.weave(returns, loom.record("a_total", good="value", bad="result.missing"))
        with caplog.at_level(logging.WARNING, "ancestry_obs"):
            assert [woven.function("v") for _ in range(3)] == ["v"] * 3
        assert loom.read("a_total") == {("v", "error"): 3}
        assert loom.failures == {("m:returns", "a_total", "bad"): 3}
        (message,) = caplog.messages
        assert message == (
            "m:returns: metric 'a_total': the expression for 'bad' failed with AttributeError: "
            "'str' object has no attribute 'missing'; further failures are counted only"
        )

    def test_a_value_that_fails_drops_that_observation_alone(self, loom):
        loom.metric("size", "histogram")
        loom.metric("ratio", "ratio")
        loom.metric("calls_total")
        woven = loom.weave(
            returns,
            loom.record("size", value="length(result)"),
            loom.record("ratio", hit="result.hit"),
            loom.record("calls_total"),
        )
        for value in ("abc", 5):
            woven.function(value)
        assert loom.read("size") == {(): (1, 3.0)}
        assert loom.read("ratio") == {}
        assert loom.read("calls_total") == {(): 2}
        assert loom.failures == {
            ("m:returns", "size", "value"): 1,
            ("m:returns", "ratio", "hit"): 2,
        }

    def test_a_condition_that_fails_drops_the_observation(self, loom):
        loom.metric("a_total")
        woven = loom.weave(returns, loom.record("a_total", when="value > 1"))
        for value in ("text", 2):
            woven.function(value)
        assert loom.read("a_total") == {(): 1}
        assert loom.failures == {("m:returns", "a_total", "when"): 1}
        assert woven.calls() == 2

    def test_a_label_function_that_calls_back_does_no_harm(self, loom):
        loom.metric("a_total", x=9)
        loom.functions["own"] = lambda value: function(value - 1) if value else "end"
        function = loom.weave(returns, loom.record("a_total", x="own(value)")).function
        function(3)
        # The calls that the label made are no calls of the program.
        assert loom.read("a_total") == {("2",): 1}

    def test_the_call_is_never_repeated(self, loom):
        calls = []

        def f(value):
            calls.append(value)
            raise KeyError(value)

        loom.metric("a_total", bad=9)
        function = loom.weave(f, loom.record("a_total", bad="result.missing")).function
        with pytest.raises(KeyError):
            function(1)
        assert calls == [1]
        assert loom.read("a_total") == {("error",): 1}

    def test_a_program_near_its_recursion_limit_is_left_alone(self, loom):
        def deep(n):
            return function(n - 1) if n else "bottom"

        loom.metric("a_total", x=9)
        loom.functions["own"] = lambda value: fails(RecursionError())
        function = loom.weave(deep, loom.record("a_total", x="own(n)")).function
        assert function(3) == "bottom"
        assert loom.read("a_total") == {("error",): 4}


class TestExpressionsThatReadWhatIsWoven:
    """They would call woven code, which would evaluate them, and so on."""

    @pytest.mark.parametrize("label", ["self.name", "self.full", "text(self)", "'' + self.name"])
    @pytest.mark.parametrize("on", ["call", "return", "exit"])
    def test_the_calls_that_they_make_are_not_recorded(self, loom, label, on):
        loom.metric("reads_total", name=9)
        record = loom.record("reads_total", on=on, name=label)

        class Person:
            name = property(lambda self: "Ada")
            full = property(lambda self: self.name + self.name)

            def __str__(self):
                return self.full

        for name in ("name", "full"):
            getter = loom.weave(getattr(Person, name).fget, record, is_method=True)
            setattr(Person, name, property(getter.function))
        Person.__str__ = loom.weave(Person.__str__, record, is_method=True).function

        for _ in range(3):
            assert str(Person()) == "AdaAda"
        # str() reads full, and full reads name twice.
        assert loom.total("reads_total") == 3 * 4
        assert not loom.failures

    def test_neither_are_those_of_a_value_or_a_condition(self, loom):
        loom.metric("size", "histogram")
        loom.metric("flying", "in_flight")

        class Box(list):
            def __len__(self):
                return 2

        woven = loom.weave(
            Box.__len__,
            loom.record("size", value="length(self)", when="length(self) > 1"),
            loom.record("flying", on="call", when="length(self) > 1"),
            is_method=True,
        )
        Box.__len__ = woven.function
        assert len(Box()) == 2
        assert loom.read("size") == {(): (1, 2.0)}
        assert loom.read("flying") == {(): 0}

    def test_neither_are_those_of_a_call_that_raised(self, loom):
        loom.metric("failures_total", name=9)

        class Shy:
            def __getattr__(self, name):
                raise AttributeError(name)

        woven = loom.weave(
            Shy.__getattr__,
            loom.record("failures_total", on="raise", name="self.x"),
            is_method=True,
        )
        Shy.__getattr__ = woven.function
        assert not hasattr(Shy(), "y")
        assert loom.read("failures_total") == {("error",): 1}

    def test_neither_are_those_that_raise_or_return_meanwhile(self, loom):
        loom.metric("calls_total", x=9)
        asked = loom.weave(_fail_or_give, loom.record("calls_total", x="type_name(value)"))

        def own(value):
            asked.function(value)
            try:
                asked.function(KeyError())
            except KeyError:
                return value

        loom.metric("a_total", x=9)
        loom.functions["own"] = own
        loom.weave(returns, loom.record("a_total", x="own(value)")).function("text")
        assert asked.calls() == 0
        assert loom.read("a_total") == {("text",): 1}

    def test_calls_of_other_threads_are_recorded_meanwhile(self, loom):
        loom.metric("a_total", x=9)
        others = []

        def own(value):
            if value == "first" and not others:
                others.append(value)
                other = threading.Thread(target=function, args=("second",))
                other.start()
                other.join()
            return value

        loom.functions["own"] = own
        function = loom.weave(returns, loom.record("a_total", x="own(value)")).function
        function("first")
        assert loom.read("a_total") == {("first",): 1, ("second",): 1}

    def test_a_child_that_is_forked_meanwhile_records_its_calls(self, loom, in_child):
        loom.metric("a_total", x=9)
        told = []

        def own(value):
            if value == "first" and not told:
                told.append(in_child(lambda: [function("second"), loom.read("a_total")]))
            return value

        loom.functions["own"] = own
        function = loom.weave(returns, loom.record("a_total", x="own(value)")).function
        function("first")
        assert told == [["second", {("second",): 1}]]
