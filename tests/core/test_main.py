"""The command as its user meets it: what it prints where, and how it ends."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path

import pytest
import requests
from tests.ports import refusing_port

from ancestry_core.main import main
from ancestry_core.service import EmbeddedService, ServiceSettings

PASSWORD = "correct-horse"
WRONG = "wrong-battery"


@pytest.fixture
def service():
    with EmbeddedService(ServiceSettings(matches=25, password=PASSWORD)) as service:
        yield service


@pytest.fixture
def account(monkeypatch, tmp_path, service):
    """An environment with an account, in an empty folder; requests go out at once."""
    for name in [name for name in os.environ if name.startswith("ANCESTRY_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANCESTRY_USERNAME", service.settings.username)
    monkeypatch.setenv("ANCESTRY_PASSWORD", PASSWORD)
    monkeypatch.setenv("ANCESTRY_REQUESTS_PER_SECOND", "10000")
    monkeypatch.setenv("ANCESTRY_HTTP_RETRIES", "0")
    return monkeypatch


@pytest.fixture
def run(account, capsys, service):
    """Run the command; return exit code, standard output and standard error."""

    def call(*arguments, base_url=service.base_url):
        where = [] if base_url is None else ["--base-url", base_url]
        try:
            code = main(["run", *where, *arguments])
        except SystemExit as stop:  # argparse's way
            code = stop.code
        return code, *capsys.readouterr()

    return call


def test_json_is_one_object_and_nothing_else(run):
    code, out, err = run("--json", "--database", "mine.db")
    assert code == 0
    report = json.loads(out)
    assert out.count("\n") == 1
    assert list(report["actions"]) == [
        "action6_gather",
        "action7_inbox",
        "action9_process_productive",
        "action8_messaging",
    ]
    assert report["actions"]["action6_gather"].keys() == {
        "success",
        "failure",
        "skipped",
        "seconds",
    }
    assert report["actions"]["action6_gather"]["success"] == 25
    assert report["requests"] > 50
    assert report["retries"] == 0
    assert report["refreshes"] == {}
    assert report["cache"]["lookups"] > report["cache"]["hits"] > 0
    assert report["sent"] is False
    assert "6  Gather matches: 25 done, 0 failed, 0 skipped" in err


def test_a_table_ends_the_run(run):
    code, out, _ = run("--actions", "6")
    assert code == 0
    assert "Gather matches" in out
    assert "Read inbox" not in out
    for figure in ("Requests", "Session refreshes", "Breaker trips", "Cache", "Dry run"):
        assert figure in out


def test_actions_run_in_the_order_asked_for(run):
    _, out, _ = run("--json", "--actions", "7, 6")
    assert list(json.loads(out)["actions"]) == ["action7_inbox", "action6_gather"]


def test_nothing_is_posted_without_send(run, service):
    run("--json")
    assert service.record.conversation_posts == 0
    _, out, _ = run("--json", "--send", "--actions", "8")
    assert (
        service.record.messages_stored == json.loads(out)["actions"]["action8_messaging"]["success"]
    )
    assert service.record.messages_stored > 0


def test_a_second_run_skips_what_is_known(run):
    run("--json", "--actions", "6")
    _, out, _ = run("--json", "--actions", "6")
    assert json.loads(out)["actions"]["action6_gather"]["skipped"] == 25


def test_the_database_is_where_it_was_asked_for(run, tmp_path):
    run("--json", "--actions", "6", "--database", "mine.db")
    rows = sqlite3.connect(tmp_path / "mine.db")
    assert rows.execute("SELECT count(*) FROM dna_match").fetchone() == (25,)
    rows.close()


class Terminal(StringIO):
    def isatty(self):
        return True


def test_work_is_seen_before_the_first_request(account, run, monkeypatch):
    terminal = Terminal()
    seen = []

    def send(*_, **__):
        seen.append(terminal.getvalue())
        raise KeyboardInterrupt

    account.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(requests.Session, "send", send)
    code, _, _ = run(base_url=None)
    assert code == 130
    assert "starting" in seen[0]
    assert "fails on purpose" in seen[0]


def test_the_first_frame_comes_before_what_takes_long(account, run, monkeypatch):
    terminal = Terminal()
    seen = []

    def populate(*_, **__):
        seen.append(terminal.getvalue())
        raise KeyboardInterrupt

    account.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr("ancestry_core.service.embedded.read_pedigree", populate)
    run(base_url=None)
    assert "starting" in seen[0]


def test_another_service_is_not_said_to_fail_on_purpose(run):
    _, _, err = run("--actions", "7")
    assert "on purpose" not in err


def test_a_run_ends_with_what_to_do_next(run):
    _, out, _ = run("--actions", "7")
    assert "\n  ancestry run --metrics" in out.partition("\nNext")[2]


def test_an_error_before_the_first_action_leaves_one_line_on_a_terminal(account, run, monkeypatch):
    terminal = Terminal()
    account.setenv("TERM", "xterm")
    account.setenv("ANCESTRY_HTTP_RETRIES", "many")
    monkeypatch.setattr(sys, "stderr", terminal)
    code, _, _ = run()
    assert code == 2
    # ECMA-48: 2K erases the line; what is left after the last frame is the error.
    left = terminal.getvalue().rpartition("\x1b[2K")[2]
    assert "ancestry: ANCESTRY_HTTP_RETRIES='many': " in one_line(left)


def one_line(err):
    """Return the only line of an error."""
    assert "Traceback" not in err
    assert err.endswith("\n")
    assert err.count("\n") == 1, err
    return err.strip()


def test_wrong_credentials(run, account):
    account.setenv("ANCESTRY_PASSWORD", WRONG)
    code, out, err = run()
    assert (code, out) == (1, "")
    assert "ANCESTRY_USERNAME" in one_line(err)
    assert WRONG not in err


def test_no_credentials(run, account):
    account.delenv("ANCESTRY_PASSWORD")
    code, _, err = run()
    assert code == 2
    assert one_line(err).startswith("ancestry: ANCESTRY_PASSWORD is not set")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--actions", "5"], "there is no action '5'; choose from 6, 7, 8, 9, such as 6,7"),
        (["--actions", "6,,7"], "there is no action ''"),
        (["--actions", "6,6"], "action 6 is named twice; name it once"),
        (["--matches", "-1"], "'-1' is no number of matches; use 0 or more"),
        (["--matches", "many"], "'many' is no number of matches"),
        (["--seed", "x"], "invalid int value: 'x'"),
        (["--browser", "lynx"], "there is no browser 'lynx'; choose from form, chromium"),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
    ],
)
def test_wrong_arguments(run, arguments, complaint):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert complaint in one_line(err)
    assert "--help" in err


@pytest.mark.parametrize("arguments", [[], ["fly"]])
def test_a_command_is_needed(capsys, arguments):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert one_line(capsys.readouterr().err).startswith("ancestry: ")


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_go_to_standard_output(capsys, option):
    with pytest.raises(SystemExit) as stop:
        main([option])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith(("usage: ancestry", "ancestry 0."))


def test_a_setting_that_is_not_allowed(run, account):
    account.setenv("ANCESTRY_HTTP_RETRIES", "many")
    code, _, err = run()
    assert code == 2
    assert one_line(err).startswith("ancestry: ANCESTRY_HTTP_RETRIES='many': ")


def test_a_base_url_that_is_none(run):
    code, _, err = run(base_url="ftp://example.org")
    assert code == 2
    assert one_line(err).startswith("ancestry: ANCESTRY_BASE_URL='ftp://example.org': ")


def test_a_database_that_is_none(run, tmp_path):
    (tmp_path / "notes.txt").write_text("Dear diary, " * 200)
    code, _, err = run("--database", "notes.txt")
    assert code == 1
    assert one_line(err) == (
        "ancestry: notes.txt: file is not a database; choose another file; "
        "this one was left as it is"
    )


def test_a_folder_that_cannot_be_written_to(run):
    code, _, err = run("--database", "/proc/ancestry.db")
    assert code == 1
    assert one_line(err) == (
        "ancestry: /proc/ancestry.db: unable to open database file; "
        "choose a file in an existing folder that you may write to"
    )


def test_a_service_that_is_not_there(run):
    with refusing_port() as port:
        code, _, err = run(base_url=f"http://127.0.0.1:{port}")
    assert code == 1
    assert f"127.0.0.1:{port}" in one_line(err)


@pytest.fixture
def web_page():
    """The address of a site that answers every request with a page."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<html><body>Welcome!</body></html>")

        do_POST = do_GET  # noqa: N815 - the name that the base class calls

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_base_url_that_answers_a_page(run, web_page):
    code, _, err = run(base_url=web_page)
    assert code == 1
    assert "ANCESTRY_BASE_URL" in one_line(err)
    assert web_page in err


def test_a_taken_port(capsys):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        code = main(["service", "--port", str(port)])
    assert code == 1
    assert str(port) in one_line(capsys.readouterr().err)


@pytest.mark.parametrize("form", [["--json"], []])
def test_a_report_that_cannot_be_written(run, monkeypatch, form):
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        code, _, err = run("--actions", "7", *form)
    assert code == 1
    assert err.endswith(
        "\nancestry: standard output cannot be written (No space left on device); "
        "send it elsewhere and run again, what was done is kept\n"
    )
    assert "Traceback" not in err


def test_an_interrupted_run_says_what_was_done(run, monkeypatch):
    from ancestry_core import workflow

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(workflow, "process_inbox", interrupted)
    code, out, err = run("--json")
    assert code == 130
    assert list(json.loads(out)["actions"]) == ["action6_gather"]
    assert err.endswith("ancestry: interrupted; run again to go on\n")


def test_what_an_interrupt_left_half_made_says_nothing(run, monkeypatch):
    from ancestry_core import workflow

    class HalfMade:
        def __del__(self):
            raise AttributeError("fp")

    def interrupted(*_, **__):
        held = HalfMade()
        raise KeyboardInterrupt(held.__class__)

    said = []
    monkeypatch.setattr(sys, "unraisablehook", said.append)
    monkeypatch.setattr(workflow, "process_inbox", interrupted)
    code, _, err = run("--json")
    assert code == 130
    assert err.endswith("ancestry: interrupted; run again to go on\n")
    assert said == []
    assert sys.unraisablehook == said.append


def test_no_log_line_holds_a_secret(run, service, caplog):
    caplog.set_level("DEBUG")
    _, out, err = run("--json", "--send")
    for secret in (PASSWORD, "ANCSESSIONID", "SecureATT"):
        assert secret not in caplog.text + out + err


def test_without_the_extra_one_line_names_it(tmp_path):
    # A folder of packages that cannot be imported, as in a base install.
    for name in ("requests", "sqlalchemy", "pydantic", "rich", "dotenv", "ged4py", "cachetools"):
        (tmp_path / f"{name}.py").write_text(f"raise ModuleNotFoundError(name={name!r})")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    for command in ("run", "service"):
        process = subprocess.run(
            [sys.executable, "-m", "ancestry_core", command],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert process.returncode == 1
        assert process.stdout == ""
        assert "is missing; install ancestry-obs[platform]" in one_line(process.stderr)
