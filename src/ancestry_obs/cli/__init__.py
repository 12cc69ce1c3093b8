"""The `ancestry-obs` command: `application` parses, a module for each command does the work.

`run` is left to its own module, unless there is something to say about its arguments: the program
waits for whatever is imported here.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: the arguments without the program's name; `sys.argv` if None.

    Returns:
        The exit code; none if a program is run, which this process becomes.

    Raises:
        SystemExit: the arguments are wrong.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["run"]:
        from ancestry_obs.cli.run import run_at_once  # noqa: PLC0415  see above

        code = run_at_once(words[1:])
        if code is not None:
            return code
    from ancestry_obs.cli import application  # noqa: PLC0415  see above

    return application.main(words)
