from __future__ import annotations

import argparse
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from ancestry_core.exceptions import PedigreeError, PortInUseError, SettingsError
from ancestry_core.service.command import add_service_parser, run_service

PROGRAM = """
import argparse
from ancestry_core.service.command import add_service_parser
parser = argparse.ArgumentParser()
add_service_parser(parser.add_subparsers())
args = parser.parse_args()
raise SystemExit(args.run(args))
"""


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="ancestry")
    add_service_parser(parser.add_subparsers())
    return parser.parse_args(["service", *arguments])


def test_the_arguments_have_the_documented_names():
    args = parse(
        *("--port", "8081", "--matches", "3000", "--seed", "9"),
        *("--gedcom", "own.ged", "--root", "I1", "--faults", "none", "--host", "0.0.0.0"),
    )
    assert (args.port, args.matches, args.seed) == (8081, 3000, 9)
    assert (args.gedcom, args.root) == (Path("own.ged"), "I1")
    assert (args.faults, args.host) == ("none", "0.0.0.0")
    assert args.run is run_service


def test_the_defaults_are_the_documented_ones():
    args = parse()
    assert (args.host, args.port, args.seed, args.faults) == ("127.0.0.1", 8080, 7, "realistic")
    assert args.gedcom is args.root is None


@contextmanager
def running(*arguments: str, **options):
    command = [sys.executable, "-c", PROGRAM, "service", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_is_and_serves_until_a_signal(number, browse):
    with running("--matches", "12") as process:
        said = [process.stdout.readline().strip() for _ in range(3)]
        status = browse.get(f"{said[0]}/account/signin", timeout=5).status_code
        process.send_signal(number)
        rest = process.stdout.read()
        process.wait()
    assert status == 200
    assert said[1] == "username demo@example.org, password demo-password"
    assert said[2] == "account of William Arthur Philip Windsor, 12 matches; Ctrl-C stops"
    assert rest == "Stopped.\n"
    assert process.returncode == 0


def test_warnings_about_the_file_come_on_standard_error(tmp_path):
    path = tmp_path / "own.ged"
    path.write_text("0 HEAD\n0 @I1@ INDI\n1 NAME Ann")
    with running("--gedcom", str(path), stderr=subprocess.PIPE) as process:
        said = [process.stderr.readline().strip() for _ in range(2)]
    assert said[0] == "warning: the end is missing (no TRLR line); read as far as it goes"
    assert said[1].startswith("warning: nobody in the pedigree is related by blood to Ann (I1)")


def test_a_taken_port_is_an_error_and_the_signal_is_given_back(start):
    before = signal.getsignal(signal.SIGTERM)
    port = start().base_url.rpartition(":")[2]
    with pytest.raises(PortInUseError, match=f"port {port} on 127.0.0.1 is taken"):
        run_service(parse("--port", port, "--matches", "1"))
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (("--port", "70000"), SettingsError, "port is 70000; use 0 to 65535"),
        (("--matches", "-1"), SettingsError, "matches is -1; use 0 or more"),
        (("--gedcom", "gone.ged"), PedigreeError, "gone.ged: No such file or directory"),
        (("--root", "I99999"), PedigreeError, "nobody in the pedigree has the id I99999"),
    ],
)
def test_bad_input_is_one_clear_error(arguments, error, text):
    with pytest.raises(error, match=text) as caught:
        run_service(parse("--port", "0", *arguments))
    assert "\n" not in str(caught.value)
