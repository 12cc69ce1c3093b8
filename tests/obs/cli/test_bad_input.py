"""Every command on every kind of bad input: one line that says what, where and the remedy."""

from __future__ import annotations

import gzip
import socket
import subprocess
import sys
import threading

import pytest

from ancestry_obs.cli import status
from ancestry_obs.metrics_exporter import client

REFUSED = 2
COMMANDS = {
    "check": ("check", "{}"),
    "check --import": ("check", "--import", "{}"),
    "check --fix": ("check", "--fix", "{}"),
    "check --json": ("check", "--json", "{}"),
    "cost": ("cost", "{}", "--", "shop.py"),
    "list": ("list", "{}"),
    "list --json": ("list", "--json", "{}"),
    "explain": ("explain", "{}", "shop:price"),
    "dashboards": ("dashboards", "{}", "-o", "written"),
    "rules": ("rules", "{}"),
    "rules -o": ("rules", "{}", "-o", "written.yml"),
}
# Those that ask a running program.
ASKING = {
    "status": ("status",),
    "status --json": ("status", "--json"),
    "top": ("top",),
    "top --json": ("top", "--json"),
}
# `cost` runs a program where the map is fine.
READING = {name: words for name, words in COMMANDS.items() if name != "cost"}
# What each command says of a file that cannot be a map; one with text in it is `check`'s to judge.
UNREADABLE = {
    "missing.toml": (None, "no such file; maps that ship: "),
    "binary.toml": (b"\x00\x01\xff\x80", "not UTF-8 text"),
    "latin.toml": ("# Gerät\nversion = 1\n".encode("latin-1"), "not UTF-8 text"),
    "utf-16.toml": ("version = 1\n".encode("utf-16"), "not UTF-8 text"),
    "packed.toml": (gzip.compress(b"version = 1\n"), "not UTF-8 text"),
    "a\nb.toml": (None, "no such file; maps that ship: "),
    "a\0b.toml": (None, "cannot be read: embedded null byte; name a readable file"),
}
MISTAKEN = {
    "empty.toml": (b"", "the key 'version' is missing; allowed is 1"),
    "page.toml": (b"<!DOCTYPE html><html></html>", "not TOML: Invalid statement"),
    "nulls.toml": (b"\0" * 100, "not TOML: Invalid statement"),
    "words.toml": (b"version = 'one'\n", "version"),
}
ANSWERS = {
    "html": (
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<html></html>",
        "is it another program?",
    ),
    "a number": (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n1", "is it another program?"),
    "other JSON": (b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"a": 1}', "another program?"),
    "gzip": (
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Encoding: gzip\r\n\r\n"
        + gzip.compress(b"{}"),
        "is it another program?",
    ),
    "empty page": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "is it another program?"),
    "less than it said": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}",
        "no exporter answers",
    ),
    "no such page": (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "another program?"),
    "its fault": (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "is it another program?"),
    "redirects to itself": (
        b"HTTP/1.1 302 Found\r\nLocation: /status\r\nContent-Length: 0\r\n\r\n",
        "is it another program?",
    ),
    "redirects to a file": (
        b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
        "is it another program?",
    ),
    "garbage": (b"\x00\xff\x80\r\n\r\n", "no exporter answers there"),
    "another protocol": (b"220 mail.example ready\r\n", "no exporter answers there"),
    "nothing": (b"", "no exporter answers there"),
}


def refusal(done) -> str:
    """Give the one line of a command that has refused its input."""
    assert (done.code, done.out) == (REFUSED, ""), done
    (line,) = done.err.splitlines()
    assert line.startswith("ancestry-obs: ")
    return line


def written(project, name: str, content: bytes | None) -> None:
    if content is not None:
        (project.path / name).write_bytes(content)


@pytest.mark.parametrize("name", UNREADABLE)
@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_what_is_no_text(project, command, words, name):
    content, message = UNREADABLE[name]
    written(project, name, content)
    assert message in refusal(command(*(word.format(name) for word in words)))


@pytest.mark.parametrize("name", MISTAKEN)
@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_what_is_no_map(project, command, words, name):
    content, message = MISTAKEN[name]
    written(project, name, content)
    done = command(*(word.format(name) for word in words))
    if words[0] == "check":
        assert (done.code, done.err) == (1, "")
        assert message in done.out
    else:
        assert message in refusal(done)


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_a_folder(project, command, words):
    (project.path / "folder.toml").mkdir()
    line = refusal(command(*(word.format("folder.toml") for word in words)))
    message = "no map in this folder" if words[0] == "check" else "cannot be read: Is a directory"
    assert f"folder.toml: {message}; name a" in line


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_links_that_lead_nowhere(project, command, words):
    (project.path / "loop.toml").symlink_to("loop.toml")
    line = refusal(command(*(word.format("loop.toml") for word in words)))
    assert line.endswith("loop.toml: cannot be read: Too many levels of symbolic links; name a "
                         "readable file")  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_what_never_ends(project, command, words):
    line = refusal(command(*(word.format("/dev/zero") for word in words)))
    assert "/dev/zero: cannot be read: it has more than 16 million characters" in line


@pytest.mark.parametrize("words", READING.values(), ids=READING)
def test_a_byte_order_mark_is_no_mistake(project, command, words):
    map_text = project.path.joinpath("shop.toml").read_text()
    (project.path / "marked.toml").write_text(map_text, "utf-8-sig")
    done = command(*(word.format("marked.toml") for word in words))
    assert (done.code, done.err) == (0, "")


# No program can be given a word with a null byte.
@pytest.mark.parametrize(
    "name", [*sorted(UNREADABLE.keys() - {"a\0b.toml"}), "empty.toml", "page.toml", "/dev/zero"]
)
def test_run_does_not_start_the_program(project, command, launch, name):
    content, message = {**UNREADABLE, **MISTAKEN}.get(name, (None, "it has more than 16 million"))
    written(project, name, content)
    done = launch("run", "--map", name, "--port", "0", "--", "shop.py")
    assert (done.returncode, done.stdout) == (REFUSED, "")
    (line,) = done.stderr.splitlines()
    assert message in line


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("missing.py", "no such file"),
        ("nowhere", "nor a command on PATH"),
        ("./written", "is a folder without __main__.py"),
    ],
)
def test_a_program_that_is_not_there(project, launch, program, message):
    (project.path / "written").mkdir()
    done = launch("run", "--map", "shop.toml", "--port", "0", "--", program)
    assert (done.returncode, done.stdout) == (REFUSED, "")
    (line,) = done.stderr.splitlines()
    assert f"{program}: " in line
    assert message in line


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("</dev/zero", "<stdin>: cannot be read (it has more than 16 million characters"),
        ("<binary.toml", "<stdin>: not UTF-8 text"),
        ("<&-", "<stdin>: it is closed; name a map"),
    ],
)
def test_standard_input(project, environment, given, message):
    (project.path / "binary.toml").write_bytes(b"\xff\x00")
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -m ancestry_obs check - {given}', sys.executable],
        cwd=project.path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == ""
    assert done.returncode == REFUSED
    (line,) = done.stderr.splitlines()
    assert message in line


@pytest.mark.parametrize("words", [("rules", "shop.toml"), ("dashboards", "shop.toml", "-o", "w")])
@pytest.mark.parametrize("kind", ["binary", "folder", "endless", "page", "empty"])
def test_a_plan_that_is_none(project, command, words, kind):
    plan = project.path / "shop.monitoring.toml"
    contents = {"binary": b"\xff\x00", "page": b"<html></html>", "empty": b""}
    if kind in contents:
        plan.write_bytes(contents[kind])
    elif kind == "folder":
        plan.mkdir()
    else:
        plan.symlink_to("/dev/zero")
    line = refusal(command(*words))
    assert "shop.monitoring.toml:" in line


@pytest.mark.parametrize("words", READING.values(), ids=READING)
def test_a_package_that_is_not_there(project, command, words):
    text = project.map.replace("shop:", "nowhere.at_all:")
    (project.path / "away.toml").write_text(text)
    words = [word.format("away.toml").replace("shop:", "nowhere.at_all:") for word in words]
    done = command(*words)
    assert (done.code, done.err) == (1 if words[0] == "check" else 0, "")
    if words[0] in {"check", "explain"}:
        assert "'nowhere" in done.out
        assert "looked in" in done.out


@pytest.fixture
def server():
    """Start what gives every caller the same bytes, or keeps it waiting; gives its address."""
    ends = []

    def start(answer: bytes | None) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        kept = []

        def serve():
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                if answer is None:
                    kept.append(peer)
                    continue
                with peer:
                    peer.recv(65536)
                    peer.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()

        def end():
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for each in (*kept, listener):
                each.close()

        ends.append(end)
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for end in ends:
        end()


@pytest.mark.live
@pytest.mark.parametrize("kind", ANSWERS)
@pytest.mark.parametrize("words", ASKING.values(), ids=ASKING)
def test_what_is_no_exporter(command, server, kind, words):
    answer, message = ANSWERS[kind]
    url = server(answer)
    line = refusal(command(*words, url))
    assert f"{url}/{'metrics' if words[0] == 'top' else 'status'}: " in line
    assert message in line


@pytest.mark.live
@pytest.mark.parametrize("words", ASKING.values(), ids=ASKING)
def test_who_says_nothing(command, server, monkeypatch, words):
    asked = client.get
    monkeypatch.setattr(status, "get", lambda page: asked(page, seconds=0.2))
    line = refusal(command(*words, server(None)))
    assert "no exporter answers there" in line
    assert "is the program running with metrics on?" in line


@pytest.mark.live
@pytest.mark.parametrize("began", [b"", b"HTTP/1.1 200 OK\r\nX: "], ids=["status", "header"])
@pytest.mark.parametrize("words", ASKING.values(), ids=ASKING)
def test_an_answer_that_never_ends(command, monkeypatch, began, words):
    asked = client.get
    monkeypatch.setattr(status, "get", lambda page: asked(page, seconds=0.3))
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip():
            peer, _ = listener.accept()
            with peer:
                peer.recv(65536)
                try:
                    peer.sendall(began)
                    while not over.wait(0.02):
                        peer.sendall(b"a")
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        line = refusal(command(*words, f"http://127.0.0.1:{listener.getsockname()[1]}"))
        over.set()
        thread.join()
    assert "not done within 0.3 seconds" in line or "timed out" in line


@pytest.mark.parametrize("url", ["http://", "ftp://h/", "http://h:0", "http://h:x", "file:///a"])
@pytest.mark.parametrize("words", ASKING.values(), ids=ASKING)
def test_what_is_no_url(command, url, words):
    assert "is no http address; write one such as" in refusal(command(*words, url))
