"""A module's name -> the text that its file had in git, and in which commit, the newest first.

Objects are read as they are stored (`git cat-file`): no filter, pager or hook of the repository is
run. Without git, or outside of a repository, there is no history.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ancestry_obs.checking.modules import Finder

__all__ = ["History"]

_SECONDS: Final = 3.0
_MOST_VERSIONS: Final = 6
# A repository may name a program that looks at signatures, or one that fetches what is not there.
_PLAINLY: Final = ("--format=%H", "--no-show-signature")
_ENVIRONMENT: Final = {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1"}


@dataclass
class History:
    """Reads earlier versions of a program.

    Args:
        finder: Knows where modules are.
        seconds: How long it may take in all; after that there is no history any more.
        clock: Gives the time in seconds.
    """

    finder: Finder
    seconds: float = _SECONDS
    clock: Callable[[], float] = monotonic
    _spent: float = 0.0
    cut: set[str] = field(default_factory=set)
    """Modules with older versions than are read."""
    _versions: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def versions(self, module: str) -> Iterator[tuple[str, str]]:
        """Yield commits and what a module's text was there; it need not be there any more."""
        kept = self._versions.get(module)
        if kept is not None:
            yield from kept
            return
        kept = self._versions[module] = []
        for folder, path in self._places(module):
            last = self._text(folder, "HEAD", path)
            if last is not None:
                kept.append(("HEAD", last))
                yield kept[-1]
            log = ("log", f"-n{_MOST_VERSIONS + 1}", *_PLAINLY, "--", f"./{path}")
            commits = (self._git(folder, *log) or "").split()
            if len(commits) > _MOST_VERSIONS:
                self.cut.add(module)
            for commit in commits[:_MOST_VERSIONS]:
                text = self._text(folder, commit, path)
                if text is not None and text != last:
                    kept.append((commit, text))
                    yield kept[-1]
            if kept:
                return

    def at(self, commit: str, module: str) -> str:
        """Give a module's text in a commit; empty if it was not there."""
        texts = (self._text(folder, commit, path) for folder, path in self._places(module))
        return next((each for each in texts if each is not None), "")

    def _text(self, folder: Path, commit: str, path: str) -> str | None:
        return self._git(folder, "cat-file", "blob", f"{commit}:./{path}")

    def _places(self, module: str) -> Iterator[tuple[Path, str]]:
        """Yield the files that a module may have had: a folder that is there, and the rest."""
        file = self.finder.find(module)
        if file is not None and file.path:
            yield Path(file.path).parent, Path(file.path).name
            return
        parts = module.split(".")
        for end in range(len(parts) - 1, 0, -1):
            package = self.finder.find(".".join(parts[:end]))
            if package is not None:
                rest = "/".join(parts[end:])
                for folder in package.folders:
                    yield from ((Path(folder), f"{rest}{e}") for e in (".py", "/__init__.py"))
                return
        rest = "/".join(parts)
        for folder in self.finder.path[:2]:  # a program's own folders stand in front
            yield from ((Path(folder), f"{rest}{each}") for each in (".py", "/__init__.py"))

    def _git(self, folder: Path, *arguments: str) -> str | None:
        if self._spent >= self.seconds:
            return None
        began = self.clock()
        try:
            done = subprocess.run(  # noqa: S603 - the arguments are ours
                ["git", "-c", "core.fsmonitor=false", "-C", os.fspath(folder), *arguments],  # noqa: S607
                capture_output=True,
                timeout=self.seconds - self._spent,
                check=False,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **_ENVIRONMENT},
            )
        except (OSError, subprocess.SubprocessError):
            return None
        finally:
            self._spent += self.clock() - began
        return None if done.returncode else done.stdout.decode("utf-8", "replace")
