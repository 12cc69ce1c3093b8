"""What the source of installed packages says, and what an installation finds there."""

from __future__ import annotations

import importlib
import sys
import warnings

import pytest

import ancestry_obs
from ancestry_obs.checking.modules import Finder
from ancestry_obs.checking.program import Program
from ancestry_obs.checking.survey import Place, Survey
from ancestry_obs.exceptions import Where
from ancestry_obs.patcher.patterns import Pattern

PACKAGES = [
    "cachetools",
    "dotenv",
    "ged4py",
    "packaging",
    "pluggy",
    "requests",
    "rich",
    "sqlalchemy.util",
]

# What only one of the two finds, by how its name begins, and why.
REASONS = {
    "sqlalchemy.util._collections:": "the compiled variant stands in its place, if it is there",
    "sqlalchemy.util.langhelpers:": "made by functions that write source and run it",
}


def in_source(package):
    survey = Survey(Program(Finder([each for each in sys.path if each])))
    where = Where("a.toml", 1, "")
    found, names = set(), []
    for text in (f"{package}:*", f"{package}.*:*"):
        names += [each.name for each in survey.modules(Pattern.parse(text.replace(":*", ":x")))]
        found |= {each.target for each in survey.look(Place(text, where)).found}
    return found, names, survey.resolver.untold


def imported(names):
    """Import modules; give those that cannot be."""
    failed = set()
    for name in names:
        try:
            importlib.import_module(name)
        except (Exception, SystemExit):
            failed.add(name)
    return failed


def installed(names, enabled):
    metric = {"type": "counter", "help": "Calls."}
    record = {"metric": "calls_total"}
    # Module by module: `requests.packages` gives others' modules names of its own.
    targets = [f"{name}:*" for name in names]
    spec = {"version": 1, "metrics": {"calls_total": metric}}
    spec["instrument"] = [{"target": targets, "record": [record]}]
    ancestry_obs.install(spec, settings=enabled)
    return {each.target for each in ancestry_obs.status().targets if each.state == "installed"}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_s_source_and_a_run_of_it_agree(package, enabled):
    told, names, untold = in_source(package)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        failed = imported(names)
        found = installed(names, enabled)
    told = {each for each in told if each.partition(":")[0] not in failed}
    differ = {
        each
        for each in told ^ found
        # What the source does not tell is told to be so.
        if not (
            each in found and any(each == name or each.startswith(f"{name}.") for name in untold)
        )
        and not each.startswith(tuple(REASONS))
    }
    assert len(told & found) > 10 or package == "pluggy"
    assert differ == set()
