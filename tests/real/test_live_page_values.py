"""The live page in a real Chromium, whatever a program is called and says, and wherever it is."""

from __future__ import annotations

import http.server
import json
import threading
import urllib.request

import bcrypt
import pytest
import trustme
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ancestry_obs.feeds import Feed
from ancestry_obs.installation_status import Status, TargetStatus
from ancestry_obs.live.joined import Joined
from ancestry_obs.live.page_reader import read_page
from ancestry_obs.live.rates import Interval
from ancestry_obs.live.rows import rows
from ancestry_obs.live.scrape import Scrape
from ancestry_obs.metrics_exporter import start_exporter

pytestmark = [pytest.mark.real, pytest.mark.live]

EVIL = (
    "<img src=x onerror=document.title='evil'>",
    "<script>document.title='evil'</script>",
    "</bdi></td></tr></table><h1>evil",
    "\"' onmouseover='document.title=1' style='color:red",
    "javascript:document.title='evil'",
    "&lt;b&gt; &amp;",
    "]]> <!-- -->",
    "\u202e\u2066\0\x1b[2J\n\t",
    "${7*7} {{7*7}}",
    "__proto__",
    "constructor",
)
# The elements and the names of their attributes, as a tree; where a long name may be parted is not
# looked at.
STRUCTURE = """
const tree = (element) => element.localName === "wbr" ? [] : [[
  element.localName, [...element.attributes].map((each) => each.name),
  [...element.children].flatMap(tree)]];
return JSON.stringify(tree(document.documentElement))"""
TEXTS = "return [...document.querySelectorAll('bdi, dd, span')].map(each => each.textContent)"


class Told:
    """What an exporter tells, whoever asks."""

    def __init__(self):
        self.numbers, self.status = {}, {}

    def live(self):
        yield json.dumps(self.numbers).encode()

    def serve(self, **options):
        def no_metrics(_accept):
            return b"", "text/plain"

        return start_exporter(
            *("127.0.0.1", 0, no_metrics),
            status=lambda: self.status,
            live=self.live,
            **options,
        )


def numbers(**told):
    """Give what the page `numbers` has, as `collector/live_numbers.py` writes it."""
    nothing = dict.fromkeys(("sampled", "failures", "overflows", "targets", "metrics"), ())
    few = {"begun": "1", "processes": 1, "scrapes": [0, 0], "overhead": None, "spent": 0.001}
    return {**nothing, **few, **told}


@pytest.fixture(scope="module")
def told():
    told = Told()
    with told.serve() as exporter:
        told.url = exporter.url.removesuffix("metrics")
        yield told


@pytest.fixture(scope="module")
def open_told(open_page, told):
    many(told, 3, 5)
    return open_page(told.url)


def sample(name, value, **labels):
    shown = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{name}{{{shown}}} {value}\n" if labels else f"{name} {value}\n"


def _escaped(text):
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def tell(told, texts):
    """Let the exporter say these texts wherever a program has a say."""
    name, state, reason, way, alias, holder, constant, place, metric, label, process, exporter = (
        texts
    )
    full = {"name": "full", "kind": "gauge", "labels": ["some"], "bounds": [], "numbers": []}
    told.numbers = numbers(
        targets=[[name, state, 5]],
        failures=[[name, metric, label, 3]],
        metrics=[{**full, "series": [[label]]}],
    )
    target = TargetStatus(name, state, reason, (alias,), (holder,), way, (name,))
    feed = Feed(name, metric, {"some": constant}, {}, "exit", is_duration=False)
    told.status = {
        **Status(enabled=True, map=place, exporter_error=exporter, targets=(target,)).as_dict(),
        "feeds": [feed.as_dict()],
        "places": {name: [place]},
        "label_limits": [{"metric": metric, "full_name": "full", "label": "some", "limit": 1}],
        "costs": {},
        "processes": [
            {"pid": 1, "parent": None, "name": process, "serves": True},
            {"pid": 2, "parent": 1, "name": process, "serves": False},
        ],
    }


anything = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
TWELVE = 12


@pytest.fixture(scope="module")
def structure(open_page, told):
    """Open the page where it tells some texts; give it, and what it has without its texts."""

    def structure(shown):
        tell(told, shown)
        page = open_page(told.url)
        page.find(".open").click()
        return page, page.driver.execute_script(STRUCTURE)

    return structure


@pytest.fixture(scope="module")
def plain(structure):
    return structure([f"plain {number}" for number in range(TWELVE)])[1]


@settings(max_examples=25, deadline=None)
@example([*EVIL, "evil"])
@example(["evil", *reversed(EVIL)])
@given(st.lists(anything | st.sampled_from(EVIL), min_size=TWELVE, max_size=TWELVE, unique=True))
def test_no_value_becomes_markup(structure, plain, texts):
    page, hostile = structure(texts)
    assert hostile == plain
    assert page.driver.title == "ancestry-obs"
    assert page.complaints() == []
    seen = page.driver.execute_script(TEXTS)
    assert [text for text in texts if not any(text in each for each in seen)] == []


NAMES = ("shop:charge", "shop:refund", "shop:Cart.add")
KINDS = ("charge", "refund", "error")
BOUNDS = ("0.1", "0.5", "2.5", "+Inf")
feed = st.builds(
    Feed,
    pattern=st.sampled_from(NAMES),
    metric=st.sampled_from(["calls_total", "call_seconds"]),
    constants=st.sampled_from(
        [{}, {"kind": "charge"}, {"kind": "refund"}, {"on": "a"}, {"kind": "charge", "on": "a"}]
    ),
    failing=st.sampled_from([{}, {"kind": ("error",)}]),
    on=st.sampled_from(["exit", "raise"]),
    is_duration=st.booleans(),
)
whole = st.integers(0, 5) | st.just(2**40)
count = whole | st.just(0.1)


@st.composite
def scrapes(draw):
    """Two looks at one program, the second of them later, or at the program begun anew.

    Each as an exposition, and as the page is told of it.
    """
    # Of six counters, and of the buckets of two histograms.
    counts = st.tuples(*[count] * 6, *[whole] * 8)
    first, steps = draw(counts), draw(counts)
    starts_anew = draw(st.booleans())
    second = steps if starts_anew else [a + b for a, b in zip(first, steps, strict=True)]
    looks = (4, 1) if draw(st.booleans()) and starts_anew else (4, 5)
    found = [*zip((first, second), looks, strict=True)]
    # A series that is not there yet at the first look, or stands elsewhere.
    kinds = draw(st.permutations(KINDS))
    begun = ["1", "2" if looks[1] < looks[0] else "1"]
    return (
        [exposition(*each) for each in found],
        [
            answer(each, *more)
            for (each, _), *more in zip(found, begun, (KINDS, kinds), strict=True)
        ],
    )


def answer(counts, begun, kinds):
    """Tell the page the same as `exposition` tells."""
    calls, kinds_of_calls, seconds = counts[:3], counts[3:6], [counts[6:10], counts[10:]]
    of_kind = dict(zip(KINDS, kinds_of_calls, strict=True))
    common = {"labels": ["on", "kind"]}
    return numbers(
        begun=begun,
        targets=[[name, "installed", number] for name, number in zip(NAMES, calls, strict=True)],
        metrics=[
            {
                **common,
                "name": "calls_total",
                "kind": "counter",
                "bounds": [],
                "series": [["a", each] for each in kinds],
                "numbers": [of_kind[each] for each in kinds],
            },
            {
                **common,
                "name": "call_seconds",
                "kind": "histogram",
                "bounds": [float(each) for each in BOUNDS[:-1]],
                "series": [["a", each] for each in KINDS[:2]],
                "numbers": seconds,
            },
        ],
    )


def exposition(numbers, looks):
    number = iter(numbers)
    lines = [
        sample("ancestry_obs_build_info", 1, version="1"),
        *(sample("ancestry_obs_target_info", 1, state="installed", target=each) for each in NAMES),
        "# TYPE ancestry_obs_calls_total counter\n",
        *(sample("ancestry_obs_calls_total", next(number), target=each) for each in NAMES),
        "# TYPE calls_total counter\n",
        *(sample("calls_total", next(number), kind=each, on="a") for each in KINDS),
        "# TYPE call_seconds histogram\n",
    ]
    for kind in KINDS[:2]:
        total = 0
        for bound in BOUNDS:
            total += next(number)
            lines.append(sample("call_seconds_bucket", total, kind=kind, on="a", le=bound))
        lines.append(sample("call_seconds_count", total, kind=kind, on="a"))
    lines.append("# TYPE ancestry_obs_scrape_seconds summary\n")
    lines.append(sample("ancestry_obs_scrape_seconds_count", looks))
    return "".join(lines)


RECKON = """
const [answers, targets, feeds, done] = arguments;
(async () => {
  const { Reader } = await import("./page/looks.js");
  const { Interval } = await import("./page/reckoning.js");
  const { Joined } = await import("./page/joined.js");
  const { targetRows } = await import("./page/rows.js");
  const reader = new Reader();
  const [before, after] = [reader.read(answers[0], 0), reader.read(answers[1], 2)];
  const status = { targets, feeds, places: new Map(), costs: new Map() };
  const rows = await targetRows(new Interval(before, after), status, new Joined(targets, feeds));
  return rows.map((row) => [row.target, row.rate, row.failed, row.isFailedShared, row.isShared,
    ...row.quantiles.map((each) => each && [each.value, each.isLeast, each.below])]);
})().then(done, (error) => done(String(error)));
"""


@settings(max_examples=200, deadline=None)
@given(
    scrapes(),
    st.lists(feed, max_size=6),
    st.lists(st.tuples(st.sampled_from(["installed", "error"]), st.integers(0, 1)), min_size=3),
)
def test_its_numbers_are_those_of_top(open_told, looks, feeds, seen):
    texts, answers = looks
    targets = [
        TargetStatus(name, state, patterns=(name,), calls=calls)
        for name, (state, calls) in zip(NAMES, seen, strict=False)
    ]
    status = Status(enabled=True, targets=tuple(targets))
    first, second = (
        Scrape(2.0 * n, read_page(text.encode()), status, feeds) for n, text in enumerate(texts)
    )
    expected = [
        (
            *(row.name, row.rate, row.failed, row.is_failed_shared, row.is_shared),
            *(each and [each.value, each.is_least, each.below] for each in row.quantiles),
        )
        for row in rows("targets", Interval(first, second), Joined(targets, feeds))
    ]
    told = (status.as_dict()["targets"], [each.as_dict() for each in feeds])
    found = open_told.driver.execute_async_script(RECKON, answers, *told)
    assert [tuple(each) for each in found] == [_near(each) for each in expected]


MARKS = """
const [found, isShared, done] = arguments;
import("./page/columns.js").then(({ COLUMNS }) => {
  const row = { quantiles: [null, found, null], isShared };
  const { mark, text } = COLUMNS.find((each) => each.name === "p95").shown(row);
  return [mark, text];
}).then(done, (error) => done(String(error)));
"""


@pytest.mark.parametrize(
    ("found", "mark"),
    [
        ({"value": 0.07, "isLeast": False, "below": None}, ""),
        ({"value": 0.002, "isLeast": False, "below": 0.005}, "<"),
        ({"value": 10, "isLeast": True, "below": None}, ">"),
    ],
)
def test_each_quantile_of_several_targets_is_marked(open_told, found, mark):
    def mark_of(is_shared):
        return open_told.driver.execute_async_script(MARKS, found, is_shared)[0]

    assert (mark_of(False), mark_of(True)) == (mark, f"~{mark}")


def _near(row):
    """JavaScript adds up in another order."""
    return tuple(
        pytest.approx(each)
        if isinstance(each, float)
        else [pytest.approx(each[0]), *each[1:]]
        if isinstance(each, list)
        else each
        for each in row
    )


def many(told, count, calls):
    """Let a program of so many targets tell how often each was called."""
    names = [f"package.module_{number % 40}:function_{number:04}" for number in range(count)]
    told.numbers = numbers(targets=[[each, "installed", calls] for each in names])
    targets = tuple(TargetStatus(each, "installed", patterns=(each,)) for each in names)
    told.status = Status(enabled=True, map="many.toml", targets=targets).as_dict()
    return names


# Of each change below the table: whose row it is in, and in which cell; lines are told apart.
COUNTED = """
const rows = document.getElementById("rows");
window.touched = { text: {}, lines: {} };
new MutationObserver((changes) => {
  for (const { target } of changes) {
    const element = target instanceof Element ? target : target.parentElement;
    const { lines, text } = window.touched;
    const cells = (element.closest("svg") ? lines : text);
    const name = element.closest("tr")?.dataset.target ?? "";
    (cells[name] ??= new Set()).add(element.closest("td, th")?.className ?? element.localName);
  }
}).observe(rows, { subtree: true, childList: true, characterData: true, attributes: true });"""
TOUCHED = """
const plain = (cells) => Object.fromEntries(
  Object.entries(cells).map(([target, names]) => [target, [...names]]));
return [plain(window.touched.text), plain(window.touched.lines)]"""
# So far beyond the window lines are ready for who scrolls; and a little more, for a row that is
# there in part.
NEAR = """
return [...document.querySelectorAll("#rows tr")].filter((row) => {
  const { top, bottom } = row.getBoundingClientRect();
  return bottom >= -250 && top <= innerHeight + 250;
}).map((row) => row.dataset.target)"""


def count_elements(page):
    return page.driver.execute_script("return document.querySelectorAll('*').length")


def test_of_a_thousand_targets_one_page_is_in_the_document(open_page, told):
    many(told, 200, 5)
    some = count_elements(open_page(told.url))
    names = many(told, 1000, 5)
    page = open_page(told.url)
    assert len(page.targets) == 100
    assert page.find("#shown").text == "1000 targets"
    assert count_elements(page) == some
    page.press("Next")
    assert page.targets == sorted(names)[100:200]
    assert page.address == "page=2"
    page.reload()
    assert page.targets == sorted(names)[100:200]
    page.find("#words").send_keys("module_7: function_0047")
    page.until(lambda: page.targets == ["package.module_7:function_0047"], "the one")
    # Whose details the address names is found wherever it stands.
    page = open_page(f"{told.url}?target={names[-1]}")
    assert names[-1] in page.targets
    assert page.facts()["State"] == ["installed: its calls are measured"]


def test_what_has_not_changed_is_not_touched(open_page, told):
    many(told, 1000, 5)
    page = open_page(told.url)
    # The first rates are there.
    page.until(lambda: page.cell(page.targets[0], "calls") == "0", "the rates")
    page.driver.execute_script(COUNTED)
    asked = page.requests()
    page.until(lambda: page.requests() > asked + 1, "more looks")
    text, lines = page.driver.execute_script(TOUCHED)
    assert text == {}
    # Lines go on, where somebody sees them.
    near = page.driver.execute_script(NEAR)
    assert 10 < len(near) < 60
    assert set(lines) <= set(near)
    assert {each for cells in lines.values() for each in cells} == {"calls numeric"}


def test_of_a_thousand_targets_those_are_touched_that_were_called(open_page, told):
    names = sorted(many(told, 1000, 5))
    page = open_page(told.url)
    page.until(lambda: page.cell(names[0], "calls") == "0", "the rates")
    page.driver.execute_script(COUNTED)
    # Of the first, the last of the page, and one on another page.
    called = {names[0], names[99], names[500]}
    for target in told.numbers["targets"]:
        target[2] += 7 * (target[0] in called)
    page.until(lambda: page.cell(names[99], "calls") != "0", "the calls")
    text, lines = page.driver.execute_script(TOUCHED)
    assert text == {each: ["calls numeric"] for each in called & {*names[:100]}}
    assert names[99] not in lines
    # Whoever scrolls there sees its line.
    drawn = f"tr[data-target='{names[99]}'] td.calls path"
    assert page.find(drawn).get_attribute("d") == ""
    page.driver.execute_script("scrollTo(0, document.body.scrollHeight)")
    page.until(lambda: page.find(drawn).get_attribute("d").startswith("M"), "the line")


TIMERS = """
window.timers = new Set();
const [start, stop] = [window.setTimeout, window.clearTimeout];
window.setTimeout = (step, ...more) => {
  const timer = start(() => { window.timers.delete(timer); step(); }, ...more);
  window.timers.add(timer);
  return timer;
};
window.clearTimeout = (timer) => { window.timers.delete(timer); stop(timer); };"""
# A headless browser shows all its tabs: what it tells of itself is told for it.
SEEN = """
window.isHidden = arguments[0];
Object.defineProperty(document, "hidden", { get: () => window.isHidden, configurable: true });
document.dispatchEvent(new Event("visibilitychange"));"""


def test_a_page_that_is_not_seen_asks_nobody(open_page, told):
    many(told, 3, 5)
    page = open_page(told.url)
    page.driver.execute_script(TIMERS)
    left = "return window.timers.size"
    page.until(lambda: page.driver.execute_script(left) == 1, "the next look to be awaited")
    page.driver.execute_script(SEEN, True)
    assert page.driver.execute_script(left) == 0
    asked = page.requests()
    page.driver.execute_script(SEEN, False)
    page.until(lambda: page.requests() > asked, "another look")
    page.until(lambda: page.driver.execute_script(left) == 1, "the next look to be awaited")


class Proxy(http.server.BaseHTTPRequestHandler):
    """A reverse proxy that has the exporter below a prefix."""

    prefix, behind = "/ops/shop", ""

    def do_GET(self):
        if not self.path.startswith(f"{self.prefix}/"):
            self.send_error(404)
            return
        type(self).asked.append(self.path)
        url = self.behind + self.path.removeprefix(f"{self.prefix}/")
        with urllib.request.urlopen(url, timeout=60) as answer:
            body = answer.read()
            self.send_response(answer.status)
            for name in ("Content-Type", "Content-Security-Policy"):
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_below_the_prefix_of_a_proxy(open_page, told):
    many(told, 3, 5)
    Proxy.behind, Proxy.asked = told.url, []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = open_page(f"http://127.0.0.1:{server.server_port}{Proxy.prefix}/?sort=target")
        page.until(lambda: page.cell(page.targets[0], "calls") == "0", "the rates")
        assert page.find("#connection").text == "Live"
        page.press("Calls/s")
        assert page.address == "sort=calls"
        page.reload()
        assert page.complaints() == []
        page.driver.get("about:blank")
        server.shutdown()
    assert {"/ops/shop/page/numbers", "/ops/shop/status", "/ops/shop/page/page.css"} <= set(
        Proxy.asked
    )


def test_under_tls_and_users(open_page, told, tmp_path):
    issuer = trustme.CA()
    pair = issuer.issue_cert("127.0.0.1")
    pair.private_key_pem.write_to_path(tmp_path / "exporter.key")
    pair.cert_chain_pems[0].write_to_path(tmp_path / "exporter.crt")
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(6)).decode()
    (tmp_path / "web.yml").write_text(
        "tls_server_config: {cert_file: exporter.crt, key_file: exporter.key}\n"
        f"basic_auth_users: {{ada: {hashed}}}\n"
    )
    many(told, 3, 5)
    with told.serve(web_config=tmp_path / "web.yml") as exporter:
        page = open_page(f"https://ada:secret@127.0.0.1:{exporter.port}/")
        page.until(lambda: page.cell(page.targets[0], "calls") == "0", "the rates")
        assert page.find("#connection").text == "Live"
        page.driver.get("about:blank")
