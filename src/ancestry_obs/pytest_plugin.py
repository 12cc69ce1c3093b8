"""`pytest --obs-map M`: what `ancestry-obs check M` does, as one test of the suite for each map.

pytest finds this by its entry point. Without the option, and without `obs_map` in the
configuration, nothing more of the toolkit is imported.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ancestry_obs.checking.checker import Checker

__all__ = ["pytest_addoption", "pytest_collection_modifyitems"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the option and its place in the configuration."""
    group = parser.getgroup("ancestry-obs")
    group.addoption(
        "--obs-map",
        metavar="M",
        action="append",
        default=[],
        help="check this map, or each map of this folder, against the source of what it names; "
        "may be given several times",
    )
    parser.addini("obs_map", "maps that are always checked, from the root folder", type="paths")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add a test for each map; `-k`, `--deselect` and the like choose among all."""
    always = [_from_here(each) for each in config.getini("obs_map")]
    maps = list(dict.fromkeys([*always, *config.getoption("--obs-map")]))
    if maps:
        items[:0] = _tests_of(maps, session)


def _from_here(path: Path) -> str:
    """Name a path as one would type it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _tests_of(maps: list[str], session: pytest.Session) -> Iterator[pytest.Item]:
    from ancestry_obs.checking.checker import Checker  # noqa: PLC0415  see above
    from ancestry_obs.cli.check import maps_in  # noqa: PLC0415  see above
    from ancestry_obs.exceptions import ObservabilityError  # noqa: PLC0415  see above
    from ancestry_obs.mapfile import resolve_map  # noqa: PLC0415  see above

    config = session.config
    # Without a configuration, the root folder is that of the tests.
    checker = Checker.of_folder(config.rootpath if config.inipath else None)
    for given in maps:
        try:
            names = list(maps_in(given))
        except ObservabilityError as error:
            raise pytest.UsageError(str(error)) from None
        for name in names:
            path = resolve_map(name).absolute()
            file: _MapFile = _MapFile.from_parent(session, path=path, nodeid=name)
            yield _MapTest.from_parent(file, name="check", map_name=name, checker=checker)


class _MapFile(pytest.File):
    """A map, as pytest names it."""

    def collect(self) -> list[pytest.Item]:
        """Give nothing: the test is added where the options are known."""
        return []


class _MapTest(pytest.Item):
    """The check of one map.

    Args:
        map_name: The map, as it was named.
        checker: Reads the program's source, once for all maps.
    """

    def __init__(self, *, map_name: str, checker: Checker, **known: Any) -> None:  # noqa: ANN401 - pytest's
        super().__init__(**known)
        self._map_name = map_name
        self._checker = checker

    def runtest(self) -> None:
        """Check the map.

        Raises:
            _FindingsError: It has mistakes, or does not fit the program.
        """
        from ancestry_obs.cli.check import check_map  # noqa: PLC0415  see above

        checked = check_map(self._map_name, self._checker.check)
        for each in checked.untold:
            self.warn(pytest.PytestWarning(str(each)))
        if checked.verdict.findings:
            raise _FindingsError([*map(str, checked.verdict.findings)])

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:  # noqa: ANN401 - pytest's
        """Show the findings, and what cannot be read in one line, without a traceback."""
        from ancestry_obs.exceptions import ObservabilityError  # noqa: PLC0415  see above

        if isinstance(excinfo.value, (_FindingsError, ObservabilityError)):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Name the test in the summary."""
        return self.path, None, f"{self._map_name}: check"


class _FindingsError(Exception):
    """A map has mistakes, or does not fit the program.

    Args:
        findings: A line each.
    """

    def __init__(self, findings: list[str]) -> None:
        super().__init__("\n".join(findings))
