"""The live page in a real Chromium, as a person uses it, of a program that runs."""

from __future__ import annotations

import re
import sys

import pytest

pytestmark = [pytest.mark.real, pytest.mark.live]

PROGRAM = """
import sys

class Cart:
    def add(self, item): ...

def charge(amount):
    if amount <= 0:
        raise ValueError(amount)

def lookup(user): ...
def never(): ...
def bare(): ...

if __name__ == "__main__":
    print("ready", flush=True)
    for line in sys.stdin:
        for each in range(int(line)):
            try:
                charge(each % 4)
            except ValueError:
                pass
            Cart().add(each)
            lookup(f"user {each % 12}")
        print("done", line, flush=True)
"""
NOTHING = "\N{EN DASH}"
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
[metrics.lookups_total]
type = "counter"
help = "Lookups."
labels.user = { max_values = 10 }
labels.kind = { max_values = 3 }
[[instrument]]
target = ["shop:lookup", "shop:bare"]
record = [{ metric = "lookups_total", labels = { user = "user", kind = "user.kind" } }]
[metrics.others_total]
type = "counter"
help = "Others."
[[instrument]]
target = ["shop:Cart.add", "shop:never", "warehouse:Shelf.put_価格"]
record = [{ metric = "others_total" }]
"""


@pytest.fixture(scope="module")
def start_shop(real, tmp_path_factory):
    """Start a program that is measured, and calls its functions when it is told to."""

    def start(url=None):
        folder = tmp_path_factory.mktemp("shop")
        (folder / "shop.py").write_text(PROGRAM)
        (folder / "shop.toml").write_text(MAP, "utf-8")
        url = url or f"http://127.0.0.1:{real.free_port()}/"
        command = [
            *(sys.executable, "-m", "ancestry_obs", "run", "--map", "shop.toml"),
            *("--port", url.rstrip("/").rpartition(":")[2], "--", sys.executable, "shop.py"),
        ]
        running = real.start("shop", command, folder)
        running.wait_for("ready")
        running.url = url
        real.wait_until(lambda: real.answers(f"{url}-/healthy"), "the exporter")
        return running

    return start


@pytest.fixture(scope="module")
def shop(start_shop):
    return start_shop()


@pytest.fixture
def page(open_page, shop):
    """The page of the shop, once the first numbers are there."""
    return open_page(shop.url)


def test_a_person_sees_the_targets_and_what_they_do(page, shop):
    shop.say("40")
    page.until(lambda: page.cell("shop:charge", "calls") not in {NOTHING, "0"}, "the calls")
    # The worst states first.
    assert page.targets == [
        *("shop:bare", "warehouse:Shelf.put_価格", "shop:never"),
        *("shop:Cart.add", "shop:charge", "shop:lookup"),
    ]
    states = ["error", "pending", "idle", "installed", "installed", "installed"]
    assert page.texts("#rows td.state") == states
    assert page.cell("shop:charge", "woven") == "inline"
    assert page.cell("shop:charge", "place") == "shop.toml:10"
    assert page.cell("shop:charge", "failed") not in {NOTHING, "0"}
    assert page.cell("shop:charge", "p95") == "<60 s"
    assert page.cell("shop:Cart.add", "failed") == NOTHING
    assert page.find("#map").text == "shop.toml"
    assert page.find("#connection").text == "Live"
    line = page.find("tr[data-target='shop:charge'] td.calls path")
    assert line.get_attribute("d").startswith("M")
    assert page.complaints() == []


def test_what_needs_a_look(page, shop):
    shop.say("30")

    def remarks():
        return {
            section.get_attribute("aria-label"): section.text.split("\n")[1:]
            for section in page.all("#remarks > section")
            if section.is_displayed()
        }

    page.until(lambda: "Failing expressions" in remarks(), "the failing expression")
    told = remarks()
    assert set(told) == {"Failing expressions", "Labels near their limits"}
    assert told["Failing expressions"][0] == "shop:lookup → lookups_total, kind"
    assert told["Failing expressions"][1].endswith(" so far")
    assert told["Labels near their limits"][0] == "lookups_total, user"
    assert re.fullmatch(r"10 of 10 values, \d+ times other", told["Labels near their limits"][1])


def test_filters_stay_in_the_address_after_a_reload(page):
    page.find("#words").send_keys("shop cart")
    page.until(lambda: page.targets == ["shop:Cart.add"], "the words to be kept")
    assert page.find("#shown").text == "1 of 6 targets"
    assert page.address == "q=shop+cart"
    page.reload()
    assert page.targets == ["shop:Cart.add"]
    assert page.find("#words").get_attribute("value") == "shop cart"
    page.find("#words").clear()
    page.find("#words").send_keys("nowhere")
    page.until(lambda: page.find("#nothing").is_displayed(), "nothing")
    page.find("#all").click()
    assert len(page.targets) == 6
    assert page.address == ""


def test_states_and_ways_are_chosen(page):
    page.press("error 1")
    assert page.targets == ["shop:bare"]
    assert page.address == "state=error"
    page.reload()
    assert page.targets == ["shop:bare"]
    pressed = page.find("#states [aria-pressed='true']")
    assert pressed.text == "error 1"
    page.press("all 6")
    page.choose("#way", "inline")
    assert set(page.texts("#rows td.woven")) == {"inline"}
    assert page.address == "woven=inline"


def test_a_click_sorts_and_another_one_the_other_way_round(page, shop):
    shop.say("4")
    page.press("Target")
    assert page.targets == sorted(page.targets)
    assert page.find("th.target[aria-sort]").get_attribute("aria-sort") == "ascending"
    page.press("Target")
    assert page.targets == sorted(page.targets, reverse=True)
    assert page.address == "sort=target&reverse=true"
    page.reload()
    assert page.targets == sorted(page.targets, reverse=True)
    page.press("Errors")
    page.until(lambda: page.targets[0] == "shop:lookup", "the errors")
    assert page.find("th.errors[aria-sort]").get_attribute("aria-sort") == "descending"


def test_an_errored_target_tells_its_reason(page):
    page.press("shop:bare")
    told = page.facts()
    assert told["State"] == ["error: it is not measured"]
    (reason,) = told["Reason"]
    assert reason.startswith("cannot be woven: shop.toml:23: ")
    assert "unknown name 'user'" in reason
    assert told["In the map"] == ["shop.toml:21"]
    assert page.address == "target=shop%3Abare"
    page.reload()
    assert page.facts()["Reason"] == [reason]


def test_details_tell_how_it_is_woven_and_what_it_feeds(page, shop):
    page.press("shop:charge")
    shop.say("20")

    def said():
        return page.find(".details svg[role='img']").get_attribute("aria-label")

    page.until(lambda: NOTHING not in said(), "numbers")
    assert re.fullmatch(r"Calls for each second now: Calls/s [\d.]+, Failed/s [\d.]+", said())
    told = page.facts()
    assert told["Woven"] == ["inline: its own code has the statements that measure"]
    assert told["Feeds"] == [
        "ancestry_charges_total at exit",
        "ancestry_charge_seconds at exit",
    ]
    page.press("shop:charge")
    assert page.all(".details") == []


def test_the_theme_is_kept_and_follows_the_system_otherwise(page):
    def back():
        script = "return getComputedStyle(document.body).backgroundColor"
        return page.driver.execute_script(script)

    page.set_scheme("light")
    light = back()
    page.set_scheme("dark")
    dark = back()
    assert light != dark
    page.choose("#theme", "light")
    assert back() == light
    page.reload()
    assert back() == light
    page.choose("#theme", "system")
    assert back() == dark


def test_the_keyboard_alone_does(page):
    page.find("body").send_keys(page.keys.TAB)
    assert page.focused.text == "Skip to the targets"
    page.focused.send_keys(page.keys.ENTER)
    page.focused.send_keys(page.keys.TAB)
    assert page.focused.text == "all 6"
    while page.focused.get_attribute("id") != "words":
        page.focused.send_keys(page.keys.TAB)
    page.focused.send_keys("charge")
    page.until(lambda: page.targets == ["shop:charge"], "the words to be kept")
    while page.focused.text != "shop:charge":
        page.focused.send_keys(page.keys.TAB)
    page.focused.send_keys(page.keys.ENTER)
    assert page.facts()["State"] == ["installed: its calls are measured"]
    assert page.focused.get_attribute("aria-expanded") == "true"
    page.focused.send_keys(page.keys.ESCAPE)
    assert page.all(".details") == []
    assert page.focused.text == "shop:charge"


def test_a_row_with_the_focus_stays_where_it_is(page, shop):
    page.press("Calls/s")
    page.until(lambda: page.address == "sort=calls", "the order")
    first = page.targets
    page.find(f"tr[data-target='{first[-1]}'] button").send_keys(page.keys.NULL)
    at = page.find("#at").text
    shop.say("50")
    page.until(lambda: page.find("#at").text != at, "another look")
    page.until(lambda: page.cell("shop:charge", "calls") not in {NOTHING, "0"}, "calls")
    assert page.targets == first
    assert page.focused.text == first[-1]


# Counts what is asked where it begins, and keeps it waiting for as long as a test likes.
HOLDING = """
const real = window.fetch;
window.asked = 0;
window.held = [];
window.fetch = (...what) => {
  window.asked += 1;
  const go = window.holds ? new Promise((go) => window.held.push(go)) : Promise.resolve();
  return go.then(() => real(...what));
};
window.release = () => Promise.allSettled(window.held.splice(0).map((go) => go()));
"""


def test_a_pause_holds_the_numbers(page):
    page.driver.execute_script(HOLDING)

    def asked():
        return page.driver.execute_script("return window.asked")

    page.press("Pause")
    assert page.find("#connection").text == "Paused"
    before = asked()
    page.press("error 1")
    assert page.find("#pause").get_attribute("aria-pressed") == "true"
    assert asked() == before
    page.press("Pause")
    page.until(lambda: page.find("#connection").text == "Live", "an answer")
    page.until(lambda: asked() > before, "another look")


def test_an_answer_that_comes_after_a_pause_shows_nothing(page):
    page.driver.execute_script(f"{HOLDING} window.holds = true")
    page.until(lambda: page.driver.execute_script("return window.held.length"), "a question")
    page.press("Pause")
    told = page.find("#targets").text
    # Whatever the page does with an answer is done when a later one of another kind has come.
    page.driver.execute_async_script("""
      const done = arguments[0];
      window.holds = false;
      release().then(() => fetch("page/numbers")).then((answer) => answer.text())
        .then(() => setTimeout(done, 0));
    """)
    assert page.find("#connection").text == "Paused"
    assert page.find("#targets").text == told
    page.press("Pause")
    page.until(lambda: page.find("#connection").text == "Live", "an answer")


@pytest.mark.parametrize("query", ["", "target=shop%3Acharge"])
@pytest.mark.parametrize("width", [360, 320])
def test_a_phone_scrolls_down_and_never_sideways(open_page, shop, query, width):
    page = open_page(f"{shop.url}?{query}", width)
    script = """const page = document.documentElement;
      return page.scrollWidth - page.clientWidth"""
    assert page.driver.execute_script(script) == 0
    # Nothing is cut off either, and the state is told in words.
    outside = """return [...document.querySelectorAll("main *")].filter(
      each => each.checkVisibility() && !each.closest(".hidden")
              && each.getBoundingClientRect().right > innerWidth + 0.5
    ).map(each => each.outerHTML)"""
    assert page.driver.execute_script(outside) == []
    assert page.find("tr[data-target='shop:bare'] .narrow").text == "error"
    page.choose("#sort", "Target")
    assert page.targets == sorted(page.targets)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing(open_page, shop, real, scheme, width):
    page = open_page(f"{shop.url}?target=shop%3Acharge", width)
    page.set_scheme(scheme)
    page.driver.execute_script(real.axe())
    run = "const done = arguments[0]; axe.run().then(done, error => done(String(error)))"
    found = page.driver.execute_async_script(run)
    assert [
        (each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]
    ] == []
    # It did look, and there is nothing that it could not decide.
    assert {"color-contrast", "button-name", "label"} <= {each["id"] for each in found["passes"]}
    assert [each["id"] for each in found["incomplete"]] == []


def test_a_program_that_ends_is_told_and_waited_for(open_page, start_shop):
    running = start_shop()
    page = open_page(running.url)
    running.finish()
    page.until(lambda: page.find("#connection").text.startswith("No answer"), "the end to be told")
    assert page.targets
    start_shop(running.url)
    page.until(lambda: page.find("#connection").text == "Live", "the program")


def test_a_map_with_a_mistake_is_told_with_the_next_look(open_page, real, tmp_path):
    (tmp_path / "tree.py").write_text("import sys\nprint('ready', flush=True)\nsys.stdin.read()\n")
    path = tmp_path / "tree.toml"
    path.write_text(TREE_MAP)
    port = real.free_port()
    run = (sys.executable, "-m", "ancestry_obs", "run", "--map", "tree.toml", "--port", str(port))
    watching = {"METRICS_MAP_WATCH": "true"}
    running = real.start("tree", [*run, "--", sys.executable, "tree.py"], tmp_path, watching)
    running.wait_for("ready")
    page = open_page(f"http://127.0.0.1:{port}/")
    page.until(lambda: page.targets, "the targets")
    # It asks for all of its status after a minute, which does not pass here.
    page.driver.execute_script("const now = performance.now(); performance.now = () => now;")
    path.write_text(TREE_MAP.replace("version = 1", "version = 7"))
    page.until(lambda: "version" in page.find("#remarks").text, "the mistake")
    running.finish()


TREE = """
import multiprocessing, sys

def work():
    ...

def worker(ready, end):
    work()
    ready.set()
    end.wait()

if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    ready, end = multiprocessing.Event(), multiprocessing.Event()
    child = multiprocessing.Process(target=worker, args=(ready, end))
    work()
    child.start()
    ready.wait()
    print("ready", child.pid, flush=True)
    sys.stdin.read()
    end.set()
    child.join()
"""
TREE_MAP = """\
version = 1
[metrics.work_total]
type = "counter"
help = "Work."
[[instrument]]
target = ["tree:work", "__main__:work", "__mp_main__:work"]
record = [{ metric = "work_total" }]
"""


def test_the_process_tree_of_a_run(open_page, real, tmp_path):
    (tmp_path / "tree.py").write_text(TREE)
    (tmp_path / "tree.toml").write_text(TREE_MAP)
    port = real.free_port()
    run = (sys.executable, "-m", "ancestry_obs", "run", "--map", "tree.toml", "--port", str(port))
    running = real.start("tree", [*run, "--", sys.executable, "tree.py"], tmp_path)
    child = running.wait_for(r"ready (\d+)")[1]
    page = open_page(f"http://127.0.0.1:{port}/")
    tree = "section[aria-label='Processes'] li"
    page.until(lambda: len(page.all(tree)) >= 2, "both processes")
    shown = page.texts(tree)
    assert any(each.endswith(", serves this page") for each in shown)
    (below,) = (each for each in shown if each.endswith(child))
    assert "\N{BOX DRAWINGS LIGHT UP AND RIGHT} " in below
    running.finish()
