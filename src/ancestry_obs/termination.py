"""SIGTERM and SIGHUP: the ways out are done first, and then the signal does what it does anyway.

Python ends at once by either of them: no `atexit`, no `finally`. Where something is to be let out
at the end, this module gives both a handler, unless the program has one or ignores the signal. The
process is killed by that very signal in the end, so that whoever started it sees no difference.

A handler runs in the main thread between any two bytecodes, and so perhaps while that thread holds
a lock which the ways out need: of the registry, of the store, of the program. They are done in
another thread therefore, and the main thread waits for it, but not for longer than
`PATIENCE_SECONDS`; then it goes on, to give back what it holds. After `LIMIT_SECONDS` the process
ends in any case. Where Python starts no threads any more, they are done in the handler.
"""

from __future__ import annotations

import os
import signal
from _thread import get_ident
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

from ancestry_obs.late_imports import importing
from ancestry_obs.notices import Notices
from ancestry_obs.nudge import Nudge
from ancestry_obs.unpatched import allocate_lock, start_new_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from types import FrameType

__all__ = ["LIMIT_SECONDS", "PATIENCE_SECONDS", "Termination"]

logger = Notices()

PATIENCE_SECONDS: Final = 1.0
"""How long the main thread stands still at most while the ways out are done."""

LIMIT_SECONDS: Final = 8.0
"""After which the process ends, done or not; less than the ten seconds that Docker waits."""

_MOMENT_SECONDS: Final = 0.1
_STANDARD_ERROR: Final = 2
_LARGEST_SIGACTION: Final = 512
_SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP)
# The system ignores them where nobody handles them.
_SPARE: Final = (signal.SIGURG, signal.SIGWINCH)
_ELSEWHERE: Final = (
    "SIGTERM and SIGHUP will end the program before its metrics are written, pushed or withdrawn: "
    "the main thread alone can give them a handler; call install() there"
)
_LEFT: Final = (
    "%s keeps a handler of ours, which only ends the program, as the signal does without it: the "
    "main thread alone can take it out; call uninstall() there"
)


class Termination:
    """The handlers of one installation.

    Args:
        finish: does the ways out; called in another thread where one can be started.
        is_nudged: whether the main thread is woken where it has not looked at a signal, by one more
            thread (`nudge`); for processes that are ended by others again and again.
        patience: see `PATIENCE_SECONDS`.
        limit: see `LIMIT_SECONDS`.

    Attributes:
        error: why there is no handler although there should be one; empty otherwise.
    """

    def __init__(
        self,
        finish: Callable[[], None],
        *,
        is_nudged: bool = False,
        patience: float = PATIENCE_SECONDS,
        limit: float = LIMIT_SECONDS,
    ) -> None:
        self._finish = finish
        self._patience = patience
        self._limit = limit
        self._nudge = Nudge(_SIGNALS, self._is_waiting) if is_nudged else None
        self._armed: list[int] = []
        self._begin_process()
        _live.add(self)

    def _begin_process(self) -> None:
        self.error = ""
        self._process = 0
        self._ending: _Ending | None = None
        self._is_at_end = False

    @property
    def is_armed(self) -> bool:
        """Whether a signal has our handler, or another one that was put in front of it."""
        return bool(self._armed)

    def arm(self) -> None:
        """Give a handler to each signal that would end the process at once."""
        self._process = os.getpid()
        handled = _handled_by_the_system()
        for number in _SIGNALS:
            if number not in self._armed and _ends_at_once(number, handled):
                try:
                    signal.signal(number, self._handle)
                except ValueError:
                    self.error = _ELSEWHERE
                    logger.warning("%s", _ELSEWHERE)
                    return
                self._armed.append(number)
        if self._armed and self._nudge is not None:
            self._nudge.start()

    def disarm(self) -> None:
        """Put back what was there, unless somebody has put another handler there meanwhile."""
        armed, self._armed = self._armed, []
        # In another thread than the main one it is left; it wakes for what is handled no more.
        with suppress(ValueError):
            if self._nudge is not None:
                self._nudge.stop()
        for number in armed:
            try:
                if signal.getsignal(number) == self._handle and _is_python_s(number):
                    signal.signal(number, signal.SIG_DFL)
            except ValueError:
                logger.warning(_LEFT, signal.Signals(number).name)

    def begin_child(self) -> None:
        """Let a forked child end by the signals as it would, until it has ways out of its own."""
        self.disarm()
        self._begin_process()

    def _is_waiting(self) -> bool:
        return bool(self._armed) and self._ending is None

    @contextmanager
    def at_end(self) -> Iterator[bool]:
        """Do the ways out in the main thread, at the program's end.

        A signal that comes meanwhile ends the process afterwards.

        Yields:
            Whether to do them; not if a signal came before, for which they have been done then.
        """
        ending = self._ending
        self._is_at_end = True
        if ending is not None:
            ending.wait(self._limit)
        try:
            yield ending is None
        finally:
            ending = self._ending = self._ending or _Ending(0)
            ending.is_over = True
            if ending.number:
                self._die(ending.number)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        ending = self._ending
        if not self._armed or os.getpid() != self._process or (ending and ending.is_over):
            self._die(ending.number if ending and ending.number else number)
        elif ending is None:
            self._ending = ending = _Ending(number)
            if not self._is_at_end:
                self._start(ending)
                if ending.wait(self._patience) and ending.claim():
                    self._die(number)
        # Whoever sends a second signal, as `timeout` does, changes nothing by it.

    def _start(self, ending: _Ending) -> None:
        try:
            start_new_thread(self._watch, (ending,))
            start_new_thread(self._work, (ending,))
        except RuntimeError:
            # From Python 3.12 on, an interpreter that ends starts no threads. By then the main
            # thread waits for others and holds nothing, or runs what `atexit` has, which may hold
            # anything: hence the alarm.
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, self._limit)
            self._work(ending)

    def _work(self, ending: _Ending) -> None:
        try:
            self._finish()
        except BaseException:
            logger.exception("metrics are not written, pushed or withdrawn")
        finally:
            ending.finish()

    def _watch(self, ending: _Ending) -> None:
        if not ending.wait(self._limit):
            # Not by logging: who holds a lock of that may be whom the others wait for.
            message = f"ancestry-obs: metrics are not let out within {self._limit:g} seconds\n"
            with suppress(OSError):
                os.write(_STANDARD_ERROR, message.encode())
        # Where the main thread has gone on, its handler is to be called once more; and again, since
        # Python does not see a signal that comes just before that thread waits for something.
        if ending.claim():
            ending.is_over = True
            while self._ending is ending:
                os.kill(self._process, ending.number)
                ending.pause()

    def _die(self, number: int) -> None:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        # Only the first process of a container gets here: the system ends it by no signal that it
        # does not handle. It goes on, and may be told again.
        if self._armed and os.getpid() == self._process:
            self._ending = None
            signal.signal(number, self._handle)


class _Ending:
    """What one signal has begun.

    Args:
        number: the signal.

    Attributes:
        is_over: whether the process ends by the next signal.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.is_over = False
        self._claimed = allocate_lock()
        self._lock = allocate_lock()
        self._lock.acquire()

    def claim(self) -> bool:
        """Tell the first that asks, and nobody else, to end the process."""
        is_first: bool = self._claimed.acquire(blocking=False)
        return is_first

    def pause(self) -> None:
        """Let a moment pass, once somebody has claimed it; `time.sleep` may be gevent's."""
        self._claimed.acquire(timeout=_MOMENT_SECONDS)

    def finish(self) -> None:
        """Let those go on who wait."""
        self._lock.release()

    def wait(self, seconds: float) -> bool:
        """Wait until it is finished, and tell whether it is."""
        is_finished: bool = self._lock.acquire(timeout=seconds)
        if is_finished:
            self._lock.release()
        return is_finished


_live: WeakSet[Termination] = WeakSet()
_masks: dict[int, set[signal.Signals | int]] = {}
# What the system calls for each signal that Python handles: one function of C, once it is known.
_python_s: list[int | None] = []


def _hold_back() -> None:
    """Let the signals wait while a process forks: in the child Python drops what came too early."""
    if any(each.is_armed for each in _live):
        _masks[get_ident()] = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        # Once for all children: each would import it for itself, to give the signals back.
        _handlers_of_the_system()


def _let_go() -> None:
    mask = _masks.pop(get_ident(), None)
    if mask is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _begin_child() -> None:
    for each in list(_live):
        each.begin_child()
    _let_go()
    _masks.clear()


os.register_at_fork(before=_hold_back, after_in_parent=_let_go, after_in_child=_begin_child)


def _ends_at_once(number: int, handled: Collection[int]) -> bool:
    handler = signal.getsignal(number)
    former = getattr(handler, "__self__", None)
    if isinstance(former, Termination):
        # It may be left of an installation that was taken out in another thread.
        return not former.is_armed
    return handler == signal.SIG_DFL and number not in handled


def _handled_by_the_system() -> list[int]:
    """Give those that do not end the process; a library may have handlers of its own for them.

    Linux tells it in a file, which is read sooner than what can call C is imported.
    """
    try:
        with open("/proc/self/status", "rb", buffering=0) as file:  # noqa: PTH123  pathlib costs more
            told = dict(line.split(b":", 1) for line in file.read().splitlines() if b":" in line)
        handled = int(told[b"SigCgt"], 16) | int(told[b"SigIgn"], 16)
    except (OSError, KeyError, ValueError):
        return [each for each in _SIGNALS if _system_handler(each) not in {None, 0}]
    return [each for each in _SIGNALS if handled >> (each - 1) & 1]


def _is_python_s(number: int) -> bool:
    """Whether the system calls Python for a signal, as it does for another one that we give it.

    Raises:
        ValueError: this is not the main thread.
    """
    if not _python_s:
        for spare in _SPARE:
            if signal.getsignal(spare) == signal.SIG_DFL and _system_handler(spare) in {None, 0}:
                former = signal.signal(spare, _ignore)
                try:
                    _python_s.append(_system_handler(spare))
                finally:
                    signal.signal(spare, former)
                break
    return not _python_s or _system_handler(number) == _python_s[0]


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Do what the system does at a signal that it ignores."""


def _system_handler(number: int) -> int | None:
    """Give a signal's handler as the system knows it; 0 is the default, `None` is unknown.

    A library in C, such as gevent's event loop, may have one that Python is not told of.
    """
    return _handlers_of_the_system()(number)


@cache
def _handlers_of_the_system() -> Callable[[int], int | None]:
    """Import what asks the system for handlers; some builds have none, and few programs need it."""
    try:
        with importing:
            import ctypes  # noqa: PLC0415  see above

        sigaction = ctypes.CDLL(None).sigaction
    except (ImportError, OSError, AttributeError):
        return lambda _number: None

    def handler_of(number: int) -> int | None:
        action = ctypes.create_string_buffer(_LARGEST_SIGACTION)
        if sigaction(number, None, action) != 0:
            return None
        return ctypes.c_void_p.from_buffer(action).value or 0

    return handler_of
