from __future__ import annotations

import json
from typing import Any

import pytest

from ancestry_core.service.faults import Broken, FaultRates

LIST = "/discoveryui-matches/parents/list/api/matchList"
TREE = "/discoveryui-matches/parents/list/api/badges/matchesInTree"
SAMPLES = "/discoveryui-matchesservice/api"
PROFILE = "/app-api/express/v1/profiles/details"


def told(answer: Any) -> Any:
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


@pytest.fixture
def test_id(desk):
    return desk.application.population.account.test_id.lower()


@pytest.fixture
def matches(desk):
    return desk.application.population.matches


def of_match(test_id: str, match: Any, what: str) -> str:
    return f"{SAMPLES}/samples/{test_id}/matches/{match.sample_id.lower()}/{what}"


def test_the_account_is_told_about_itself(desk):
    account = desk.application.population.account
    me = told(desk.ask("GET", "/app-api/cdp-p13n/api/v1/users/me?attributes=ucdmid"))
    assert me == {"data": {"ucdmid": account.profile_id}}
    dna = told(desk.ask("GET", "/api/navheaderdata/v1/header/data/dna"))
    assert dna == {"testId": account.test_id}
    trees = told(desk.ask("GET", "/api/treesui-list/trees?rights=own"))
    assert trees == {"trees": [{"id": account.tree_id, "name": "Old Family Tree"}]}


def test_the_match_list_comes_in_pages(desk, test_id, matches):
    pages = [
        told(desk.ask("GET", f"{LIST}/{test_id}?itemsPerPage=25&currentPage={number}"))
        for number in (1, 2, 3, 4)
    ]
    assert {page["totalPages"] for page in pages} == {3}
    assert [len(page["matchList"]) for page in pages] == [25, 25, 10, 0]
    listed = [item["sampleId"] for page in pages for item in page["matchList"]]
    assert listed == [match.sample_id for match in matches]


def test_a_listed_match_has_the_shape_of_the_service(desk, test_id, matches):
    listed = told(desk.ask("GET", f"{LIST}/{test_id}"))["matchList"]
    assert len(listed) == 30
    assert listed[0] == {
        "sampleId": matches[0].sample_id,
        "matchProfile": {
            "displayName": matches[0].person.name,
            "userId": matches[0].profile_id,
            "displayInitials": matches[0].initials,
        },
        "relationship": {
            "sharedCentimorgans": 3400.0,
            "numSharedSegments": matches[0].dna.segments,
            "predictedRelationship": "Parent/Child",
        },
        "gender": matches[0].person.sex,
        "adminId": matches[0].admin_id,
        "adminName": matches[0].admin_name,
        "createdDate": matches[0].created_date,
        "treeId": matches[0].tree_id,
        "userTreePublic": matches[0].tree_is_public,
        "personCount": matches[0].person_count,
    }


@pytest.mark.parametrize("query", ["currentPage=0", "itemsPerPage=x", "currentPage=-1"])
def test_a_page_that_is_none_is_rejected(desk, test_id, query):
    assert desk.ask("GET", f"{LIST}/{test_id}?{query}").status == 400


def test_no_page_is_larger_than_the_service_allows(open_desk):
    desk = open_desk(matches=250)
    desk.sign_in()
    test_id = desk.application.population.account.test_id
    assert len(told(desk.ask("GET", f"{LIST}/{test_id}?itemsPerPage=999"))["matchList"]) == 200


def test_only_ones_own_test_may_be_seen(desk, test_id, matches):
    other = matches[0].sample_id
    assert desk.ask("GET", f"{LIST}/{other}").status == 403
    assert desk.ask("GET", of_match(other, matches[1], "details")).status == 403


def test_samples_in_the_tree_are_told_in_either_case(desk, test_id, matches):
    asked = [match.sample_id.lower() for match in matches] + ["nonsense", None]
    body = json.dumps({"sampleIds": asked}).encode()
    found = told(desk.ask("POST", f"{TREE}/{test_id.upper()}", body))
    assert found == [match.sample_id for match in matches if match.in_tree]
    assert len(found) == 9


def test_samples_must_be_a_list(desk, test_id):
    assert desk.ask("POST", f"{TREE}/{test_id}", b'{"sampleIds": "x"}').status == 400


def test_details_say_how_a_match_is_related(desk, test_id, matches):
    match = next(match for match in matches if match.person.id == "@F@")
    details = told(desk.ask("GET", of_match(test_id, match, "details")))
    assert details["userId"] == match.profile_id
    assert details["displayName"] == "Finn Old"
    assert details["subjectGender"] == "M"
    assert details["fathersSide"] is details["mothersSide"] is True
    assert details["relationship"] == {
        "sharedSegments": match.dna.segments,
        "longestSharedSegment": match.dna.longest,
        "meiosis": 2,
    }
    assert details["predictions"][0]["pathsToMatch"] == [{"label": "Full Sibling"}]


@pytest.mark.parametrize("what", ["details", "badgedetails"])
def test_a_match_that_is_not_there_is_not_found(desk, test_id, what):
    assert desk.ask("GET", f"{SAMPLES}/samples/{test_id}/matches/none/{what}").status == 404


def test_a_profile_says_when_and_whether(desk, matches):
    answer = told(desk.ask("GET", f"{PROFILE}?userId={matches[0].profile_id.lower()}"))
    assert answer["displayName"] == matches[0].person.name
    assert answer["FirstName"] == matches[0].person.name.split()[0]
    assert answer["IsContactable"] is matches[0].is_contactable


def test_last_sign_ins_follow_the_calendar_and_not_the_second(desk, matches):
    def last() -> str:
        url = f"{PROFILE}?userId={matches[0].profile_id}"
        return told(desk.ask("GET", url))["LastLoginDate"]

    first = last()
    desk.clock.now += 60
    assert last() == first
    desk.clock.now += 86_400
    desk.ask("GET", "/account/settings")  # the session is over by then
    assert last() > first


def test_a_profile_that_is_not_there_is_not_found(desk):
    assert desk.ask("GET", f"{PROFILE}?userId=nobody").status == 404
    assert desk.ask("GET", PROFILE).status == 404


def test_a_badge_is_of_the_person_in_the_tree(desk, test_id, matches):
    match = next(match for match in matches if match.person.id == "@B@")
    assert told(desk.ask("GET", of_match(test_id, match, "badgedetails"))) == {
        "personBadged": {
            "personId": "B",
            "firstName": "Bea",
            "lastName": "Old",
            "birthYear": 1927,
        }
    }


def test_who_is_not_in_the_tree_has_no_badge(desk, test_id, matches):
    match = next(match for match in matches if not match.in_tree)
    assert desk.ask("GET", of_match(test_id, match, "badgedetails")).status == 404


def test_regions_are_compared(desk, test_id, matches):
    url = f"{SAMPLES}/compare/{test_id}/with/{matches[0].sample_id}/ethnicity"
    comparisons = told(desk.ask("GET", url))["comparisons"]
    assert [tuple(item.values()) for item in comparisons] == list(matches[0].ethnicity)
    assert set(comparisons[0]) == {"resourceId", "leftSum", "rightSum"}
    assert sum(item["leftSum"] for item in comparisons) == 100


@pytest.mark.parametrize("kind", [Broken.DETAILS, Broken.PROFILES])
def test_what_is_broken_for_good_always_answers_500(open_desk, kind):
    desk = open_desk(faults=FaultRates(**{kind.value: 3}))
    desk.sign_in()
    population = desk.application.population
    urls = {
        Broken.DETAILS: lambda match: of_match(population.account.test_id, match, "details"),
        Broken.PROFILES: lambda match: f"{PROFILE}?userId={match.profile_id.lower()}",
    }
    for _ in range(2):
        statuses = [desk.ask("GET", urls[kind](m)).status for m in population.matches]
        assert statuses.count(500) == 3
        assert statuses.count(200) == 57
