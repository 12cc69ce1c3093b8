"""The compiler: what a map wants of a function goes in, its code with that inside goes out.

    Advice -> Aspect -> streams and keys -> statements -> the function's tree -> code

`weave` puts all advices of a join point into the code that runs there. It exchanges nothing and
imports nothing of wrapt; what woven code records goes to `ancestry_obs.recording`.
"""

from __future__ import annotations

from ancestry_obs.compiler.advice import Advice, Runtime
from ancestry_obs.compiler.aspect import Aspect
from ancestry_obs.compiler.code import embed
from ancestry_obs.compiler.weaving import Woven, weave, weave_callable

__all__ = [
    "Advice",
    "Aspect",
    "Runtime",
    "Woven",
    "embed",
    "weave",
    "weave_callable",
]
