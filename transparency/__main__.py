"""The command: runs every suite in every variant, prints a table, and ends with 1 if one can tell.

Two packages are run at a time; the runs of one package follow each other.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from transparency import packages, suites, verdict
from transparency.packages import VARIANTS, Package

_ROW = "{:14} {:7} {:>5} {:>9} {:>9} {:>9} {:>10}"
_HEADINGS = (
    ("", "", "", "differ", "woven", "calls", "seconds"),
    ("package", "version", "tests", "pub/all", "pub/all", "pub/all", "-/pub/all"),
)
_UNITS = ("", "k", "M", "G")


@dataclass(frozen=True, slots=True)
class Result:
    """All runs of a package, and what is wrong with them."""

    package: Package
    plain: suites.Run
    woven: dict[str, suites.Run]
    wrong: list[str]

    def line(self) -> str:
        """Give the package's line of the table."""
        runs = [self.woven[each] for each in VARIANTS]
        differ = [
            "crash" if each.crash else str(len(verdict.differences(self.plain, each)))
            for each in runs
        ]
        return _ROW.format(
            self.package.name,
            self.package.version,
            len(self.plain.outcomes),
            "/".join(differ),
            "/".join(str(each.installed) for each in runs),
            "/".join(_short(each.calls) for each in runs),
            "/".join(f"{each.seconds:.0f}" for each in (self.plain, *runs)),
        )


def main() -> int:
    """Read the arguments, run, print; give the exit status."""
    parser = argparse.ArgumentParser(prog="python -m transparency", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="PACKAGE", help="only these")
    parser.add_argument("--sources", type=Path, required=True, help="folder of sdists")
    parser.add_argument("--nightly", action="store_true", help="whole suites")
    parser.add_argument("--jobs", type=int, default=2, help="how many packages at a time")
    arguments = parser.parse_args()
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    allowed = verdict.read(python=python, nightly=arguments.nightly)
    known = list(packages.read())
    chosen = [each for each in known if not arguments.names or each.name in arguments.names]
    if unknown := set(arguments.names) - {each.name for each in known}:
        parser.error(f"packages.toml has no {', '.join(sorted(unknown))}")

    def every_run(package: Package) -> Result:
        excuses = allowed.get(package.name, verdict.Allowed(()))
        suite = suites.Suite(
            package,
            _archive(package, arguments.sources),
            Path(folder, package.name),
            excuses.deselected(),
            arguments.nightly,
        )
        return _run(suite, excuses)

    for each in _HEADINGS:
        print(_ROW.format(*each))
    results = []
    with (
        tempfile.TemporaryDirectory(prefix="transparency-", ignore_cleanup_errors=True) as folder,
        ThreadPoolExecutor(arguments.jobs) as pool,
    ):
        try:
            for result in pool.map(every_run, chosen):
                print(result.line(), flush=True)
                results.append(result)
        except BaseException:
            # Leaving the pool waits for what is queued otherwise.
            pool.shutdown(wait=False, cancel_futures=True)
            suites.end_all()
            raise
    return _conclude(results)


def _run(suite: suites.Suite, allowed: verdict.Allowed) -> Result:
    plain = suite.run(None)
    woven: dict[str, suites.Run] = {variant: suite.run(variant) for variant in VARIANTS}
    # `sys.monitoring` came with Python 3.12.
    counting = suite.package.counted and sys.version_info >= (3, 12)
    count = suite.run("all", count=True) if counting else None
    return Result(suite.package, plain, woven, verdict.judge(plain, woven, count, allowed))


def _archive(package: Package, folder: Path) -> Path:
    """Find a source distribution; its name has underscores where the package's has dashes."""
    stem = f"{package.name.replace('-', '_')}-{package.version}"
    return folder / f"{stem}.tar.gz"


def _conclude(results: list[Result]) -> int:
    for result in results:
        for each in result.wrong:
            print(f"\n{result.package.name}, {each}")
    failed = sum(bool(result.wrong) for result in results)
    print(f"\n{len(results) - failed} passed, {failed} failed")
    return min(failed, 1)


def _short(number: float) -> str:
    """Write a number in four places, as `12k` or `1.2M`."""
    unit = 0
    while number >= 1000:  # noqa: PLR2004  what a k is
        number, unit = number / 1000, unit + 1
    # Below ten one digit alone would be off by up to a third.
    digits = 1 if unit and number < 10 else 0  # noqa: PLR2004  see above
    return f"{number:.{digits}f}{_UNITS[unit]}"


if __name__ == "__main__":
    sys.exit(main())
