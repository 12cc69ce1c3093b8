"""A pattern's text -> which modules and which qualified names it means.

`*` matches any text, dots included, but no name that begins with an underscore: private names are
meant only by who writes the underscore, special names only by who writes both. Nothing is looked
up here; the text's form is checked by `ancestry_obs.mapfile`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from ancestry_obs.frozen import frozen
from ancestry_obs.mapfile.targets import parse_target

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Pattern"]

# An underscore is let through unless it begins a name, or is the second of two that do.
_ANY = r"(?:[^_]|(?<=[^.])(?<!^_)(?<!\._)_)*"
_LOCAL = "<locals>"


@lru_cache(maxsize=1024)
def _regex(glob: str) -> re.Pattern[str]:
    return re.compile(_ANY.join(map(re.escape, glob.split("*"))))


def _is_public(qualname: str) -> bool | None:
    # What `*` alone means, at a fifth of the price.
    return None if qualname[:1] == "_" or "._" in qualname or _LOCAL in qualname else True


@frozen()
class Pattern:
    """A target pattern, ready for matching.

    Args:
        text: The pattern as written.
        module: Its module half.
        qualname: Its name half.

    Example:
        >>> Pattern.parse("shop.*:Cart.*").matches_name("Cart.add")
        True
    """

    text: str
    module: str
    qualname: str

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Split ``module:qualname``.

        Raises:
            TargetError: The text has another form.
        """
        target = parse_target(text)
        return cls(text, target.module, target.qualname)

    @property
    def spans_modules(self) -> bool:
        """Whether more than one module can be meant."""
        return "*" in self.module

    @property
    def spans_names(self) -> bool:
        """Whether more than one name in a module can be meant."""
        return "*" in self.qualname

    @property
    def takes_all(self) -> bool:
        """Whether every name in a module is meant, so that it promises none in particular."""
        return self.qualname == "*"

    @property
    def package(self) -> str:
        """The innermost module that is spelt out in full: where the watch begins."""
        if not self.spans_modules:
            return self.module
        return self.module.partition("*")[0].rpartition(".")[0]

    def matches_module(self, name: str) -> bool:
        """Whether the module of the dotted name `name` is meant."""
        return _regex(self.module).fullmatch(name) is not None

    def matches_name(self, qualname: str) -> bool:
        """Whether `qualname`, dotted below its module, is meant.

        A function inside a function is meant only by who names the function around it as well.
        """
        return self.matcher(qualname) is not None

    def matches_inside(self, qualname: str) -> bool:
        """Whether something in the class `qualname` may be meant."""
        return _regex(self.qualname.rpartition(".")[0] or "*").fullmatch(qualname) is not None

    @property
    def matcher(self) -> Callable[[str], object]:
        """The same for many names: what gives None for a name that is not meant."""
        if self.takes_all:
            return _is_public
        depth, matches = self.qualname.count(_LOCAL), _regex(self.qualname).fullmatch
        if depth:
            return lambda name: matches(name) if name.count(_LOCAL) == depth else None
        return lambda name: None if _LOCAL in name else matches(name)
