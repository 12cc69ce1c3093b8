"""A module's code before it runs, and what was woven of it -> the code with that inside.

What turns out to be at a join point once the module has run is taken over there; the rest is taken
out again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ancestry_obs.compiler.code import embed
from ancestry_obs.compiler.code import key_of as code_key
from ancestry_obs.frozen import frozen
from ancestry_obs.patcher.code_exchange import in_each_other

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CodeType, ModuleType

    from ancestry_obs.patcher.code_exchange import CodeExchange
    from ancestry_obs.patcher.join_points import Wanted, Woven

__all__ = ["Prepared", "PreparedCode"]


@frozen()
class Prepared:
    """What was woven into a module's code before it was executed."""

    want: Wanted
    woven: Woven


class PreparedCode:
    """What was woven for the modules that are being imported.

    Args:
        exchange: Knows the codes that come of it.
    """

    def __init__(self, exchange: CodeExchange) -> None:
        self._exchange = exchange
        self._modules: dict[str, list[CodeType]] = {}
        self._waiting: dict[int, Prepared] = {}

    def __contains__(self, name: str) -> bool:
        """Whether something was prepared for the module of that name."""
        return name in self._modules

    def names(self) -> set[str]:
        """Give the names in their modules of what has not been taken over, or those around it."""
        return {
            each.want.target.partition(":")[2].partition(".")[0] for each in self._waiting.values()
        }

    def put_into(self, name: str, code: CodeType, made: Iterable[Prepared]) -> CodeType:
        """Give a module's code with what was woven for it inside.

        Args:
            name: The module's name.
            code: What would be executed.
            made: What was woven, of code inside it.
        """
        # What an import that failed has left behind.
        self.drop(name, has_failed=True)
        pristine = {code_key(each.want.code): each for each in made if each.want.code}
        inside = in_each_other({key: each.woven.code for key, each in pristine.items()})
        self._modules[name] = list(inside.values())
        replacements: dict[int, CodeType] = {}
        for key, woven in inside.items():
            each = pristine[key]
            self._waiting[id(woven)] = each
            original = each.want.code
            if original is not None:
                replacements[id(original)] = woven
                self._exchange.know_inside(woven, original)
        return embed(code, replacements, self._exchange.know)

    def take(self, code: CodeType | None) -> Prepared | None:
        """Take over what was prepared, where it has turned out to be at a join point."""
        return self._waiting.pop(id(code), None)

    def drop(
        self, name: str, module: ModuleType | None = None, *, has_failed: bool = False
    ) -> None:
        """Let go of what was prepared for a module and nobody has taken over.

        Args:
            name: Its name.
            module: The module, where the functions are looked for in what their names lead to.
            has_failed: Whether the import failed. Then they are looked for everywhere.
        """
        codes = [code for code in self._modules.pop(name, ()) if id(code) in self._waiting]
        left = [self._waiting.pop(id(code)) for code in codes]
        for each in left:
            each.woven.disarm()
        if left and has_failed:
            self._exchange.give_back({id(code) for code in codes})
        elif module is not None:
            for code in codes:
                self._exchange.give_back_in(module, code)
        for each in left:
            each.woven.retire()

    def clear(self) -> None:
        """Forget all of it."""
        self._modules.clear()
        self._waiting.clear()
