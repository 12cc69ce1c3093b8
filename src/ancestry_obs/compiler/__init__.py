"""The compiler: what a map wants of a target goes in, a generated wrapper comes out.

    Advice -> Stream -> Key -> source text -> function

`weave` makes one wrapper of all advices for a target: plain text, compiled, with the objects that
it needs as the cells of its closure. It patches nothing and imports nothing of wrapt; what the
wrapper records goes to `ancestry_obs.recording`.
"""

from __future__ import annotations

from ancestry_obs.compiler.advice import Advice, Runtime
from ancestry_obs.compiler.subject import shadowed_names
from ancestry_obs.compiler.weaving import Woven, weave

__all__ = ["Advice", "Runtime", "Woven", "shadowed_names", "weave"]
