from __future__ import annotations

from types import ModuleType

from ancestry_obs.exceptions import TargetError
from ancestry_obs.patcher import Pointcut
from ancestry_obs.patcher.pointcuts import Targets


class Finder:
    """In place of the resolver: finds nothing, and says why."""

    def __init__(self, failure):
        self.failure = failure

    def find(self, pattern, module, at, names=None):
        raise self.failure


def targets(*patterns, failure=None):
    return Targets([Pointcut(each, "count") for each in patterns], Finder(failure))


def test_which_targets_concern_a_module_in_the_maps_order():
    wanted = targets("pkg.*:f", "pkg.one:g", "other:f", "pkg.one:*", "pkg.o*e:h", "nonsense")

    def concerned(name):
        return [each.pointcut.pattern for each in wanted.concerned(name)]

    assert concerned("pkg.one") == ["pkg.*:f", "pkg.one:g", "pkg.one:*", "pkg.o*e:h"]
    assert concerned("pkg.two") == ["pkg.*:f"]
    assert concerned("other") == ["other:f"]
    assert concerned("pkg") == concerned("package.one") == []


def test_what_cannot_be_read_has_its_reason():
    (target,) = targets("nonsense").all
    assert target.pattern is None
    assert "'nonsense'" in target.reason


def test_companions_are_those_of_one_list_that_take_all():
    first, second = object(), object()
    wanted = Targets(
        [
            Pointcut("pkg:*", first),
            Pointcut("pkg.*:*", first),
            Pointcut("pkg.one:A.*", first),
            Pointcut("pkg:*", second),
            Pointcut("nonsense", second),
        ],
        Finder(None),
    )
    companions = [[each.index for each in wanted.companions(target)] for target in wanted.all]
    assert companions == [[1, 2], [0, 2], [], [], []]


def test_what_was_found_is_kept_for_each_module_and_label():
    wanted = targets("prog:f", failure=TargetError("is not there"))
    module = ModuleType("prog")
    list(wanted.resolve("prog", module))
    list(wanted.resolve("prog", module, label="prog as __main__", settled=False))

    outcomes = wanted.all[0].outcomes
    assert {name: (each.reason, each.settled) for name, each in outcomes.items()} == {
        "prog": ("is not there", True),
        "prog as __main__": ("is not there", False),
    }


def test_foreign_objects_that_raise_are_the_targets_error_and_nobody_elses():
    wanted = targets("prog:f", failure=RuntimeError("no"))
    ((_, outcome, found),) = wanted.resolve("prog", ModuleType("prog"))

    assert (outcome.reason, found) == ("cannot be looked up: RuntimeError('no')", ())
