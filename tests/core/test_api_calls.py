import json

import pytest

from ancestry_core.api_calls import ApiCalls
from ancestry_core.api_responses import ApiResponse
from ancestry_core.exceptions import ServiceError, UncertainSendError

ME, TEST = "ABCD0001", "7E57-ABCD"


class Recorded(ApiCalls):
    """Gives one prepared answer, and keeps what was asked for."""

    def __init__(self, payload, status=200):
        self.profile_id, self.dna_test_id = ME, TEST
        self.payload, self.status = payload, status

    def _api_req_with_auth_refresh(self, url, method="GET", **options):
        self.url, self.method = url, method
        self.options = {name: value for name, value in options.items() if value is not None}
        body = json.dumps(self.payload).encode()
        return ApiResponse(self.status, url, {"Content-Type": "application/json"}, body)


MATCHES = "discoveryui-matches/parents/list/api"
SAMPLES = "discoveryui-matchesservice/api"
INBOX = "app-api/express/v2/conversations"

READS = [
    (
        lambda api: api.fetch_csrf_token(),
        {"csrfToken": "t"},
        "t",
        "discoveryui-matches/parents/api/csrfToken",
        {},
    ),
    (
        lambda api: api.fetch_profile_id(),
        {"data": {"ucdmid": "ab-1"}},
        "AB-1",
        "app-api/cdp-p13n/api/v1/users/me",
        {"params": {"attributes": "ucdmid"}, "cache_as": ("account", "me", "")},
    ),
    (
        lambda api: api.fetch_test_id(),
        {"testId": "t1"},
        "t1",
        "api/navheaderdata/v1/header/data/dna",
        {"cache_as": ("account", "dna", "")},
    ),
    (
        lambda api: api.fetch_trees(),
        {"trees": [{"id": "1", "name": "n"}]},
        [{"id": "1", "name": "n"}],
        "api/treesui-list/trees",
        {"params": {"rights": "own"}, "cache_as": ("account", "trees", "")},
    ),
    (
        lambda api: api.fetch_match_page(2, 50),
        {"totalPages": 3, "matchList": []},
        {"totalPages": 3, "matchList": []},
        f"{MATCHES}/matchList/7e57-abcd",
        {"params": {"itemsPerPage": "50", "currentPage": "2"}},
    ),
    (
        lambda api: api.fetch_match_details("S1"),
        {"userId": "u", "relationship": {}},
        {"userId": "u", "relationship": {}},
        f"{SAMPLES}/samples/7e57-abcd/matches/s1/details",
        {"params": {"pmparentaldata": "true"}, "cache_as": ("matches", "details", "s1")},
    ),
    (
        lambda api: api.fetch_profile("U1"),
        {"IsContactable": True},
        {"IsContactable": True},
        "app-api/express/v1/profiles/details",
        {"params": {"userId": "u1"}, "cache_as": ("profiles", "details", "u1")},
    ),
    (
        lambda api: api.fetch_badge("S1"),
        {"personBadged": {"personId": "p"}},
        {"personId": "p"},
        f"{SAMPLES}/samples/7e57-abcd/matches/s1/badgedetails",
        {"cache_as": ("matches", "badgedetails", "s1")},
    ),
    (
        lambda api: api.fetch_ethnicity("S1"),
        {"comparisons": []},
        [],
        f"{SAMPLES}/compare/7e57-abcd/with/s1/ethnicity",
        {"cache_as": ("matches", "ethnicity", "s1")},
    ),
    (
        lambda api: api.fetch_conversations(),
        {"conversations": []},
        {"conversations": []},
        INBOX,
        {"params": {"q": "user:abcd0001", "limit": "20"}},
    ),
    (
        lambda api: api.fetch_conversations("c1", 5),
        {"conversations": []},
        {"conversations": []},
        INBOX,
        {"params": {"q": "user:abcd0001", "limit": "5", "cursor": "c1"}},
    ),
    (
        lambda api: api.fetch_messages("c1"),
        {"messages": []},
        [],
        f"{INBOX}/c1/messages",
        {"params": {"limit": "5"}},
    ),
]


@pytest.mark.parametrize(("call", "payload", "result", "url", "options"), READS)
def test_a_read_asks_for_and_gives_what_the_service_has(call, payload, result, url, options):
    api = Recorded(payload)
    assert call(api) == result
    assert (api.method, api.url, api.options) == ("GET", url, options)


@pytest.mark.parametrize("payload", [{}, [], None, "text", {"data": {}}])
@pytest.mark.parametrize("call", [read[0] for read in READS])
def test_an_answer_of_another_shape_is_a_service_error(call, payload):
    with pytest.raises(ServiceError) as caught:
        call(Recorded(payload))
    assert str(caught.value).endswith(
        " is missing); the service may have changed, or ANCESTRY_BASE_URL is not its address"
    )


PAGE = {"totalPages": 1, "matchList": [{}]}
TALK = {"id": "c1", "last_message": {"created": 5}, "members": []}


@pytest.mark.parametrize(
    ("call", "payload", "wanted"),
    [
        (lambda api: api.fetch_trees(), {"trees": None}, "a list of 'trees'"),
        (lambda api: api.fetch_trees(), {"trees": [{"name": "n"}]}, "'id'"),
        (lambda api: api.fetch_match_page(1), {**PAGE, "totalPages": "1"}, "a number in 'total"),
        (lambda api: api.fetch_match_page(1), {**PAGE, "matchList": {}}, "a list in 'matchList'"),
        (lambda api: api.fetch_match_page(1), {**PAGE, "matchList": [1]}, "a list in 'matchList'"),
        (lambda api: api.fetch_in_tree(["s"]), ["s", None], "a list"),
        (
            lambda api: api.fetch_conversations(),
            {"conversations": [TALK, {**TALK, "last_message": None}]},
            "'created'",
        ),
        (lambda api: api.fetch_conversations(), {"conversations": [{"id": "c1"}]}, "'last_mess"),
        (lambda api: api.fetch_messages("c1"), {"messages": ["Hello"]}, "a list of 'messages'"),
    ],
)
def test_what_a_whole_page_hangs_on_is_checked(call, payload, wanted):
    with pytest.raises(ServiceError) as caught:
        call(Recorded(payload))
    assert f"the answer has not the expected shape ({wanted}" in str(caught.value)


def test_what_is_odd_about_one_item_is_left_to_its_reader():
    assert Recorded(PAGE).fetch_match_page(1) == PAGE
    assert Recorded({"conversations": [TALK]}).fetch_conversations()["conversations"] == [TALK]


@pytest.mark.parametrize("call", [read[0] for read in READS])
def test_what_is_not_there_is_a_service_error_with_its_status(call):
    with pytest.raises(ServiceError, match="404 Not Found; what was asked for") as caught:
        call(Recorded({}, status=404))
    assert caught.value.status == 404


def test_asking_which_matches_are_in_the_tree_is_a_post_that_sends_nothing_to_anybody():
    api = Recorded(["s1"])
    assert api.fetch_in_tree(["S1", "S2"]) == ["s1"]
    assert (api.method, api.url) == ("POST", f"{MATCHES}/badges/matchesInTree/7E57-ABCD")
    assert api.options == {"json": {"sampleIds": ["s1", "s2"]}}
    with pytest.raises(ServiceError, match="a list is missing"):
        Recorded({}).fetch_in_tree([])


def test_a_new_message_names_both_members():
    api = Recorded({"conversation_id": "c9", "message": {"author": ME.lower()}})
    assert api.send_new_message("THEM01", "Hello") == "c9"
    assert (api.method, api.url, api.options["send"]) == ("POST", f"{INBOX}/message", True)
    assert api.options["json"] == {
        "content": "Hello",
        "author": "abcd0001",
        "index": 0,
        "created": 0,
        "conversation_members": [
            {"user_id": "them01", "family_circles": []},
            {"user_id": "abcd0001"},
        ],
    }


def test_a_reply_goes_into_its_conversation():
    api = Recorded({"author": ME})
    assert api.send_reply("c9", "Hi") is None
    assert (api.method, api.url) == ("POST", f"{INBOX}/c9")
    assert api.options == {"json": {"content": "Hi", "author": "abcd0001"}, "send": True}


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ([], "the answer is no object"),
        ({"conversation_id": "c9"}, "the answer names another author"),
        ({"conversation_id": "c9", "message": None}, "the answer names another author"),
        ({"conversation_id": "c9", "message": {"author": "x"}}, "the answer names another author"),
        ({"message": {"author": ME}}, "the answer names no conversation"),
    ],
)
def test_a_send_that_is_not_confirmed_is_uncertain(payload, reason):
    with pytest.raises(UncertainSendError) as caught:
        Recorded(payload).send_new_message("them", "Hello")
    assert str(caught.value).startswith(f"POST {INBOX}/message: {reason}, so the message may")


def test_a_reply_by_somebody_else_is_uncertain():
    with pytest.raises(UncertainSendError, match="names another author"):
        Recorded({"author": "x"}).send_reply("c9", "Hi")


def test_a_send_to_a_conversation_that_is_gone_did_not_arrive():
    with pytest.raises(ServiceError, match="410 Gone"):
        Recorded({}, status=410).send_reply("c9", "Hi")
