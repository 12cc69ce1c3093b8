"""Functions of the interpreter and of libraries that are given a step of ours, and its way back."""

from __future__ import annotations

from types import CodeType, FunctionType

from ancestry_obs.compiler.code import embed, with_objects

__all__ = ["GivenCode"]


class GivenCode(list[tuple[FunctionType, CodeType, CodeType]]):
    """Each function with the code that it was given and the one that it had."""

    def give(self, function: FunctionType, text: str, **objects: object) -> None:
        """Give a function other code.

        Args:
            function: The function.
            text: The source of the code, in which some names stand for objects.
            objects: The objects by those names.
        """
        self._put(function, with_objects(text, function.__code__, objects))

    def give_inside(
        self, function: FunctionType, inner: CodeType, text: str, **objects: object
    ) -> None:
        """Give other code to a function inside a function.

        Args:
            function: The one around it.
            inner: The code that the other one is made of.
            text: As for `give`, and so are the objects.
            objects: The objects by those names.
        """
        code = with_objects(text, inner, objects)
        self._put(function, embed(function.__code__, {id(inner): code}))

    def take_back(self) -> None:
        """Give every function its own code, the last first."""
        for function, code, original in reversed(self):
            # Another one's code on top of ours stays; it calls what is inert now.
            if function.__code__ is code:
                function.__code__ = original
        self.clear()

    def _put(self, function: FunctionType, code: CodeType) -> None:
        self.append((function, code, function.__code__))
        function.__code__ = code
