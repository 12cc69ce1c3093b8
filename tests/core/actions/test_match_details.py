from __future__ import annotations

import pytest

from ancestry_core.actions.match_details import (
    DetailReader,
    fingerprint_of,
    profile_columns,
    sample_id_of,
    unix_seconds,
)
from ancestry_core.actions.patience import Patience
from ancestry_core.exceptions import RequestFailed

LISTED = {
    "sampleId": "s-1",
    "matchProfile": {"displayName": "Ada", "userId": "p-1"},
    "relationship": {
        "sharedCentimorgans": 120,
        "numSharedSegments": 6,
        "predictedRelationship": "2nd cousin",
    },
    "treeId": "t9",
    "userTreePublic": True,
    "personCount": 12,
    "adminName": "Ada",
}
DETAILS = {
    "userId": "p-1",
    "displayName": "Ada",
    "subjectGender": "F",
    "fathersSide": True,
    "mothersSide": False,
    "relationship": {"sharedSegments": 6, "longestSharedSegment": 30.5, "meiosis": 5},
    "predictions": [
        {"distributionProbability": 20.0, "pathsToMatch": [{"label": "1C1R"}]},
        {"distributionProbability": 70.0, "pathsToMatch": [{"label": "2C"}, {"label": "H1C1R"}]},
    ],
}
PROFILE = {
    "LastLoginDate": "1970-01-02T00:00:00Z",
    "IsContactable": True,
    "FirstName": "Ada",
    "displayName": "Ada",
}


class Api:
    """Answers the calls per match, and notes them."""

    def __init__(self, details=DETAILS, profile=PROFILE):
        self.calls = []
        self.details = details
        self.profile = profile

    def fetch_match_details(self, sample_id):
        self.calls.append("details")
        return self.details

    def fetch_profile(self, user_id):
        self.calls.append("profile")
        if isinstance(self.profile, Exception):
            raise self.profile
        return self.profile

    def fetch_badge(self, sample_id):
        self.calls.append("badge")
        return {"personId": "i5", "firstName": "Ada", "lastName": "Byron", "birthYear": "1815"}

    def fetch_ethnicity(self, sample_id):
        self.calls.append("ethnicity")
        return [{"resourceId": "1", "leftSum": 1, "rightSum": 2}]


def read(api, clock, listed=LISTED, *, in_my_tree=True):
    fingerprint = fingerprint_of(listed, in_my_tree=in_my_tree)
    return DetailReader(api, Patience(clock.sleep), "T1").read(listed, fingerprint)


def test_a_close_match_in_the_tree_takes_every_call(clock):
    api = Api()
    record = read(api, clock)
    assert sorted(api.calls) == ["badge", "details", "ethnicity", "profile"]
    assert record.person == {
        "profile_id": "P-1",
        "display_name": "Ada",
        "gender": "F",
        "first_name": "Ada",
        "contactable": True,
        "last_login": 86_400,
    }
    assert record.match["sample_id"] == "S-1"
    assert record.match["tree_id"] == "T9"
    assert record.match["likely_path"] == "2C or H1C1R"
    assert record.match["likely_path_probability"] == 70.0
    assert record.tree["birth_year"] == 1815
    assert record.tree["tree_person_id"] == "I5"


def test_a_distant_match_outside_the_tree_takes_two(clock):
    api = Api()
    listed = {**LISTED, "relationship": {**LISTED["relationship"], "sharedCentimorgans": 89.9}}
    record = read(api, clock, listed, in_my_tree=False)
    assert sorted(api.calls) == ["details", "profile"]
    assert (record.tree, record.match["ethnicity"]) == (None, None)


def test_a_match_whose_profile_fails_is_read_all_the_same(clock, caplog):
    record = read(Api(profile=RequestFailed("GET profiles: 500")), clock)
    assert record.person["contactable"] is None
    assert "stored without its profile: GET profiles: 500" in caplog.text


def test_a_match_without_a_profile_has_none(clock):
    listed = {**LISTED, "matchProfile": {"displayName": "Ada", "userId": None}}
    api = Api(details={**DETAILS, "userId": None})
    assert read(api, clock, listed).person["profile_id"] is None
    assert "profile" not in api.calls


def test_a_match_without_predictions_has_no_path(clock):
    record = read(Api(details={**DETAILS, "predictions": []}), clock)
    assert record.match["likely_path"] is None


def test_ids_are_upper_case_and_a_missing_tree_is_none():
    assert sample_id_of(LISTED) == "S-1"
    assert fingerprint_of({**LISTED, "treeId": ""}, in_my_tree=False).tree_id is None


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ("1970-01-02T00:00:00Z", 86_400),
        ("1970-01-02T02:00:00+02:00", 86_400),
        ("1970-01-02", 86_400),
        ("", None),
        (None, None),
        ("yesterday", None),
    ],
)
def test_times(stamp, expected):
    assert unix_seconds(stamp) == expected


def test_an_unknown_profile_is_unknown():
    assert set(profile_columns(None).values()) == {None}
