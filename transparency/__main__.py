"""The command: runs every suite in every variant, prints a table, and ends with 1 if one can tell.

Two packages are run at a time; the runs of one package follow each other.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from transparency import packages, suites, verdict
from transparency.packages import VARIANTS, Package

_HEADINGS = (
    f"{'':33}{'differ':>9}{'woven':>12}{'calls':>12}{'seconds':>13}",
    f"{'package':15}{'version':9}{'tests':>6}"
    f"{'pub / all':>12}{'pub / all':>12}{'pub / all':>12}{'- / pub / all':>14}",
)


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
        seconds = [f"{each.seconds:.0f}" for each in (self.plain, *runs)]
        return (
            f"{self.package.name:15}{self.package.version:9}{len(self.plain.outcomes):6}"
            f"{' / '.join(differ):>12}{' / '.join(str(each.installed) for each in runs):>12}"
            f"{' / '.join(_short(each.calls) for each in runs):>12}{' / '.join(seconds):>14}"
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
        return _run(
            package,
            _archive(package, arguments.sources),
            allowed.get(package.name, verdict.Allowed(())),
            nightly=arguments.nightly,
        )

    print("\n".join(_HEADINGS))
    with ThreadPoolExecutor(arguments.jobs) as pool:
        results = []
        for result in pool.map(every_run, chosen):
            print(result.line(), flush=True)
            results.append(result)
    return _conclude(results)


def _run(package: Package, archive: Path, allowed: verdict.Allowed, *, nightly: bool) -> Result:
    deselect = allowed.deselected()
    plain = suites.run(package, None, archive, deselect=deselect, nightly=nightly)
    woven: dict[str, suites.Run] = {
        variant: suites.run(package, variant, archive, deselect=deselect, nightly=nightly)
        for variant in VARIANTS
    }
    count = None
    # `sys.monitoring` came with Python 3.12.
    if package.counted and sys.version_info >= (3, 12):
        count = suites.run(
            package, "all", archive, deselect=deselect, nightly=nightly, count=True
        )
    return Result(package, plain, woven, verdict.judge(plain, woven, count, allowed))


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


def _short(number: int) -> str:
    for unit in ("", "k", "M"):
        if number < 1000:
            return f"{number:.0f}{unit}" if not unit or number >= 10 else f"{number:.1f}{unit}"
        number /= 1000
    return f"{number:.1f}G"


if __name__ == "__main__":
    sys.exit(main())
