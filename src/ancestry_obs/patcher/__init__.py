"""Pointcuts and a weaver -> targets woven in a running program, and put back exactly.

    Patcher(weaver).apply(pointcuts)   makes what is woven equal to what is wanted
    .offer(module, name)               for a program that runs as `__main__`
    .report()                          the state of every target

A pointcut's pattern is resolved to join points (patterns, targets, resolver, members), whose
functions are given woven code (weavings) or, where there is none, whose names are bound to proxies
(proxied); now, and when something is loaded, defined by a cell, or derived (import_hooks,
cell_hooks, subclass_hooks). This package alone knows wrapt, and it knows nothing of metrics: what
woven code does is up to the weaver.
"""

from __future__ import annotations

from ancestry_obs.patcher.cell_hooks import running_shell
from ancestry_obs.patcher.join_points import Pointcut, TargetReport, Wanted
from ancestry_obs.patcher.patcher import Patcher

__all__ = ["Patcher", "Pointcut", "TargetReport", "Wanted", "running_shell"]
