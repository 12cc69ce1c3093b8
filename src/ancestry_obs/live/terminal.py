"""A terminal, by curses: lines come in, and are shown; keys and what woke it go out.

Nothing else here knows curses. It is imported when a terminal is asked for, since not each Python
has it.
"""

from __future__ import annotations

import locale
import os
import queue
import selectors
import signal
import sys
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.exceptions import ObservabilityError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import FrameType
    from typing import Self

    from ancestry_obs.live.looking import Event
    from ancestry_obs.live.screen import Line, Style

__all__ = ["Terminal"]

_ESCAPE_MILLISECONDS: Final = 25
_MOST_IN_VAIN: Final = 100
_GONE: Final = 128 + 1
"""What a shell makes of a program that SIGHUP (1) has ended."""
_KEYS: Final = {
    "KEY_UP": "UP", "KEY_DOWN": "DOWN", "KEY_LEFT": "LEFT", "KEY_RIGHT": "RIGHT",
    "KEY_PPAGE": "PAGE_UP", "KEY_NPAGE": "PAGE_DOWN", "KEY_HOME": "HOME", "KEY_END": "END",
    "KEY_ENTER": "ENTER", "KEY_BACKSPACE": "BACKSPACE", "KEY_BTAB": "BACK_TAB",
}  # fmt: skip
_CHARACTERS: Final = {
    "\n": "ENTER", "\r": "ENTER", "\x1b": "ESCAPE", "\x7f": "BACKSPACE", "\b": "BACKSPACE",
    "\t": "TAB",
}  # fmt: skip
# For terminals whose encoding has no such characters.
_PLAIN: Final = str.maketrans("▁▂▃▄▅▆▇█▼▲…", ".:-=+*#@v^~")


class Terminal:
    """The terminal of standard input and output, while it is entered.

    It is left as it was, whatever happens: also by SIGTERM, SIGHUP and Ctrl-C.

    Raises:
        ObservabilityError: There is no curses, or the terminal is none that it knows.
    """

    def __init__(self) -> None:
        self._news: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._reader, self._writer = -1, -1

    def __enter__(self) -> Self:
        self._curses = _curses()
        with ExitStack() as ends:
            ends.enter_context(self._pipe())
            ends.enter_context(self._signals())
            ends.enter_context(self._screen())
            self._ends = ends.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    def tell(self, event: Event) -> None:
        """Let the events have one more; may be called in any thread."""
        self._news.put(event)
        # The pipe is full where many are told already, or closed at the end.
        with suppress(OSError):
            os.write(self._writer, b"!")

    def events(self) -> Iterator[Event]:
        """Yield what happens: keys, what is told, and `None` for a new size.

        Raises:
            SystemExit: The terminal has gone.
        """
        with selectors.DefaultSelector() as selector:
            selector.register(sys.stdin.fileno(), selectors.EVENT_READ)
            selector.register(self._reader, selectors.EVENT_READ)
            vain = 0
            while vain < _MOST_IN_VAIN:
                ready = {key.fd for key, _ in selector.select()}
                if self._reader in ready:
                    yield from self._told()
                if sys.stdin.fileno() in ready:
                    keys = [*self._keys()]
                    vain = 0 if keys else vain + 1
                    yield from keys
        # A terminal that has gone is ready for ever and gives nothing.
        raise SystemExit(_GONE)

    def size(self) -> tuple[int, int]:
        """Give the columns and lines that the terminal has now."""
        lines, columns = self._window.getmaxyx()
        return columns, lines

    def show(self, lines: Sequence[Line]) -> None:
        """Show a screen in the place of the last one."""
        self._window.erase()
        for place, (text, style) in enumerate(lines):
            # The last column of the last line cannot be written without moving on.
            with suppress(self._curses.error):
                self._window.addstr(place, 0, self._writable(text), self._attributes[style])
        self._window.refresh()

    def _writable(self, text: str) -> str:
        encoding = self._window.encoding
        if encoding.lower() in {"utf-8", "utf8"}:
            return text
        return text.translate(_PLAIN).encode(encoding, "replace").decode(encoding)

    def _told(self) -> Iterator[Event]:
        os.read(self._reader, 65536)
        try:
            columns, lines = os.get_terminal_size(sys.stdout.fileno())
        except OSError:
            raise SystemExit(_GONE) from None
        if (columns, lines) != self.size() and columns and lines:
            self._curses.resizeterm(lines, columns)
            yield None
        while True:
            try:
                yield self._news.get_nowait()
            except queue.Empty:
                return

    def _keys(self) -> Iterator[Event]:
        while True:
            try:
                key = self._window.get_wch()
            except self._curses.error:
                return
            if isinstance(key, int):
                name = self._curses.keyname(key).decode("ascii", "replace")
                yield _KEYS.get(name)
            else:
                yield _CHARACTERS.get(key, key)

    @contextmanager
    def _pipe(self) -> Iterator[None]:
        """Have a pipe by which a thread or a signal wakes who waits for keys."""
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        try:
            yield
        finally:
            writer, self._writer = self._writer, -1
            os.close(writer)
            os.close(self._reader)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Hear of a new size, and let no signal end the process before the terminal is restored."""
        handlers = {signal.SIGWINCH: _nothing, signal.SIGTERM: _leave, signal.SIGHUP: _leave}
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        waker = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(waker)
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def _screen(self) -> Iterator[None]:
        curses = self._curses
        # Curses takes the encoding from the locale.
        with suppress(locale.Error):
            locale.setlocale(locale.LC_ALL, "")
        self._check()
        self._window = curses.initscr()
        try:
            self._prepare()
            yield
        finally:
            # None of it matters to a terminal that has gone.
            for restore in (partial(self._window.keypad, False), curses.echo, curses.nocbreak):
                with suppress(curses.error):
                    restore()
            with suppress(curses.error):
                curses.endwin()

    def _check(self) -> None:
        """Refuse a terminal where curses would end the process, or could place nothing."""
        name = os.environ.get("TERM", "")
        remedy = "set TERM to another one, or use --once"
        try:
            self._curses.setupterm()
        except self._curses.error as error:
            text = f"the terminal {name!r} is not known here ({error}); {remedy}"
            raise ObservabilityError(text) from error
        if not self._curses.tigetstr("cup"):
            raise ObservabilityError(
                f"the terminal {name!r} can only write line after line; {remedy}"
            )

    def _prepare(self) -> None:
        curses = self._curses
        curses.noecho()
        curses.cbreak()
        curses.set_escdelay(_ESCAPE_MILLISECONDS)
        self._window.keypad(True)
        self._window.nodelay(True)
        with suppress(curses.error):
            curses.curs_set(0)
        self._attributes = self._styles()

    def _styles(self) -> Mapping[Style, int]:
        curses = self._curses
        red = yellow = 0
        if not os.environ.get("NO_COLOR"):
            with suppress(curses.error):
                curses.start_color()
                curses.use_default_colors()
                curses.init_pair(1, curses.COLOR_RED, -1)
                curses.init_pair(2, curses.COLOR_YELLOW, -1)
                red, yellow = curses.color_pair(1), curses.color_pair(2)
        return {
            "": 0, "title": curses.A_BOLD, "head": curses.A_UNDERLINE,
            "chosen": curses.A_REVERSE, "bad": red or curses.A_BOLD, "warning": yellow,
            "faint": curses.A_DIM,
        }  # fmt: skip


def _curses() -> Any:  # noqa: ANN401  a module
    try:
        import curses  # noqa: PLC0415  see above
    except ImportError as error:
        raise ObservabilityError(
            "this Python has no curses, which the live view needs; use --once"
        ) from error
    return curses


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """Be called: Python then writes to the pipe that wakes."""


def _leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
