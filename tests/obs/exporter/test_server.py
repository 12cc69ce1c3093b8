from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import pytest

from ancestry_obs.exceptions import ExporterError
from ancestry_obs.metrics_exporter import start_exporter

pytestmark = pytest.mark.live


def ours():
    return [each for each in threading.enumerate() if each.name.startswith("ancestry-obs-exporter")]


def open_files():
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else None


def render(_accept):
    return b"up 1\n", "text/plain"


def test_the_url_can_be_opened():
    with start_exporter("127.0.0.1", 0, render) as exporter:
        assert exporter.port > 0
        assert exporter.url == f"http://127.0.0.1:{exporter.port}/metrics"
        assert exporter.address == f"127.0.0.1:{exporter.port}"
        with urllib.request.urlopen(exporter.url, timeout=10) as response:
            assert response.read() == b"up 1\n"


def test_every_interface_is_told_as_something_to_open():
    with start_exporter("0.0.0.0", 0, render) as exporter:
        assert exporter.url == f"http://127.0.0.1:{exporter.port}/metrics"
        assert exporter.address == f"{socket.gethostname()}:{exporter.port}"


def test_ipv6():
    if not socket.has_ipv6:
        pytest.skip("this Python has no IPv6")
    try:
        exporter = start_exporter("::1", 0, render)
    except ExporterError as error:
        pytest.skip(f"this machine has no IPv6: {error}")
    with exporter:
        assert exporter.url == f"http://[::1]:{exporter.port}/metrics"
        with urllib.request.urlopen(exporter.url, timeout=10) as response:
            assert response.read() == b"up 1\n"


def test_start_and_stop_any_number_of_times_on_one_port(fetch):
    port = 0
    for _ in range(5):
        with start_exporter("127.0.0.1", port, render) as exporter:
            port = exporter.port
            assert fetch(exporter)[0].status == 200


def test_stop_leaves_no_thread_and_no_socket(start, fetch, connect, receive):
    before = open_files()
    exporter = start()
    fetch(exporter)
    idle = connect(exporter)
    idle.sendall(b"GET /met")
    exporter.stop()
    assert ours() == []
    assert receive(idle) == b""
    idle.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", exporter.port), timeout=10)
    assert open_files() == before


def test_stopping_twice_is_stopping_once(start):
    exporter = start()
    exporter.stop()
    exporter.stop()


def test_threads_are_daemons_so_that_the_program_can_end(start):
    start()
    assert [each.daemon for each in ours()] == [True]


def test_a_stuck_client_blocks_nobody(start, fetch, connect):
    exporter = start()
    connect(exporter).sendall(b"GET /metrics HTTP/1.1\r\nHost:")
    connect(exporter)
    assert fetch(exporter)[1] == b"up 1\n"


def test_when_full_the_oldest_connection_is_put_off(start, fetch, connect):
    exporter = start(limit=2)
    stuck = [connect(exporter) for _ in range(2)]
    assert fetch(exporter)[1] == b"up 1\n"
    assert stuck[0].recv(1) == b""


def test_a_connection_that_is_over_is_forgotten(start, fetch):
    exporter = start()
    for _ in range(3):
        fetch(exporter)
    for thread in ours():
        if thread is not exporter._acceptor:
            thread.join()
    assert list(exporter._connections) == []


def test_a_silent_connection_is_closed_after_its_time(start, connect):
    sock = connect(start(timeout=0.01))
    assert sock.recv(1) == b""


def test_when_all_are_being_served_a_new_one_is_turned_away(start, fetch, connect):
    rendering, go_on = threading.Event(), threading.Event()

    def slow(_accept):
        rendering.set()
        assert go_on.wait(10)
        return b"late\n", "text/plain"

    exporter = start(slow, limit=1)
    first = connect(exporter)
    first.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert rendering.wait(10)
    second = connect(exporter)
    assert second.recv(65536).startswith(b"HTTP/1.1 503 ")
    go_on.set()
    assert b"".join(iter(lambda: first.recv(65536), b"")).endswith(b"\r\n\r\nlate\n")


def test_two_scrapes_are_rendered_at_once(start, fetch):
    both = threading.Barrier(2, timeout=10)

    def meet(_accept):
        both.wait()
        return b"met\n", "text/plain"

    exporter = start(meet)
    bodies = []
    threads = [threading.Thread(target=lambda: bodies.append(fetch(exporter)[1])) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bodies == [b"met\n", b"met\n"]


def test_a_client_that_leaves_in_the_midst_is_no_error(start, fetch, connect, caplog):
    exporter = start(lambda accept: (b"x" * 10_000_000, "text/plain"))
    sock = connect(exporter)
    sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    sock.recv(1)
    sock.close()
    assert fetch(exporter, "/-/healthy")[0].status == 200
    assert caplog.records == []


def test_program_code_under_scrape_may_stop_the_exporter(start, fetch):
    stopped = threading.Event()

    def stop(_accept):
        exporter.stop()
        stopped.set()
        return b"", "text/plain"

    exporter = start(stop)
    # The connection goes with the exporter, so that there may be no answer.
    with pytest.raises((ConnectionError, OSError)):
        fetch(exporter)
    # The client may see the end of its connection before the exporter is through with stopping.
    assert stopped.wait(10)


FORKING = """
import http.client, os, urllib.request, warnings
from ancestry_obs.metrics_exporter import start_exporter

warnings.simplefilter("ignore", DeprecationWarning)  # threads and fork: what is tried here
render = lambda accept: (str(os.getpid()).encode(), "text/plain")
read = lambda url: urllib.request.urlopen(url, timeout=10).read()
parent = start_exporter("127.0.0.1", 0, render)
kept = http.client.HTTPConnection("127.0.0.1", parent.port, timeout=10)
def ask_kept():
    kept.request("GET", "/metrics")
    return kept.getresponse().read()
assert ask_kept() == str(os.getpid()).encode()
pid = os.fork()
if pid == 0:
    mine = 2
    try:
        assert parent._listener.fileno() == -1
        parent.stop()  # the copy: nothing is left to stop
        with start_exporter("127.0.0.1", 0, render) as own:
            assert read(own.url) == str(os.getpid()).encode()
        mine = 0
    finally:
        os._exit(mine)
assert os.waitpid(pid, 0)[1] == 0
assert read(parent.url) == str(os.getpid()).encode()
assert ask_kept() == str(os.getpid()).encode()  # the child's copy was closed, not shut down
kept.close()
port = parent.port
parent.stop()
if os.fork() == 0:
    os._exit(0)
with start_exporter("127.0.0.1", port, render) as again:
    assert again.port == port
print("fine")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_serves_nothing_until_asked():
    done = subprocess.run(
        [sys.executable, "-c", FORKING], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("fine\n", "")
