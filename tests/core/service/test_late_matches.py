"""Matches that turn up while the list is being read, as they do at the real service."""

from __future__ import annotations

import json


def page(desk, number, size=20):
    test = desk.application.population.account.test_id
    url = f"/discoveryui-matches/parents/list/api/matchList/{test}"
    answer = desk.ask("GET", f"{url}?itemsPerPage={size}&currentPage={number}")
    return [match["sampleId"] for match in json.loads(answer.body)["matchList"]]


def test_pages_shift_by_the_matches_that_turn_up(open_desk):
    from ancestry_core.service.faults import FaultRates

    desk = open_desk(faults=FaultRates(late_matches=2))
    desk.sign_in()
    first, second = page(desk, 1), page(desk, 2)
    assert second[:2] == first[-2:]
    late = set(page(desk, 1)) - set(first)
    assert len(late) == 2


def test_without_late_matches_no_page_repeats_another(desk):
    pages = [page(desk, number) for number in (1, 2, 3)]
    assert len({sample for each in pages for sample in each}) == 60
