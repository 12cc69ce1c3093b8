"""Reads `packages.toml`: which packages, at which versions, and how their suites are run."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["HERE", "VARIANTS", "Package", "Variant", "read", "targets"]

Variant: TypeAlias = Literal["public", "all"]

HERE: Final = Path(__file__).parent
VARIANTS: Final[tuple[Variant, ...]] = ("public", "all")

# A star stands for no name that begins with an underscore, of modules neither. Whether a module is
# private says nothing of what is in it: `attr._make:attrib` is as public as a function can be.
_MODULES: Final = ("{0}", "{0}.*", "{0}._*", "{0}.*._*")
_NAMES: Final[dict[Variant, tuple[str, ...]]] = {
    "public": ("*",),
    "all": ("*", "_*", "*._*", "__*__", "*.__*__"),
}


@dataclass(frozen=True, slots=True)
class Package:
    """A foreign package and its suite.

    Args:
        name: what pip calls it.
        version: the only one that is tried.
        imports: the top-level packages that are woven.
        tests: files and folders of the source distribution; what a run of ten minutes has time for.
        whole: the same for the nightly session; `tests` where that is everything already.
        options: further options of pytest.
        quiet: loggers that the suite's own runner silences and pytest does not.
        early: whether it is woven before pytest is imported, and not by a plugin of pytest.
        counted: whether calls are compared with an independent count.
    """

    name: str
    version: str
    imports: tuple[str, ...]
    tests: tuple[str, ...]
    whole: tuple[str, ...]
    options: tuple[str, ...]
    quiet: tuple[str, ...]
    early: bool
    counted: bool


def read() -> Iterator[Package]:
    """Give every package of `packages.toml`, in its order."""
    content = tomllib.loads((HERE / "packages.toml").read_text("utf-8"))
    for entry in content["package"]:
        lists = {key: tuple(entry.get(key, ())) for key in ("tests", "whole", "options", "quiet")}
        yield Package(
            name=entry["name"],
            version=entry["version"],
            imports=tuple(entry.get("imports", [entry["name"]])),
            early=entry.get("early", False),
            counted=entry.get("counted", False),
            **{**lists, "whole": lists["whole"] or lists["tests"]},
        )


def targets(package: Package, variant: Variant) -> list[str]:
    """Give the globs that take in every function and method of a package.

    Args:
        package: whose they are.
        variant: `public` for names without an underscore, `all` for private ones and dunders too.
    """
    modules = [each.format(top) for top in package.imports for each in _MODULES]
    return [f"{module}:{name}" for module in modules for name in _NAMES[variant]]
