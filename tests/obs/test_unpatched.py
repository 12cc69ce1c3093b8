"""Copies of modules that look up their names among those of their own time.

With the real gevent and eventlet it is tried in tests/libraries/test_gevent.py.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import urllib.request

import pytest

from ancestry_obs import unpatched


def test_a_copy_is_as_good_as_the_original():
    seen, go = [], unpatched.threading.Event()
    thread = unpatched.threading.Thread(
        target=lambda: (go.wait(), seen.append(threading.current_thread())), daemon=True
    )
    thread.start()
    assert thread in threading.enumerate()
    go.set()
    thread.join()
    assert seen == [thread]
    assert thread not in threading.enumerate()
    assert isinstance(thread, threading.Thread)


def test_sockets_are_sockets():
    with (
        unpatched.socket.create_server(("127.0.0.1", 0)) as listener,
        unpatched.socket.create_connection(listener.getsockname()) as client,
    ):
        accepted, _ = listener.accept()
        with accepted:
            assert type(accepted) is type(listener) is unpatched.socket.socket
            assert isinstance(accepted, socket.socket)
            client.sendall(b"x")
            assert accepted.recv(1) == b"x"
            assert unpatched.socket.socket.detach.__qualname__ == "socket.detach"


def test_a_forked_child_has_new_locks():
    # A thread that starts another one may hold it: in the child it holds it for ever.
    with threading._active_limbo_lock:
        child = os.fork()
        if not child:
            thread = unpatched.threading.Thread(target=int)
            thread.start()
            thread.join()
            os._exit(0 if unpatched.threading._active_limbo_lock is not held() else 1)
        assert os.waitpid(child, 0)[1] == 0


def held(lock=threading._active_limbo_lock):
    return lock


# Nothing of these modules is as it was, as far as anybody looks it up there.
PATCHED_LATER = """
import os, select, selectors, socket, sys, threading, _thread
from ancestry_obs import unpatched
from ancestry_obs.metrics_exporter import start_exporter
exporter = start_exporter("127.0.0.1", 0, lambda accept: (b"up 1\\n", "text/plain"))
# As is done before gevent or eventlet is imported.
exporter.load()
# A connection that another one finds still there, which is to be a matter of luck no more.
kept, _ = unpatched.socket.socketpair()
idle = exporter._connection_class(kept, "", exporter)
idle.active = False
exporter._connections[idle] = None

def refuse(*_, **__):
    raise AssertionError("asked for what was patched")

_thread.start_new_thread = _thread.start_joinable_thread = refuse
for module in (socket, threading, select, selectors):
    for name, value in list(vars(module).items()):
        is_error = isinstance(value, type) and issubclass(value, BaseException)
        if callable(value) and not name.startswith("__") and not is_error:
            setattr(module, name, refuse)
print(exporter.url, flush=True)
os.read(0, 1)
exporter.forget(idle)
exporter.stop()
print("stopped", flush=True)
os._exit(0)
"""


@pytest.mark.live
def test_an_exporter_that_runs_meets_nothing_that_is_patched_later():
    with subprocess.Popen(
        [sys.executable, "-c", PATCHED_LATER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        url = process.stdout.readline().strip()
        for _ in range(2):
            with urllib.request.urlopen(url, timeout=30) as answer:
                assert answer.read() == b"up 1\n"
        out, errors = process.communicate("x", timeout=60)
    assert (process.returncode, out, errors) == (0, "stopped\n", "")
