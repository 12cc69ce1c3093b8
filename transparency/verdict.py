"""Judges the runs of a package: what differs, less what `allowed.toml` gives a reason for.

`allowed.toml` is checked as well: an entry that no run needs any more is wrong, so that the list
never excuses more than there is.
"""

from __future__ import annotations

import fnmatch
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from transparency.packages import HERE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from transparency.suites import Run

__all__ = ["Allowed", "Entry", "judge", "read"]

_KINDS: Final = ("deselect", "difference", "unwoven", "uncounted")
_EXAMPLES: Final = 8


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of `allowed.toml`.

    Args:
        kind: the table it stands in.
        package: the package it is for.
        names: node ids of tests, or patterns of targets.
        reason: why, in words.
        variant: the only variant it is for; empty for both.
        pythons: the only Pythons it is for; empty for all.
        outcomes: of a difference, how the tests end plain and woven.
        nightly: whether only the nightly session gets there.
        sometimes: whether it is not wrong either if there is no need for it.
    """

    kind: str
    package: str
    names: tuple[str, ...]
    reason: str
    variant: str = ""
    pythons: tuple[str, ...] = ()
    outcomes: tuple[str, str] = ("", "")
    nightly: bool = False
    sometimes: bool = False


@dataclass(slots=True)
class Allowed:
    """What may differ for one package, in the Python and the session at hand.

    Args:
        entries: those that apply.
        used: what each of them was needed for, by the entry's place in the list and the name.
    """

    entries: Sequence[Entry]
    used: set[tuple[int, str]] = field(default_factory=set)

    def deselected(self) -> list[str]:
        """Give the tests that are left out of every run."""
        return [name for each in self.entries if each.kind == "deselect" for name in each.names]

    def covers(
        self, kind: str, variant: str, name: str, outcomes: tuple[str, str] = ("", "")
    ) -> bool:
        """Tell whether something may be as it is, and remember what allowed it."""
        for place, entry in enumerate(self.entries):
            if entry.kind != kind or entry.variant not in {"", variant}:
                continue
            for pattern in entry.names:
                # A node id has brackets of its own, a target has none.
                exact = kind in {"deselect", "difference"}
                same = name == pattern if exact else fnmatch.fnmatchcase(name, pattern)
                if same and entry.outcomes == outcomes:
                    self.used.add((place, pattern))
                    return True
        return False

    def unused(self) -> Iterator[str]:
        """Give the entries that allow what is not there."""
        for place, entry in enumerate(self.entries):
            for name in () if entry.sometimes else entry.names:
                if (place, name) not in self.used:
                    yield f"allowed.toml: {entry.kind} of {name} is not needed; take it out"


def read(*, python: str, nightly: bool) -> dict[str, Allowed]:
    """Read `allowed.toml`.

    Args:
        python: the Python at hand, as `3.13`.
        nightly: whether whole suites are run.

    Raises:
        ValueError: an entry is of no known kind, or has no reason.
    """
    content = tomllib.loads((HERE / "allowed.toml").read_text("utf-8"))
    if unknown := set(content) - set(_KINDS):
        raise ValueError(f"allowed.toml: {unknown} is none of {_KINDS}")
    packages: dict[str, list[Entry]] = {}
    for kind, tables in content.items():
        for entry in (_entry(kind, table) for table in tables):
            here = not entry.pythons or python in entry.pythons
            if here and (nightly or not entry.nightly):
                packages.setdefault(entry.package, []).append(entry)
    return {package: Allowed(entries) for package, entries in packages.items()}


def _entry(kind: str, table: Mapping[str, Any]) -> Entry:
    if not table.get("reason", "").strip():
        raise ValueError(f"allowed.toml: a {kind} of {table.get('package')} has no reason")
    return Entry(
        kind=kind,
        package=table["package"],
        names=tuple(table["names"]),
        reason=table["reason"],
        variant=table.get("variant", ""),
        pythons=tuple(table.get("pythons", ())),
        outcomes=(table.get("plain", ""), table.get("woven", "")),
        nightly=table.get("nightly", False),
        sometimes=table.get("sometimes", False),
    )


def differences(plain: Run, woven: Run) -> dict[str, tuple[str, str]]:
    """Give the tests that end differently, with how they end in either run."""
    return {
        test: (before, after)
        for test in plain.outcomes | woven.outcomes
        if (before := plain.outcomes.get(test, "not there"))
        != (after := woven.outcomes.get(test, "not there"))
    }


def judge(plain: Run, woven: Mapping[str, Run], count: Run | None, allowed: Allowed) -> list[str]:
    """Give everything that is wrong with a package's runs, a line for each kind of thing.

    Args:
        plain: the run in which nothing was woven.
        woven: the runs in which something was, by variant.
        count: the run with an independent count, if there was one.
        allowed: what may differ; what was needed of it is noted there.
    """
    if plain.crash:
        return [f"plain: {plain.crash}"]
    wrong = [] if plain.outcomes else ["plain: no test was run"]
    for entry, tests in plain.deselected.items():
        if tests:
            allowed.covers("deselect", "", entry)
    for variant, run in woven.items():
        wrong += (f"{variant}: {each}" for each in _judge_woven(plain, run, variant, allowed))
    if count is not None:
        wrong += (f"count: {each}" for each in _judge_count(count, allowed))
    # After a crash nobody knows what the entries would have been needed for.
    if not any(run.crash for run in woven.values()) and not (count and count.crash):
        wrong += allowed.unused()
    return wrong


def _judge_woven(plain: Run, woven: Run, variant: str, allowed: Allowed) -> Iterator[str]:
    if woven.crash:
        yield woven.crash
        return
    if not woven.calls:
        yield "no call was counted"
    unexplained = {
        test: ends
        for test, ends in differences(plain, woven).items()
        if not allowed.covers("difference", variant, test, ends)
    }
    by_ends = Counter(unexplained.values())
    for (before, after), number in by_ends.most_common():
        tests = [test for test, ends in unexplained.items() if ends == (before, after)]
        yield f"{number} x {before} -> {after}: {_some(tests)}"
    unwoven = [
        each
        for each in woven.targets
        if each.state == "error" and not allowed.covers("unwoven", variant, each.name)
    ]
    for reason, number in Counter(each.reason for each in unwoven).most_common(_EXAMPLES):
        names = [each.name for each in unwoven if each.reason == reason]
        yield f"{number} x not woven, {reason}: {_some(names)}"


def _judge_count(run: Run, allowed: Allowed) -> Iterator[str]:
    if run.crash:
        yield run.crash
        return
    if not run.counts:
        yield "no target was compared"
    wrong = [
        f"{target} {calls}, {'no code found' if count is None else f'should be {count}'}"
        for target, calls, count in run.counts
        if calls != count and not allowed.covers("uncounted", "all", target)
    ]
    if wrong:
        yield f"{len(wrong)} of {len(run.counts)} targets have other calls: {_some(wrong)}"


def _some(names: Sequence[str]) -> str:
    shown = "".join(f"\n    {each}" for each in names[:_EXAMPLES])
    more = len(names) - _EXAMPLES
    return shown + (f"\n    and {more} more" if more > 0 else "")
