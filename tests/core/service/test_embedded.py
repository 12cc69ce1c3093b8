from __future__ import annotations

import subprocess
import sys

import pytest

from ancestry_core.exceptions import PedigreeError
from ancestry_core.service.embedded import EmbeddedService, find_root
from ancestry_core.service.faults import FaultRates
from ancestry_core.service.pedigree import Person, build_pedigree
from ancestry_core.service.settings import ServiceSettings

FAMILY = """0 HEAD
1 CHAR UTF-8
0 @I1@ INDI
1 NAME Anna /Old/
0 @I2@ INDI
1 NAME Ben /Old/
0 @I3@ INDI
1 NAME Cy /New/
0 @F1@ FAM
1 HUSB @I2@
1 CHIL @I1@
0 TRLR
"""


@pytest.fixture
def own_file(tmp_path):
    path = tmp_path / "own.ged"
    path.write_text(FAMILY)
    return path


def test_importing_and_making_it_starts_and_opens_nothing():
    code = (
        "import threading, ancestry_core.service as s; s.EmbeddedService();"
        "assert threading.active_count() == 1; import sys; assert 'requests' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_it_serves_between_start_and_stop(browse):
    with EmbeddedService(ServiceSettings(matches=5)) as service:
        url = service.base_url
        assert service.start() == url
        assert browse.get(f"{url}/account/signin", timeout=5).status_code == 200
    assert service.record.total == 1
    service.stop()
    with pytest.raises(RuntimeError) as caught:
        _ = service.base_url
    assert str(caught.value) == "the embedded service is not running; call start() first"


def test_before_the_start_there_is_nothing_to_look_at():
    service = EmbeddedService()
    for name in ("record", "population"):
        with pytest.raises(RuntimeError, match=r"was not started; call start\(\) first"):
            getattr(service, name)


def test_it_can_be_started_again_after_a_stop(start, browse):
    service = start()
    service.stop()
    assert browse.get(f"{service.start()}/account/signin", timeout=5).status_code == 200


def test_the_default_account_is_the_best_connected_of_the_royal_houses(start):
    service = start()
    assert service.population.account.person.name == "William Arthur Philip Windsor"
    assert service.population.relatives == 40
    assert service.warnings == ()


def test_ones_own_file_and_root_are_taken(start, own_file):
    service = start(gedcom=own_file, root="I2", matches=3)
    assert service.population.account.person.name == "Ben Old"
    assert service.population.matches[0].person.name == "Anna Old"
    assert service.population.relatives == 1


def test_a_root_without_relatives_is_said(start, own_file):
    service = start(gedcom=own_file, root="@I3@")
    (warning,) = service.warnings
    assert warning == (
        "nobody in the pedigree is related by blood to Cy New (I3); every match is simulated, "
        "choose another person with --root for real ones"
    )


def test_what_was_not_right_with_the_file_is_said(start, own_file):
    own_file.write_text(FAMILY.replace("0 TRLR\n", ""))
    assert start(gedcom=own_file, root="I2").warnings == (
        "the end is missing (no TRLR line); read as far as it goes",
    )


def test_a_root_who_is_not_there_is_named():
    pedigree = build_pedigree([Person("@I1@", "Ann", "")])
    with pytest.raises(PedigreeError) as caught:
        find_root(pedigree, "I9")
    assert str(caught.value) == (
        "nobody in the pedigree has the id I9; use one of its 1 ids, such as I1"
    )


@pytest.mark.parametrize("asked", ["I1", "@I1@"])
def test_a_root_may_be_written_with_and_without_its_signs(asked):
    assert find_root(build_pedigree([Person("@I1@", "Ann", "")]), asked) == "@I1@"


def test_faults_can_be_switched_while_it_runs(start, browse):
    service = start()
    url = f"{service.base_url}/api/treesui-list/trees"
    statuses = [browse.get(url, timeout=5).status_code]
    service.switch_faults(FaultRates(outage_length=2))
    statuses += [browse.get(url, timeout=5).status_code for _ in range(3)]
    assert statuses == [401, 503, 503, 401]


def test_the_record_is_readable_over_http_and_leaves_no_trace(start, browse):
    service = start()
    browse.get(f"{service.base_url}/account/signin", timeout=5)
    told = [
        browse.get(f"{service.base_url}/__service__/record", timeout=5).json() for _ in range(2)
    ]
    assert told[0] == told[1] == service.record.as_dict()
    assert told[0]["total"] == 1
    (request,) = told[0]["requests"]
    assert request["endpoint"] == "GET /account/signin"
    assert request["arrived"] <= request["finished"]
