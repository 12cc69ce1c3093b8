"""All sites: made equal to what is wanted in one batch, names elsewhere included.

A batch first binds the sites themselves, then goes once over the namespaces in which other names
may be bound to the same objects, and last disarms the wrappers that are out of use: at no moment
does a name lead to a disarmed wrapper that is still wanted.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ancestry_obs.patcher.holders import find_holders
from ancestry_obs.patcher.members import core_of
from ancestry_obs.patcher.references import modules_since, rebind
from ancestry_obs.patcher.sites import Site

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import ModuleType

    from ancestry_obs.patcher.model import Accessor, Weave, Woven
    from ancestry_obs.patcher.sites import Part, SiteKey, Want

__all__ = ["Fabric"]

_logger = logging.getLogger(__name__)


class _Batch:
    """What one round has changed so far."""

    def __init__(self) -> None:
        self.replacements: dict[int, object] = {}
        self.parts: dict[int, Part] = {}
        self.retired: list[Woven] = []
        self.containers: list[type | ModuleType] = []
        # The ids above stay those of the same objects only while these live.
        self.alive: list[object] = []
        self.is_new_only = True

    def replace(self, old: object, new: object, part: Part | None = None) -> None:
        """Note that names bound to `old` are to be bound to `new`, as aliases of `part`."""
        self.alive.append(old)
        self.replacements[id(old)] = new
        if part is not None:
            self.parts[id(old)] = part


class Fabric:
    """What is woven at the moment.

    Args:
        weave: Makes the wrapper of one target.
    """

    def __init__(self, weave: Weave) -> None:
        self._weave = weave
        self._originals: dict[int, object] = {}
        self.sites: dict[SiteKey, Site] = {}
        self.left: dict[str, str] = {}

    def original_of(self, value: object) -> object:
        """Return what `value` was put in place of; `value` itself if it is none of ours."""
        return self._originals.get(id(value), value)

    def bring_about(
        self, wants: Mapping[SiteKey, Mapping[Accessor, Want]], fresh: str | None
    ) -> list[Part]:
        """Make the sites equal to what is wanted; what already is keeps its wrapper.

        Args:
            wants: What is wanted at each site.
            fresh: The module that has just been imported, if that is the occasion. As long as only
                its own names are woven for the first time, older modules need no search.

        Returns:
            The parts that were woven, or could not be.
        """
        batch = _Batch()
        for key in [key for key, site in self.sites.items() if _is_over(site, wants.get(key))]:
            self._undo(self.sites.pop(key), batch)
        changed = [part for key, parts in wants.items() for part in self._do(key, parts, batch)]
        if not batch.alive:
            return changed
        is_local = batch.is_new_only and all(p.want.found.module.__name__ == fresh for p in changed)
        searched = modules_since(fresh if is_local else None)
        for old, name in rebind(batch.replacements, [*searched, *batch.containers]):
            if old in batch.parts:
                batch.parts[old].aliases.append(name)
        for woven in batch.retired:
            _disarm(woven)
        return changed

    def unreached(self, own: Iterable[object]) -> dict[int, tuple[str, ...]]:
        """Describe what still holds the unwrapped functions, by the functions' ids.

        Args:
            own: The patcher's other objects that hold them.
        """
        cores = [
            core_of(site.original, accessor)
            for site in self.sites.values()
            for accessor, part in site.parts.items()
            if part.woven is not None
        ]
        sites = self.sites.values()
        functions = [woven.function for site in sites for woven in site.wovens()]
        return find_holders(cores, [self._originals, *sites, *functions, *own]) if cores else {}

    def _undo(self, site: Site, batch: _Batch) -> None:
        batch.is_new_only = False
        batch.alive.append(site)
        batch.containers.append(site.container)
        batch.retired += site.wovens()
        for original, replacement in site.pairs():
            batch.replace(replacement, original)
            del self._originals[id(replacement)]
        reason = site.revert()
        if reason:
            for part in site.parts.values():
                self.left[part.want.found.target] = reason

    def _do(self, key: SiteKey, wants: Mapping[Accessor, Want], batch: _Batch) -> list[Part]:
        site = self.sites.get(key)
        if site is not None and site.holds(wants):
            site.update_patterns(wants)
            return []
        if site is None:
            site = self.sites[key] = Site(next(iter(wants.values())).found)
        else:
            batch.is_new_only = False
        before = list(site.pairs())
        kept = list(site.parts.values())
        batch.retired += site.weave(wants, self._weave)
        batch.containers.append(site.container)
        self._note(site, before, batch)
        return [part for part in site.parts.values() if part not in kept]

    def _note(self, site: Site, before: list[tuple[object, object]], batch: _Batch) -> None:
        part = next(iter(site.parts.values()))
        now = {id(original): replacement for original, replacement in site.pairs()}
        for original, old in before:
            del self._originals[id(old)]
            batch.replace(old, now.get(id(original), original), part)
        for original, replacement in site.pairs():
            self._originals[id(replacement)] = original
            batch.replace(original, replacement, part)
        for each in site.parts.values():
            self.left.pop(each.want.found.target, None)


def _is_over(site: Site, wants: Mapping[Accessor, Want] | None) -> bool:
    """Whether the site is wanted no more, or its name is bound to something else by now."""
    if not wants:
        return True
    if any(want.found.raw is site.original for want in wants.values()):
        return False
    return not (site.is_covered and site.holds(wants))


def _disarm(woven: Woven) -> None:
    try:
        woven.disarm()
    except Exception:
        _logger.exception("a wrapper could not be disarmed and may go on counting")
