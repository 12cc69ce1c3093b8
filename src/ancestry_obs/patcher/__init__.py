"""Pointcuts and a weaver -> targets woven in a running program, and put back exactly.

    Patcher(weave).apply(pointcuts)   makes what is woven equal to what is wanted
    .offer(module, name)              for a program that runs as `__main__`
    .report()                         the state of every target

A pointcut's pattern is resolved to callables (patterns, resolve, plan), each is a site (members,
proxies, sites), all sites are changed in batches (fabric, references), now and when something is
imported or derived (import_hooks, subclass_hooks), and the states are told (ledger, holders). This
package alone knows wrapt, and it knows nothing of metrics: what a wrapper does is up to the weaver.
"""

from __future__ import annotations

from ancestry_obs.patcher.model import (
    Accessor,
    Found,
    Kind,
    Pointcut,
    State,
    TargetReport,
    Weave,
    Woven,
)
from ancestry_obs.patcher.patcher import Patcher

__all__ = [
    "Accessor",
    "Found",
    "Kind",
    "Patcher",
    "Pointcut",
    "State",
    "TargetReport",
    "Weave",
    "Woven",
]
