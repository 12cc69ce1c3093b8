"""`ancestry-obs top` in a real terminal: tmux has it, presses keys, changes its size, ends it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.real, pytest.mark.live]

PROGRAM = """
import sys

def charge(amount):
    if amount <= 0:
        raise ValueError(amount)

def refund(): ...
def never(): ...

if __name__ == "__main__":
    print("ready", flush=True)
    for line in sys.stdin:
        name, number = line.split()
        for each in range(int(number)):
            try:
                charge(each % 4) if name == "charge" else refund()
            except ValueError:
                pass
        print("done", line, flush=True)
"""
MAP = """\
version = 1
[metrics.charges_total]
type = "counter"
help = "Charges."
labels.outcome = ["success", "error"]
[metrics.charge_seconds]
type = "histogram"
help = "Time of charges."
buckets = [60]
[[instrument]]
target = "shop:charge"
record = [
  { metric = "charges_total", labels = { outcome = "outcome(error)" } },
  { metric = "charge_seconds" },
]
[metrics.others_total]
type = "counter"
help = "Others."
[[instrument]]
target = ["shop:refund", "shop:never", "shop:gone", "warehouse.of.another.package:Shelf.put_価格"]
record = [{ metric = "others_total" }]
"""
TOGETHER = """\
version = 1
[metrics.call_seconds]
type = "histogram"
help = "Time of calls."
buckets = [0.5]
[[instrument]]
target = ["shop:charge", "shop:refund"]
record = [{ metric = "call_seconds" }]
"""


@pytest.fixture(scope="module")
def make_shop(real, tmp_path_factory):
    """Make what starts the program, always at the same port of its own."""

    def make(text=MAP):
        folder = tmp_path_factory.mktemp("shop")
        (folder / "shop.py").write_text(PROGRAM)
        (folder / "shop.toml").write_text(text, "utf-8")
        port = str(real.free_port())
        command = [
            sys.executable, "-m", "ancestry_obs", "run", "--map", "shop.toml", "--port", port,
            "--", sys.executable, "shop.py",
        ]  # fmt: skip

        def start():
            running = real.start("shop", command, folder)
            running.wait_for("ready")
            real.wait_until(lambda: real.answers(f"{start.url}/-/healthy"), "the exporter")
            return running

        start.url = f"http://127.0.0.1:{port}"
        return start

    return make


@pytest.fixture(scope="module")
def shop(make_shop):
    """What starts the program that most tests look at."""
    return make_shop()


@pytest.fixture(scope="module")
def program(shop):
    """The program after 100 charges, a quarter of which failed, and 20 refunds."""
    running = shop()
    running.say("charge 100")
    running.wait_for("done charge 100")
    running.say("refund 20")
    running.wait_for("done refund 20")
    return running


class Pane:
    """A terminal of tmux with the live view in it, and after it the shell that started it."""

    def __init__(self, real, folder, words, environment):
        self._real = real
        self._tmux = [real.find("tmux"), "-S", str(folder / "socket"), "-f", os.devnull]
        self.folder = folder
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in {"TMUX", "NO_COLOR", "COLUMNS", "LINES"}
        }
        self._environment = {**kept, "LC_ALL": "C.UTF-8"}
        script = (
            'stty -a >before; "$@" 2>said & echo $! >pid; fg >/dev/null; echo "ENDED $?"; '
            "stty -a >after; exec cat"
        )
        self._run(
            "new-session", "-d", "-x", "80", "-y", "24",
            "env", *(f"{name}={value}" for name, value in environment.items()),
            "bash", "-mc", script, "bash", *words,
            cwd=folder,
        )  # fmt: skip

    def _run(self, *words, **how):
        return subprocess.run(
            [*self._tmux, *words], env=self._environment, capture_output=True, encoding="utf-8",
            check=True, timeout=60, **how,
        ).stdout  # fmt: skip

    def press(self, *keys):
        self._run("send-keys", *keys)

    def type(self, text):
        self._run("send-keys", "-l", text)

    def resize(self, width, height):
        self._run("resize-window", "-x", str(width), "-y", str(height))

    @property
    def lines(self):
        return self._run("capture-pane", "-p").split("\n")[:-1]

    def wait_for(self, check, what):
        """Wait until the screen is as it should be, and give it."""
        seen = []

        def look():
            seen[:] = self.lines
            return check(seen) and list(seen)

        return self._real.wait_until(look, lambda: f"{what}:\n" + "\n".join(seen))

    def wait_for_text(self, pattern):
        return self.wait_for(lambda lines: re.search(pattern, "\n".join(lines)), pattern)

    def signal(self, number):
        os.kill(int((self.folder / "pid").read_text()), number)

    def ended(self, code):
        """Wait for the end, and see that the terminal is as it was."""
        lines = self.wait_for_text(r"(?m)^ENDED \d+$")
        assert f"ENDED {code}" in lines
        assert (self.folder / "said").read_text() == ""
        # What is typed is shown again, where the cursor is seen.
        self.type("typed")
        self.wait_for_text(r"(?m)^typed$")
        # The first line has the size.
        before, after = (
            (self.folder / name).read_text().splitlines()[1:] for name in ("before", "after")
        )
        assert after == before != []
        assert self._run("display-message", "-p", "#{cursor_flag} #{alternate_on}") == "1 0\n"

    def close(self):
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, check=False, timeout=60)


@pytest.fixture
def pane(real, tmp_path):
    """Open a terminal of 80 columns and 24 lines with a command in it."""
    opened = []

    def start(*words, **environment):
        command = [sys.executable, "-m", "ancestry_obs", "top", *words]
        opened.append(Pane(real, tmp_path, command, environment))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


def names(lines):
    """Give the last column of the rows."""
    return [line.split()[-1] for line in lines[3:-3] if line.strip()]


def numbers(lines, name):
    """Give the cells of a row; none while it is not there."""
    return next((line.split() for line in lines[3:-3] if line.endswith(name)), [""])


# A screen may be seen half drawn: whatever is looked at is waited for.


def test_the_view_at_80_columns_and_24_lines(pane, program, shop):
    view = pane(shop.url)
    targets = {
        "shop:charge", "shop:refund", "shop:never", "shop:gone", "…ackage:Shelf.put_価格",
    }  # fmt: skip
    view.wait_for(lambda seen: set(names(seen)) == targets, "all targets")
    lines = view.wait_for(lambda seen: "▁" in "".join(seen), "a history")
    assert len(lines) == 24
    assert lines[0].startswith(f"{shop.url}  shop.toml  ")
    assert lines[2].split() == [
        "▼CALLS/S", "FAIL/S", "P50", "P95", "P99", "STATE", "HISTORY", "TARGET",
    ]  # fmt: skip
    assert lines[23].startswith("q end")
    view.press("q")
    view.ended(0)


def test_totals_are_those_of_the_program(pane, program, shop):
    def charges(*cells):
        return lambda seen: numbers(seen, "shop:charge")[: len(cells)] == [*cells]

    view = pane(shop.url)
    view.wait_for_text("shop:charge")
    view.press("t")
    view.wait_for(charges("100", "25", "<60s", "<60s", "<60s", "installed"), "100 charges")
    view.wait_for(lambda seen: numbers(seen, "shop:refund")[:3] == ["20", "-", "-"], "refunds")
    program.say("charge 40")
    view.wait_for(charges("140", "35"), "40 charges more")
    view.press("t")
    view.wait_for_text("CALLS/S")


def test_what_targets_time_together_is_marked_at_any_width(pane, make_shop):
    shop = make_shop(TOGETHER)
    running = shop()
    running.say("charge 100")
    running.say("refund 20")
    running.wait_for("done refund 20")
    view = pane(shop.url)
    view.wait_for_text("shop:charge")
    view.press("t")
    for width in (80, 120):
        view.resize(width, 24)
        for name, count in (("charge", "100"), ("refund", "20")):
            told = [count, "-", *["~<500ms"] * 3, "installed"]
            view.wait_for(
                lambda seen, name=name, told=told: numbers(seen, f"shop:{name}")[:6] == told,
                f"{name} at {width}",
            )
    running.end()


def test_keys_sort_filter_and_change_the_view(pane, program, shop):
    view = pane(shop.url)
    view.wait_for_text("shop:charge")
    view.press("<")
    by_name = ["shop:charge", "shop:gone", "shop:never", "shop:refund", "…ackage:Shelf.put_価格"]
    view.wait_for(lambda seen: names(seen) == by_name, "the order of names")
    view.press("r")
    view.wait_for(lambda seen: names(seen) == by_name[::-1], "the other way round")
    view.wait_for_text("▼TARGET")
    view.press("/")
    view.type("ch")
    view.wait_for(lambda seen: names(seen) == ["shop:charge"], "the one with 'ch'")
    view.press("Enter")
    view.wait_for_text("filter 'ch': 1 of 5")
    view.press("Escape")
    view.wait_for(lambda seen: len(names(seen)) == 5, "all of them")
    view.press("Tab")
    metrics = {"ancestry_charge_seconds", "ancestry_charges_total", "ancestry_others_total"}
    view.wait_for(lambda seen: set(names(seen)) == metrics, "the metrics")
    view.press("3")
    view.wait_for_text(r"…try_charges_total\{error\}")
    view.press("?")
    view.wait_for_text("the other way round")
    view.press("q")
    view.ended(0)


def test_what_is_held_does_not_change(pane, program, shop):
    def refunds(seen):
        return numbers(seen, "shop:refund")[0]

    view = pane(shop.url, "--interval", "0.05")
    view.wait_for_text("shop:refund")
    view.press("t", "p")
    view.wait_for_text("held; p goes on")
    view.wait_for(lambda seen: refunds(seen) == "20", "20 refunds")
    program.say("refund 1000")
    program.wait_for("done refund 1000")
    view.press("Down")
    # The name below is drawn after the rows.
    later = view.wait_for(lambda seen: seen[-3] == "shop:refund", "another row")
    assert refunds(later) == "20"
    view.press("p")
    view.wait_for(lambda seen: refunds(seen) == "1.02k", "a thousand more")


@pytest.mark.parametrize(("width", "height"), [(40, 12), (200, 50), (20, 5), (1, 1)])
def test_another_size(pane, program, shop, width, height):
    view = pane(shop.url)
    view.wait_for_text("q end")
    view.resize(width, height)
    first = shop.url[:width]

    def fits(seen):
        return (
            len(seen) == height
            and seen[0].startswith(first[: width - 1])
            and (height < 12 or seen[-1].startswith("q end"))
            and ("FAIL/S" in "".join(seen)) == (width == 200)
        )

    view.wait_for(fits, f"{width} columns and {height} lines")
    view.resize(80, 24)
    view.wait_for(lambda seen: seen[-1].endswith("? help"), "the old size")
    view.press("C-c")
    view.ended(0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_the_terminal_as_it_was(pane, program, shop, number):
    view = pane(shop.url)
    view.wait_for_text("shop:charge")
    view.signal(number)
    view.ended(128 + number)


def test_an_exporter_that_goes_and_comes_back(pane, make_shop):
    shop = make_shop()
    first = shop()
    first.say("charge 100")
    first.wait_for("done charge")
    view = pane(shop.url, "--interval", "0.2")
    view.wait_for_text("shop:charge")
    view.press("t")
    view.wait_for_text("since the start")
    first.end()
    view.wait_for_text("no exporter answers there")
    # The last numbers stay.
    view.wait_for(lambda seen: numbers(seen, "shop:charge")[0] == "100", "the last numbers")
    second = shop()
    second.say("charge 8")
    view.wait_for(lambda seen: numbers(seen, "shop:charge")[:2] == ["8", "2"], "the new numbers")
    view.wait_for(lambda seen: "no exporter" not in seen[1], "an exporter that answers")
    view.press("t")
    lines = view.wait_for_text("CALLS/S")
    assert not re.search(r"-\d", "\n".join(lines[2:]))
    second.end()


def test_a_terminal_without_unicode(pane, program, shop):
    view = pane(shop.url, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    lines = view.wait_for_text(r"vCALLS/S")
    assert "".join(lines).isascii()
    view.press("q")
    view.ended(0)


def test_a_terminal_that_has_gone(program, shop, tmp_path):
    """Nobody sends SIGHUP where the terminal is not the one that controls the process."""
    ours, its = os.openpty()
    with (tmp_path / "said").open("w") as said:
        running = subprocess.Popen(
            [sys.executable, "-m", "ancestry_obs", "top", shop.url],
            stdin=its, stdout=its, stderr=said, env={**os.environ, "TERM": "xterm"},
            start_new_session=True,
        )  # fmt: skip
    os.close(its)
    seen = b""
    while b"TARGET" not in seen:
        seen += os.read(ours, 4096)
    os.close(ours)
    assert running.wait(60) == 129
    assert (tmp_path / "said").read_text() == ""


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("no-such-terminal", "is not known here ("),
        ("", "is not known here ("),
        ("dumb", "can only write line after line;"),
    ],
)
def test_a_terminal_that_cannot_be_used(pane, program, shop, name, reason):
    view = pane(shop.url, TERM=name)
    lines = view.wait_for_text(r"ENDED 2")
    assert lines[0] == "ENDED 2"
    (said,) = (view.folder / "said").read_text().splitlines()
    assert said.startswith(f"ancestry-obs: the terminal {name!r} {reason}")
    assert said.endswith("; set TERM to another one, or use --once")
