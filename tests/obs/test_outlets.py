"""The ways out: first one object of them, then programs whose settings ask for them."""

from __future__ import annotations

import gc
import json
import logging
import os
import re
import signal
import threading
from dataclasses import replace

import pytest
import trustme
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.parser import text_string_to_metric_families

from ancestry_obs.metrics_exporter.file_sd import WORKER_LABEL
from ancestry_obs.metrics_exporter.push import LAST_SUCCESS
from ancestry_obs.outlets import Outlets
from ancestry_obs.settings import ObservabilitySettings

SETTINGS = ObservabilitySettings(enable_prometheus_metrics=True, metrics_export_port=0)


@pytest.fixture
def outlets():
    """Make outlets for a registry with one gauge; they are closed at the end."""
    made = []

    def make(settings=SETTINGS, status=dict):
        registry = CollectorRegistry()
        Gauge("up", "Up.", registry=registry).set(1)
        made.append(Outlets(settings, lambda: registry, status))
        return made[-1]

    yield make
    for each in made:
        each.close()


class TestReading:
    def test_what_is_not_served_is_rendered(self, outlets):
        assert "up 1.0" in outlets().read_back()

    @pytest.mark.live
    def test_what_is_served_is_fetched(self, outlets):
        asked = []
        way = outlets(status=lambda: asked.append(1) or {})
        way.start_exporter(None, None)
        assert "up 1.0" in way.read_back()

    @pytest.mark.live
    def test_an_exporter_that_does_not_answer_is_said_and_passed_by(self, outlets, caplog):
        way = outlets()
        way.start_exporter(None, None).stop()
        with caplog.at_level(logging.WARNING, logger="ancestry_obs"):
            assert "up 1.0" in way.read_back()
        assert "does not answer" in caplog.text

    @pytest.mark.parametrize("error", [RuntimeError("no page"), SystemExit("no page")])
    def test_a_page_that_cannot_be_made_is_said(self, outlets, caplog, error):
        way = outlets()
        way._registry().register(Broken(error))
        assert way.read_back() == ""
        assert caplog.messages == [f"metrics cannot be read back: {type(error).__name__}: no page"]

    @pytest.mark.live
    def test_one_that_is_served_either(self, outlets, caplog):
        way = outlets()
        way._registry().register(Broken(GeneratorExit("no page")))
        way.start_exporter(None, None)
        assert way.read_back() == ""
        assert "HTTP Error 500" in caplog.text


class Broken:
    def __init__(self, error):
        self.error = error

    def describe(self):
        return ()

    def collect(self):
        raise self.error


@pytest.mark.live
class TestServing:
    def test_what_serves_goes_on(self, outlets):
        way = outlets()
        first = way.start_exporter(None, None)
        assert way.start_exporter("127.0.0.1", 1) is first is way.exporter

    def test_from_many_threads_it_is_one(self, outlets):
        way, found, barrier = outlets(), [], threading.Barrier(8)

        def start():
            barrier.wait()
            found.append(way.start_exporter(None, None))

        threads = [threading.Thread(target=start) for _ in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert len({id(each) for each in found}) == 1

    def test_what_is_closed_starts_no_more(self, outlets):
        way = outlets()
        way.start_exporter(None, None)
        way.close()
        assert way.start_exporter(None, None) is None
        assert way.exporter is None

    def test_a_failure_is_kept_until_it_serves(self, outlets):
        way = outlets()
        taken = outlets().start_exporter(None, None).port
        assert way.start_exporter(None, taken) is None
        assert str(taken) in way.error
        way.start_exporter(None, 0)
        assert way.error == ""

    def test_logging_that_asks_for_it_again_ends(self, outlets, caplog):
        # As where the program's own log handler is a target with a hook.
        way = outlets()
        taken = outlets().start_exporter(None, None).port

        class Asking(logging.Handler):
            def emit(self, record):
                way.start_exporter(None, taken)

        handler = Asking()
        logger = logging.getLogger("ancestry_obs")
        logger.addHandler(handler)
        try:
            way.start_exporter(None, taken)
        finally:
            logger.removeHandler(handler)
        refusals = [each for each in caplog.messages if each.startswith("metrics are not served")]
        assert len(refusals) == 1

    def test_the_file_sd_entry_comes_and_goes_with_it(self, outlets, tmp_path):
        file = tmp_path / "workers.json"
        way = outlets(replace(SETTINGS, file_sd=str(file)))
        exporter = way.start_exporter(None, None)
        (entry,) = json.loads(file.read_text())
        assert entry["targets"] == [exporter.address]
        way.stop_exporter()
        assert json.loads(file.read_text()) == []

    def test_a_web_config_encrypts_and_is_told_to_prometheus(self, outlets, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        pair = trustme.CA().issue_cert("localhost")
        pair.cert_chain_pems[0].write_to_path("a.crt")
        pair.private_key_pem.write_to_path("a.key")
        text = "tls_server_config: {cert_file: a.crt, key_file: a.key}"
        (tmp_path / "web.yml").write_text(text)
        settings = replace(SETTINGS, file_sd=str(tmp_path / "sd.json"), web_config="web.yml")
        way = outlets(settings)
        monkeypatch.chdir("/")
        assert way.start_exporter(None, None).url.startswith("https://")
        (entry,) = json.loads((tmp_path / "sd.json").read_text())
        assert entry["labels"]["__scheme__"] == "https"
        # No certificate is asked for what is here already.
        assert "up 1.0" in way.read_back()

    def test_a_web_config_that_cannot_be_used_serves_nothing(self, outlets, tmp_path, caplog):
        way = outlets(replace(SETTINGS, web_config=str(tmp_path / "web.yml")))
        assert way.start_exporter(None, None) is None
        assert "metrics are not served: " in way.error
        assert way.error.endswith("No such file or directory; correct METRICS_WEB_CONFIG")
        assert caplog.messages == [way.error]

    def test_a_file_sd_that_cannot_be_written_is_said(self, outlets, tmp_path):
        file = tmp_path / "missing" / "workers.json"
        way = outlets(replace(SETTINGS, file_sd=str(file)))
        assert way.start_exporter(None, None) is not None
        assert way.error.startswith(f"cannot register in {file}: ")

    def test_a_file_sd_that_is_gone_at_the_end_is_said(self, outlets, tmp_path, caplog):
        folder = tmp_path / "there"
        folder.mkdir()
        way = outlets(replace(SETTINGS, file_sd=str(folder / "workers.json")))
        way.start_exporter(None, None)
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
        way.stop_exporter()
        assert "cannot register in" in caplog.text
        assert way.exporter is None


def test_outlets_that_nobody_uses_are_forgotten(outlets):
    way = Outlets(SETTINGS, CollectorRegistry(), dict)
    del way
    gc.collect()
    child = os.fork()
    if not child:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


ENDINGS = {
    "": True,
    "sys.exit(0)": True,
    "raise ValueError('end')": False,
    "ancestry_obs.mark_failed()\nsys.exit(1)": False,
}


class TestAtTheEnd:
    @pytest.mark.parametrize("ending", ENDINGS)
    def test_the_textfile_is_written(self, program, ending):
        file = program.folder / "shop.prom"
        file.write_text("what was there before")
        program(ending, METRICS_TEXTFILE=file)
        families = {each.name: each for each in text_string_to_metric_families(file.read_text())}
        assert families["ancestry_prices"].samples[0].value == 1
        assert [each.name for each in program.folder.glob(".shop*")] == []

    def test_a_textfile_that_cannot_be_written_is_a_warning(self, program):
        done = program(METRICS_TEXTFILE="missing/shop.prom")
        assert done.returncode == 0
        file = program.folder / "missing" / "shop.prom"
        assert done.stderr.startswith(f"metrics are not written: cannot write {file}: ")
        assert done.stderr.count("\n") == 1

    @pytest.mark.parametrize("error", ["ValueError", "SystemExit", "KeyboardInterrupt"])
    def test_a_collector_that_raises_is_a_warning(self, program, error):
        ending = f"""
class Broken:
    def collect(self):
        raise {error}("broken")
    def describe(self):
        return []
ancestry_obs.get_registry().register(Broken())
"""
        done = program(ending, METRICS_TEXTFILE="shop.prom")
        assert (done.returncode, done.stderr) == (0, f"metrics are not written: {error}: broken\n")

    def test_a_forked_child_leaves_that_to_its_parent(self, program):
        ending = """
child = os.fork()
if child:
    os.waitpid(child, 0)
    assert not os.path.exists("shop.prom")
"""
        done = program(ending, METRICS_TEXTFILE="shop.prom")
        assert (done.returncode, done.stderr) == (0, "")
        assert (program.folder / "shop.prom").exists()

    def test_after_uninstall_nothing_is_written(self, program):
        program("ancestry_obs.uninstall()", METRICS_TEXTFILE="shop.prom")
        assert not (program.folder / "shop.prom").exists()

    @pytest.mark.parametrize("ending", ENDINGS)
    def test_the_push_tells_of_success_only_after_success(self, program, gateway, ending):
        program(ending, METRICS_PUSH_URL=gateway.url)
        ((path, body),) = gateway.received
        assert re.fullmatch(r"/metrics/job/ancestry/instance/.+", path)
        assert "ancestry_prices_total 1.0" in body
        assert (LAST_SUCCESS in body) == ENDINGS[ending]

    def test_a_gateway_that_is_down_is_one_warning(self, program):
        done = program(METRICS_PUSH_URL="http://127.0.0.1:1")
        assert done.returncode == 0
        assert done.stderr.startswith("metrics were not pushed to http://127.0.0.1:1: ")
        assert done.stderr.count("\n") == 1


@pytest.mark.live
class TestFileSd:
    LOOK = "print(open('workers.json').read(), ancestry_obs.status().url)\n"

    def test_the_entry_is_there_while_the_program_runs(self, program):
        done = program(self.LOOK, hook=False, METRICS_FILE_SD="workers.json")
        assert done.stderr == ""
        text, url = done.stdout.rsplit(maxsplit=1)
        (entry,) = json.loads(text)
        assert f"http://{entry['targets'][0]}/metrics" == url
        assert json.loads((program.folder / "workers.json").read_text()) == []

    def test_with_a_hook_it_comes_with_the_hook(self, program):
        ending = "assert not os.path.exists('workers.json')\nshop.open_shop()\n" + self.LOOK
        done = program(ending, METRICS_FILE_SD="workers.json")
        assert (done.returncode, done.stderr) == (0, "")
        assert WORKER_LABEL in done.stdout
        assert json.loads((program.folder / "workers.json").read_text()) == []

    def test_an_exporter_for_an_own_registry_is_taken_out_too(self, program):
        ending = f"""
from prometheus_client import CollectorRegistry
ancestry_obs.uninstall()
ancestry_obs.install(registry=CollectorRegistry())
assert ancestry_obs.status().url == ""
ancestry_obs.start_exporter(port=0)
{self.LOOK}"""
        done = program(ending, METRICS_FILE_SD="workers.json")
        assert (done.returncode, done.stderr) == (0, "")
        assert WORKER_LABEL in done.stdout
        assert json.loads((program.folder / "workers.json").read_text()) == []

    def test_the_entry_goes_with_a_child_that_exits_at_once(self, program):
        ending = """
import json, warnings
warnings.simplefilter("ignore")  # the exporter has a thread, of which Python warns
child = os.fork()
if not child:
    ancestry_obs.start_exporter(port=0)
    entries = json.load(open("workers.json"))
    os._exit(len(entries))
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2
assert len(json.load(open("workers.json"))) == 1
"""
        done = program(ending, hook=False, METRICS_FILE_SD="workers.json")
        assert (done.returncode, done.stderr) == (0, "")

    def test_the_entry_of_a_killed_program_goes_with_the_next_one(self, program):
        kill = f"os.kill(os.getpid(), {signal.SIGKILL})"
        program(kill, hook=False, METRICS_FILE_SD="workers.json")
        (dead,) = json.loads((program.folder / "workers.json").read_text())
        done = program(self.LOOK, hook=False, METRICS_FILE_SD="workers.json")
        assert dead["labels"][WORKER_LABEL] not in done.stdout
        assert json.loads((program.folder / "workers.json").read_text()) == []
