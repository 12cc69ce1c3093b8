from __future__ import annotations

import base64
import itertools
import re
import string
import sys
import weakref
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ancestry_obs.expressions.endpoints import _numbered, _words, endpoint

UUID = "0a1b2c3d-4e5f-6789-abcd-ef0123456789"
PROFILE = "08A1B2C3-0006-0000-0000-000000000000"

# The service's own calls, with ids put in, and the template that a dashboard shows for each.
SERVICE = {
    "discoveryui-matches/parents/api/csrfToken": "/discoveryui-matches/parents/api/csrfToken",
    "app-api/cdp-p13n/api/v1/users/me?attributes=ucdmid": "/app-api/cdp-p13n/api/v1/users/me",
    "api/navheaderdata/v1/header/data/dna": "/api/navheaderdata/v1/header/data/dna",
    "api/treesui-list/trees?rights=own": "/api/treesui-list/trees",
    f"discoveryui-matches/parents/list/api/matchList/{UUID}?itemsPerPage=30&currentPage=2": (
        "/discoveryui-matches/parents/list/api/matchList/:id"
    ),
    f"discoveryui-matches/parents/list/api/badges/matchesInTree/{UUID.upper()}": (
        "/discoveryui-matches/parents/list/api/badges/matchesInTree/:id"
    ),
    f"discoveryui-matchesservice/api/samples/{UUID}/matches/{UUID}/details?pmparentaldata=true": (
        "/discoveryui-matchesservice/api/samples/:id/matches/:id/details"
    ),
    f"app-api/express/v1/profiles/details?userId={PROFILE}": "/app-api/express/v1/profiles/details",
    f"discoveryui-matchesservice/api/samples/{UUID}/matches/{UUID}/badgedetails": (
        "/discoveryui-matchesservice/api/samples/:id/matches/:id/badgedetails"
    ),
    f"discoveryui-matchesservice/api/compare/{UUID}/with/{UUID}/ethnicity": (
        "/discoveryui-matchesservice/api/compare/:id/with/:id/ethnicity"
    ),
    f"app-api/express/v2/conversations?q=user:{PROFILE}&limit=50&cursor=x1": (
        "/app-api/express/v2/conversations"
    ),
    "app-api/express/v2/conversations/55417/messages?limit=5": (
        "/app-api/express/v2/conversations/:id/messages"
    ),
    "app-api/express/v2/conversations/message": "/app-api/express/v2/conversations/message",
    f"app-api/express/v2/conversations/{PROFILE}": "/app-api/express/v2/conversations/:id",
    "/account/signin": "/account/signin",
}


@pytest.mark.parametrize(("url", "template"), SERVICE.items())
@pytest.mark.parametrize("origin", ["", "/", "https://www.example.org/", "http://127.0.0.1:8080/"])
def test_the_calls_of_the_service(origin, url, template):
    assert endpoint(origin + url.lstrip("/")) == template


WORDS = [
    "users",
    "me",
    "a",
    "v1",
    "v12",
    "api2",
    "oauth2",
    "p13n",
    "utf8",
    "URL",
    "API",
    "getDNAMatches",
    "matchesInTree",
    "sign-in",
    "sign_in",
    "csrf.token",
    "robots.txt",
    "app.min.js",
    "index.html",
    "__service__",
    "_private",
    ".well-known",
    "cdp-p13n",
    "openid-configuration",
]


@pytest.mark.parametrize("word", WORDS)
def test_words_stay(word):
    assert endpoint(f"/x/{word}/y") == f"/x/{word}/y"


@pytest.mark.parametrize("word", WORDS)
def test_words_stay_beside_numbers(word):
    assert endpoint("/beside/numbers/42") == "/beside/numbers/:id"
    assert endpoint(f"/beside/numbers/{word}") == f"/beside/numbers/{word}"


VARIABLES = [
    "1",
    "42",
    "123",
    "007",
    "2024-05-01",
    "4e5",
    "u123",
    "item-42",
    "A1B2",
    "deadbeef",
    "DEADBEEF",
    "dGhpc2lzYXRlc3Q",
    "dGhpcyBpcyBpdA==",
    "eyJhbGciOiJI.x.y",
    "xKdQpLmWzTrNcVbH",
    "joe@example.org",
    "joe%40example.org",
    "J%C3%BCrgen",
    "Jürgen",
    "a+b",
    "~joe",
    "a,b",
    "a:b",
    "user:42",
    "k=v",
    "page;jsessionid=1",
    "..",
    "-",
    "%00",
]


@pytest.mark.parametrize(
    "variable", [*VARIABLES, UUID, PROFILE, UUID.replace("-", ""), "a b", "\t", "x" * 25]
)
def test_everything_else_is_hidden(variable):
    assert endpoint(f"/x/{variable}/y") == "/x/:id/y"


@pytest.mark.parametrize(
    ("url", "template"),
    [
        ("", "/"),
        ("/", "/"),
        ("//", "/"),
        ("?a=1", "/"),
        ("#top", "/"),
        ("https://host", "/"),
        ("https://host?a=1", "/"),
        ("https://user:secret@host:8443/a/b/", "/a/b"),
        ("//host/a", "/a"),
        ("user:secret@host/a", "/:id/a"),
        ("a//b///c/", "/a/b/c"),
        ("/a?next=https://x/b", "/a"),
        ("/a#b?c", "/a"),
        ("/go/https://user:secret@host/b", "/go/:id/:id/b"),
        ("mailto:joe@example.org", "/:id"),
    ],
)
def test_forms_of_urls(url, template):
    assert endpoint(url) == template


def test_a_template_has_a_limited_length():
    template = endpoint("/word" * 200)
    assert template.endswith("/word/:rest")
    assert len(template) <= 206


@pytest.mark.parametrize("url", [None, 7, b"/x"])
def test_what_is_no_text_is_refused(url):
    with pytest.raises((AttributeError, TypeError)):
        endpoint(url)


def test_a_path_of_many_segments_is_looked_at_as_far_as_it_shows():
    _words.clear()
    many = "/".join(
        f"q{chr(97 + number % 26) * (number // 26 % 20 + 1)}" for number in range(10**5)
    )
    assert endpoint(f"/x/{many}").endswith("/:rest")
    assert len(_words) <= 201
    assert endpoint("/" * 300 + "api/v1") == "/:id"


KNOWN = endpoint.__self__


def test_what_is_remembered_of_urls_is_bounded_in_number_and_in_bytes():
    KNOWN.clear()
    for number in range(3000):
        endpoint(f"/a/{number}/" + "\N{SNOWMAN}" * 500)
        assert len(KNOWN) <= 1024
    assert KNOWN
    for number in range(1200):
        endpoint(f"/a/{number}/" + "q" * 200_000)
    assert max(map(len, KNOWN)) <= 512
    # Four bytes for a character at the most, and the template.
    assert sum(sys.getsizeof(each) for item in KNOWN.items() for each in item) < 3_000_000


def test_what_is_remembered_of_segments_is_words_and_bounded():
    _words.clear()
    letters = string.ascii_lowercase
    for first, second, third in itertools.product(letters, letters, "bcdfg"):
        endpoint(f"/{first}{second}{third}/{first * 20}-{second * 20}-{third * 24}-{first}/{UUID}")
        assert len(_words) <= 1024
    assert _words
    assert UUID not in _words
    assert max(map(len, _words)) <= 64


def test_what_is_remembered_of_paths_above_numbers_is_bounded():
    _numbered.clear()
    for first, second in itertools.product(string.ascii_lowercase, repeat=2):
        for third in "bcdfg":
            endpoint(f"/{first}/{second}x/{third}/1")
            assert len(_numbered) <= 1024
    assert _numbered
    _numbered.clear()
    endpoint("/" + "q/" * 300 + "1")
    endpoint(f"/x/{UUID}/1")
    assert not _numbered


def test_a_text_of_another_class_is_not_kept():
    class Text(str):
        __slots__ = ("__weakref__", "attachment")

    text = Text("/kept/by/nobody")
    watcher = weakref.ref(text)
    assert endpoint(text) == "/kept/by/nobody"
    del text
    assert watcher() is None


digits = st.integers(0, 10**12).map(str)
# These three characters end a segment or the path.
emails = st.emails().filter(lambda address: not set(address) & set("/?#"))
encoded = st.text(min_size=1, max_size=12).map(lambda text: quote(text, safe=""))
secrets = st.one_of(
    digits,
    st.uuids().map(str),
    st.uuids().map(lambda uuid: str(uuid).upper()),
    st.binary(min_size=4, max_size=20).map(bytes.hex),
    emails,
    encoded.filter(lambda text: "%" in text),
)
words = st.sampled_from(["api", "v2", "users", "matchList", "list"])


@given(st.lists(st.one_of(words, secrets), max_size=6), st.sampled_from(["", "https://u:pw@h:1"]))
def test_no_id_of_any_kind_survives(segments, origin):
    template = endpoint(f"{origin}/{'/'.join(segments)}")
    kept = template.split("/")[1:] if segments else []
    allowed = ["api", "v2", "users", "matchList", "list"]
    assert kept == [segment if segment in allowed else ":id" for segment in segments if segment]


@given(st.text(max_size=80))
@example("/a1b2c3/x")
@example("/abcdef01-x")
def test_whatever_comes_in_the_template_is_harmless(url):
    template = endpoint(url)
    assert template.startswith("/")
    assert set(template) <= set(string.ascii_letters + string.digits + "/:._-")
    assert not re.search(r"[0-9]{3}|[0-9A-Fa-f]{8}|//", template)
    assert template.count(":") == template.count(":id")
    assert endpoint(template.replace(":id", "1")) == template


numbers = st.from_regex(r"\A\d[^/?#]{0,8}\d?\Z")
above = st.one_of(
    st.text(max_size=40),
    st.lists(words).map("/".join),
    st.builds("https://{}{}".format, st.text(max_size=10), st.lists(words).map("/".join)),
    st.text(alphabet="/a:0?#", max_size=12),
)


@given(above, numbers, numbers, st.sampled_from(["", "?a=1/2", "#/3"]))
@example("https:/", "1", "2", "")
@example("/", "1", "2", "")
@example("", "1", "2", "")
@example("https://host", "1", "2", "?a")
@example("a/" * 120, "1", "2", "")
def test_a_number_below_a_path_that_is_known_has_the_template_that_it_had(
    above, first, second, query
):
    def forget():
        KNOWN.clear()
        _numbered.clear()

    forget()
    expected = endpoint(f"{above}/{second}{query}")
    forget()
    endpoint(f"{above}/{first}")
    assert endpoint(f"{above}/{second}{query}") == expected


@given(words, st.text(max_size=20), st.text(alphabet=string.ascii_letters, max_size=10))
def test_query_and_fragment_never_matter(word, query, fragment):
    assert endpoint(f"/{word}?{query}#{fragment}") == f"/{word}"


@given(st.binary(min_size=15, max_size=40))
def test_random_tokens_are_hidden(raw):
    token = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    # One without a single digit may look like words; nobody can tell it from them.
    if sum(character.isdigit() for character in token) > 2:
        assert endpoint(f"/x/{token}") == "/x/:id"
