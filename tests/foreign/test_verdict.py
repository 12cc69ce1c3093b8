from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _from_the_repository(monkeypatch, repository):
    """The harness is no part of the wheel that is under test."""
    monkeypatch.syspath_prepend(str(repository))


@pytest.fixture
def run():
    from transparency.suites import Run, Target

    def make(*, calls=1, state="installed", reason="", **outcomes):
        targets = [Target("shop:Cart.add", state, reason, calls)]
        return Run(outcomes=outcomes, seconds=1.0, targets=targets)

    return make


@pytest.fixture
def judge():
    from transparency import verdict

    def judge(plain, woven, *entries, count=None):
        allowed = verdict.Allowed([verdict.Entry(*each) for each in entries])
        return verdict.judge(plain, {"public": woven}, count, allowed)

    return judge


def test_the_same_outcomes_are_fine(run, judge):
    assert judge(run(a="passed", b="failed"), run(a="passed", b="failed")) == []


def test_a_difference_is_told_with_its_tests(run, judge):
    wrong = judge(run(a="passed", b="passed"), run(a="failed"))
    assert wrong == [
        "public: 1 x passed -> failed: \n    a",
        "public: 1 x passed -> not there: \n    b",
    ]


def test_as_many_of_each_outcome_is_not_the_same(run, judge):
    assert len(judge(run(a="passed", b="failed"), run(a="failed", b="passed"))) == 2


def test_a_difference_with_a_reason_is_fine(run, judge):
    entry = ("difference", "shop", ("a",), "why", "", (), ("passed", "failed"))
    assert judge(run(a="passed"), run(a="failed"), entry) == []


@pytest.mark.parametrize(
    "entry",
    [
        ("difference", "shop", ("a",), "why", "", (), ("passed", "failed")),
        ("deselect", "shop", ("a",), "why"),
        ("unwoven", "shop", ("shop:*",), "why"),
        ("uncounted", "shop", ("shop:*",), "why"),
    ],
)
def test_an_entry_that_is_not_needed_is_wrong(entry, run, judge):
    (wrong,) = judge(run(a="passed"), run(a="passed"), entry)
    assert wrong == f"allowed.toml: {entry[0]} of {entry[2][0]} is not needed; take it out"


def test_an_entry_that_is_needed_sometimes_may_be_there_in_vain(run, judge):
    ends = ("passed", "failed")
    entry = ("difference", "shop", ("a",), "why", "", (), ends, False, True)
    assert judge(run(a="passed"), run(a="passed"), entry) == []
    assert judge(run(a="passed"), run(a="failed"), entry) == []


def test_another_difference_than_the_allowed_one_is_wrong(run, judge):
    entry = ("difference", "shop", ("a",), "why", "", (), ("passed", "failed"))
    assert len(judge(run(a="passed"), run(a="skipped"), entry)) == 2


def test_a_run_that_counts_no_call_is_wrong(run, judge):
    assert judge(run(a="passed"), run(a="passed", calls=0)) == ["public: no call was counted"]


def test_a_target_in_error_is_wrong(run, judge):
    woven = run(a="passed", state="error", reason="a C type")
    assert judge(run(a="passed"), woven) == ["public: 1 x not woven, a C type: \n    shop:Cart.add"]
    assert judge(run(a="passed"), woven, ("unwoven", "shop", ("shop:*",), "why")) == []


def test_a_crash_is_wrong_and_says_nothing_of_entries(run, judge):
    from transparency.suites import Run

    crash = Run({}, 1.0, crash="killed by SIGSEGV")
    entry = ("unwoven", "shop", ("shop:*",), "why")
    assert judge(run(a="passed"), crash, entry) == ["public: killed by SIGSEGV"]


def test_calls_other_than_the_independent_count_are_wrong(run, judge):
    from transparency.suites import Run

    counted = Run({}, 1.0, counts=[("shop:main", 1, 1), ("shop:add", 2, 3), ("shop:get", 0, None)])
    (wrong,) = judge(run(a="passed"), run(a="passed"), count=counted)
    assert wrong == (
        "count: 2 of 3 targets have other calls: "
        "\n    shop:add 2, should be 3\n    shop:get 0, no code found"
    )


def test_every_entry_has_a_reason_and_a_package_that_is_there(monkeypatch, tmp_path):
    from transparency import packages, verdict

    known = {package.name for package in packages.read()}
    for nightly in (False, True):
        assert set(verdict.read(python="3.13", nightly=nightly)) <= known
    (tmp_path / "allowed.toml").write_text(
        '[[deselect]]\npackage = "toolz"\nnames = ["a"]\nreason = " "', "utf-8"
    )
    monkeypatch.setattr(verdict, "HERE", tmp_path)
    with pytest.raises(ValueError, match="a deselect of toolz has no reason"):
        verdict.read(python="3.13", nightly=False)


def test_globs_take_in_private_modules_and_in_one_variant_private_names():
    from transparency import packages

    package = next(each for each in packages.read() if each.name == "toolz")
    public = packages.targets(package, "public")
    assert "toolz:*" in public
    assert "toolz._*:*" in public
    assert not any("_" in each.partition(":")[2] for each in public)
    assert {*public, "toolz.*:*.__*__"} < set(packages.targets(package, "all"))
