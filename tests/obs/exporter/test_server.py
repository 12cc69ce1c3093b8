from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import threading
import urllib.request
from contextlib import ExitStack, closing
from pathlib import Path
from types import SimpleNamespace

import bcrypt
import pytest

from ancestry_obs.exceptions import ExporterError
from ancestry_obs.metrics_exporter import start_exporter

pytestmark = pytest.mark.live

TLS = "tls_server_config: {cert_file: exporter.crt, key_file: exporter.key}\n"
HASH = bcrypt.hashpw(b"secret", b"$2b$04$abcdefghijklmnopqrstuu").decode()
USERS = f"basic_auth_users: {{ada: {HASH}}}\n"


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


@pytest.mark.parametrize("host", ["::1", "::"])
def test_ipv6(host):
    if not socket.has_ipv6:
        pytest.skip("this Python has no IPv6")
    try:
        exporter = start_exporter(host, 0, render)
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


def test_who_comes_while_it_stops_gets_no_answer(start, connect, monkeypatch):
    exporter = start()

    def stopping():
        exporter._stopping.set()
        return False

    monkeypatch.setattr(exporter, "_wait_for_room", stopping)
    sock = connect(exporter)
    assert sock.recv(1) == b""
    exporter._stopping.clear()


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
    exporter = start(connections=2, grace=0)
    stuck = [connect(exporter) for _ in range(2)]
    assert fetch(exporter)[1] == b"up 1\n"
    assert stuck[0].recv(1) == b""


def test_a_connection_that_is_over_is_forgotten(start, fetch, wait_until):
    exporter = start()
    for _ in range(3):
        fetch(exporter)
    wait_until(exporter, lambda connections: not connections)


def test_a_silent_connection_is_closed_after_its_time(start, connect):
    sock = connect(start(silence=0.01))
    assert sock.recv(1) == b""


@pytest.fixture
def held_up():
    """A page that is being made until it is told to go on."""
    rendering, go_on = threading.Semaphore(0), threading.Event()

    def render(_accept):
        rendering.release()
        assert go_on.wait(10)
        return b"late\n", "text/plain"

    yield SimpleNamespace(render=render, rendering=rendering, go_on=go_on)
    go_on.set()


ASK = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def read_all(sock):
    return b"".join(iter(lambda: sock.recv(65536), b""))


def test_when_all_are_being_served_a_new_one_waits_for_its_turn(start, connect, held_up):
    exporter = start(held_up.render, connections=1)
    first = connect(exporter)
    first.sendall(ASK)
    assert held_up.rendering.acquire(timeout=10)
    second = connect(exporter)
    second.sendall(ASK)
    held_up.go_on.set()
    for sock in (first, second):
        assert read_all(sock).endswith(b"\r\n\r\nlate\n")


def test_whoever_waits_for_too_long_is_turned_away(start, connect, held_up):
    exporter = start(held_up.render, connections=1, patience=0)
    first = connect(exporter)
    first.sendall(ASK)
    assert held_up.rendering.acquire(timeout=10)
    second = connect(exporter)
    assert second.recv(65536).startswith(b"HTTP/1.1 503 ")
    held_up.go_on.set()
    assert read_all(first).endswith(b"\r\n\r\nlate\n")


def test_pages_that_are_made_at_once_are_bounded(start, fetch, connect, held_up):
    exporter = start(held_up.render, renderings=1, patience=0)
    first = connect(exporter)
    first.sendall(ASK)
    assert held_up.rendering.acquire(timeout=10)
    assert fetch(exporter)[0].status == 503
    # What costs nothing is there at any time.
    assert fetch(exporter, "/-/healthy")[1] == b"OK\n"
    held_up.go_on.set()
    assert read_all(first).endswith(b"\r\n\r\nlate\n")
    assert fetch(exporter)[1] == b"late\n"


def test_stopping_waits_for_nobody_who_waits(start, connect, held_up):
    exporter = start(held_up.render, connections=1)
    first = connect(exporter)
    first.sendall(ASK)
    assert held_up.rendering.acquire(timeout=10)
    second = connect(exporter)
    second.sendall(ASK)
    threading.Timer(0, held_up.go_on.set).start()
    exporter.stop()
    assert ours() == []


def test_the_one_that_moves_nothing_is_put_off_first(start, connect, wait_until):
    exporter = start()
    socks = [connect(exporter) for _ in range(4)]
    wait_until(exporter, lambda connections: len(connections) == 4)
    first, second, third, fourth = exporter._connections
    first.rendering = True
    for moved, each in enumerate((third, second, first)):
        each.last_moved = -100 + moved
    assert list(exporter._idle()) == [third, second]
    assert exporter._put_off_one()
    assert socks[2].recv(1) == b""
    assert exporter._put_off_one()
    assert socks[1].recv(1) == b""
    # One has a page made for it, the other is new.
    assert not exporter._put_off_one()
    assert (first.wanted, fourth.wanted) == (True, True)


# More than the system takes for a connection whose other end reads nothing.
LARGE = 5_000_000


def test_pages_that_nobody_takes_are_bounded(start, fetch, connect):
    exporter = start(lambda accept: (b"x" * LARGE, "text/plain"), bytes=2 * LARGE, grace=0)
    slow = []
    for _ in range(5):
        slow.append(connect(exporter))
        slow[-1].sendall(ASK)
        # It has its page as soon as anything of it comes.
        assert slow[-1].recv(1) == b"H"
    assert len(fetch(exporter)[1]) == LARGE
    held = {id(each.held): len(each.held) for each in list(exporter._connections)}
    assert sum(held.values()) <= 3 * LARGE
    # The first ones were put off, the last ones were not.
    assert len(read_all(slow[0])) < LARGE
    assert len(read_all(slow[-1])) > LARGE


def slow_reader(port):
    """Ask, and take next to nothing of the answer."""
    sock = socket.socket()
    # What the system takes for it is not to be what this test waits for.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(60)
    sock.connect(("127.0.0.1", port))
    sock.sendall(ASK)
    return sock


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who takes nothing")
def test_500_slow_readers_and_a_scrape(start):
    made = []

    def render(_accept):
        made.append(1)
        return b"x" * LARGE, "text/plain"

    # No time helps here: who takes nothing has to be found out.
    exporter = start(render, bytes=2 * LARGE, grace=1000, silence=1000, stall=0)
    threads = threading.active_count()
    with ExitStack() as stack:
        for _ in range(500):
            stack.enter_context(slow_reader(exporter.port))
        client = stack.enter_context(
            closing(http.client.HTTPConnection("127.0.0.1", exporter.port, timeout=60))
        )
        client.request("GET", "/metrics")
        response = client.getresponse()
        assert (response.status, len(response.read())) == (200, LARGE)
        assert threading.active_count() - threads <= 128
        # They share what was begun after they had asked.
        assert len({id(each.held) for each in list(exporter._connections)}) < 16
        assert len(made) < 100


WITHOUT_FILES = """
import resource, socket, time
from ancestry_obs.metrics_exporter import start_exporter

resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
exporter = start_exporter("127.0.0.1", 0, lambda accept: (b"up 1\\n", "text/plain"))
print(exporter.port, flush=True)
files = []
while True:
    try:
        files.append(open("/dev/null"))
    except OSError:
        break
print("full", flush=True)
began = time.process_time()
input()
busy = time.process_time() - began
for file in files:
    file.close()
print(f"{busy:.3f}", flush=True)
input()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no such limit")
def test_without_file_descriptors_it_waits_and_answers_again():
    command = [sys.executable, "-c", WITHOUT_FILES]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        port = int(process.stdout.readline())
        assert process.stdout.readline() == "full\n"
        with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
            sock.sendall(ASK)
            # There is no answer while there is nothing to answer with.
            sock.settimeout(0.5)
            with pytest.raises(TimeoutError):
                sock.recv(1)
            process.stdin.write("\n")
            process.stdin.flush()
            busy = float(process.stdout.readline())
            sock.settimeout(10)
            assert read_all(sock).endswith(b"up 1\n")
        process.stdin.write("\n")
    # It did not spin: half a second of waiting is a few tries.
    assert busy < 0.25
    assert process.returncode == 0


def test_its_own_idle_connections_give_their_files_back(start, fetch, connect, ask, wait_until):
    exporter = start()
    idle = connect(exporter)
    assert ask(idle) == b"OK\n"
    wait_until(exporter, lambda connections: not any(each.active for each in connections))
    listener, exporter._listener = exporter._listener, _Short(exporter._listener)
    assert fetch(exporter)[1] == b"up 1\n"
    assert idle.recv(1) == b""
    exporter._listener = listener


class _Short:
    """A listener without a file descriptor for the first one who comes."""

    def __init__(self, listener):
        self._listener = listener
        self._failed = False

    def accept(self):
        if not self._failed:
            self._failed = True
            raise OSError(24, "Too many open files")
        return self._listener.accept()


def test_without_a_thread_a_connection_is_turned_away(start, fetch, monkeypatch):
    exporter = start()

    def refuse(_thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr("ancestry_obs.metrics_exporter.connections.Connection.start", refuse)
        assert fetch(exporter)[0].status == 503
    assert list(exporter._connections) == []
    assert fetch(exporter)[0].status == 200


@pytest.mark.parametrize(
    ("host", "config", "missing"),
    [
        ("0.0.0.0", None, "TLS and users"),
        ("0.0.0.0", "", "users"),
        ("0.0.0.0", USERS, "TLS"),
        ("0.0.0.0", TLS + USERS, None),
        ("127.0.0.1", None, None),
        ("localhost", None, None),
    ],
)
def test_a_warning_where_others_can_read_it(host, config, missing, web_config, caplog):
    path = None if config is None else web_config(config)
    with start_exporter(host, 0, render, web_config=path) as exporter:
        url = exporter.url
    said = (
        f"metrics at {url} can be read from other machines, without {missing}; set "
        "METRICS_WEB_CONFIG, or METRICS_EXPORT_HOST=127.0.0.1"
    )
    assert caplog.messages == ([said] if missing else [])


def test_a_web_config_that_cannot_be_used_serves_nothing(tmp_path):
    with pytest.raises(ExporterError, match="cannot be read"):
        start_exporter("127.0.0.1", 0, render, web_config=tmp_path / "web.yml")
    assert ours() == []


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
    sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
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
