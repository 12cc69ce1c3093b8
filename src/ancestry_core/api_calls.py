"""The calls of the service's API, typed, one method per call.

In: ids in any case. Out: the part of the answer that is of use, its keys checked. How a request
is sent, repeated and cached is `APIManager`'s affair, which inherits from this.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from http import HTTPMethod
from typing import TYPE_CHECKING, Any, cast

from ancestry_core.api_policy import uncertain
from ancestry_core.api_responses import status_text
from ancestry_core.api_shapes import list_of, unusable, with_keys
from ancestry_core.exceptions import ServiceError
from ancestry_core.unified_cache_manager import CacheKey

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ancestry_core.api_payloads import (
        BadgedPerson,
        ConversationPage,
        Ethnicity,
        MatchDetails,
        MatchPage,
        Message,
        Profile,
        Tree,
    )
    from ancestry_core.api_responses import ApiResponse

_MATCH_LIST = "discoveryui-matches/parents/list/api"
_SAMPLES = "discoveryui-matchesservice/api"
_MESSAGING = "app-api/express/v2/conversations"


class ApiCalls(ABC):
    """The typed calls, over a request method that a subclass provides.

    Attributes:
        profile_id: The account's own profile id, upper-case; empty before it is known.
        dna_test_id: The id of the account's own DNA test; empty before it is known.
    """

    profile_id = ""
    dna_test_id = ""

    @abstractmethod
    def _api_req_with_auth_refresh(  # noqa: PLR0913 - each is a part of an HTTP request
        self,
        url: str,
        method: str = "GET",
        *,
        params: Mapping[str, str] | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        cache_as: CacheKey | None = None,
        send: bool = False,
        timeout: float | None = None,
    ) -> ApiResponse:
        """Send a request; see `APIManager`."""

    def fetch_csrf_token(self) -> str:
        """Fetch the token that requests carry in `X-CSRF-Token`."""
        answer = self._fetch("discoveryui-matches/parents/api/csrfToken", "csrfToken")
        return str(answer["csrfToken"])

    def fetch_profile_id(self) -> str:
        """Fetch the account's own profile id, upper-case."""
        url = "app-api/cdp-p13n/api/v1/users/me"
        answer = self._fetch(
            url, "data", params={"attributes": "ucdmid"}, cache_as=CacheKey("account", "me", "")
        )
        return str(with_keys(answer["data"], ("ucdmid",), url)["ucdmid"]).upper()

    def fetch_test_id(self) -> str:
        """Fetch the id of the account's own DNA test, as the service writes it."""
        url = "api/navheaderdata/v1/header/data/dna"
        return str(self._fetch(url, "testId", cache_as=CacheKey("account", "dna", ""))["testId"])

    def fetch_trees(self) -> list[Tree]:
        """Fetch the account's own trees."""
        url = "api/treesui-list/trees"
        answer = self._fetch(
            url, "trees", params={"rights": "own"}, cache_as=CacheKey("account", "trees", "")
        )
        for tree in list_of(answer["trees"], dict, "a list of 'trees'", url):
            with_keys(tree, ("id",), url)
        return cast("list[Tree]", answer["trees"])

    def fetch_match_page(self, page: int, per_page: int = 30) -> MatchPage:
        """Fetch a page of the match list.

        Args:
            page: From 1.
            per_page: Matches on a page.

        Returns:
            The page, with the number of all pages.
        """
        url = f"{_MATCH_LIST}/matchList/{self.dna_test_id.lower()}"
        params = {"itemsPerPage": str(per_page), "currentPage": str(page)}
        answer = self._fetch(url, "totalPages", "matchList", params=params)
        list_of(answer["matchList"], dict, "a list in 'matchList'", url)
        if not isinstance(answer["totalPages"], int):
            raise unusable(url, "a number in 'totalPages'")
        return cast("MatchPage", answer)

    def fetch_in_tree(self, sample_ids: Sequence[str]) -> list[str]:
        """Ask which matches are in the account's tree.

        Args:
            sample_ids: The matches to ask about.

        Returns:
            Those of them that are.
        """
        url = f"{_MATCH_LIST}/badges/matchesInTree/{self.dna_test_id.upper()}"
        answer = self._fetch(
            url, method=HTTPMethod.POST, json={"sampleIds": [each.lower() for each in sample_ids]}
        )
        return cast("list[str]", list_of(answer, str, "a list", url))

    def fetch_match_details(self, sample_id: str) -> MatchDetails:
        """Fetch segments and predictions of a match."""
        answer = self._fetch(
            self._match_url(sample_id, "details"),
            "userId",
            "relationship",
            params={"pmparentaldata": "true"},
            cache_as=CacheKey("matches", "details", sample_id.lower()),
        )
        return cast("MatchDetails", answer)

    def fetch_profile(self, user_id: str) -> Profile:
        """Fetch an account's public profile."""
        answer = self._fetch(
            "app-api/express/v1/profiles/details",
            "IsContactable",
            params={"userId": user_id.lower()},
            cache_as=CacheKey("profiles", "details", user_id.lower()),
        )
        return cast("Profile", answer)

    def fetch_badge(self, sample_id: str) -> BadgedPerson:
        """Fetch a match's person in the account's tree."""
        answer = self._fetch(
            self._match_url(sample_id, "badgedetails"),
            "personBadged",
            cache_as=CacheKey("matches", "badgedetails", sample_id.lower()),
        )
        return cast("BadgedPerson", answer["personBadged"])

    def fetch_ethnicity(self, sample_id: str) -> list[Ethnicity]:
        """Fetch the comparison of regions with a match."""
        mine, match = self.dna_test_id.lower(), sample_id.lower()
        answer = self._fetch(
            f"{_SAMPLES}/compare/{mine}/with/{match}/ethnicity",
            "comparisons",
            cache_as=CacheKey("matches", "ethnicity", match),
        )
        return cast("list[Ethnicity]", answer["comparisons"])

    def fetch_conversations(self, cursor: str | None = None, limit: int = 20) -> ConversationPage:
        """Fetch a page of the inbox, newest first.

        Args:
            cursor: `paging.forward_cursor` of the page before; None for the first page.
            limit: Conversations on a page.

        Returns:
            The page; without a cursor when it is the last.
        """
        params = {"q": f"user:{self.profile_id.lower()}", "limit": str(limit)}
        if cursor:
            params["cursor"] = cursor
        answer = self._fetch(_MESSAGING, "conversations", params=params)
        for each in list_of(answer["conversations"], dict, "a list of 'conversations'", _MESSAGING):
            with_keys(each, ("id", "last_message"), _MESSAGING)
            with_keys(each["last_message"], ("created",), _MESSAGING)
        return cast("ConversationPage", answer)

    def fetch_messages(self, conversation_id: str, limit: int = 5) -> list[Message]:
        """Fetch the newest messages of a conversation.

        Args:
            conversation_id: Which conversation.
            limit: At most this many.

        Returns:
            The messages as the service orders them.
        """
        url = f"{_MESSAGING}/{conversation_id}/messages"
        answer = self._fetch(url, "messages", params={"limit": str(limit)})
        messages = list_of(answer["messages"], dict, "a list of 'messages'", url)
        return cast("list[Message]", messages)

    def send_new_message(self, recipient_profile_id: str, text: str) -> str:
        """Begin a conversation.

        Args:
            recipient_profile_id: To whom.
            text: What to write.

        Returns:
            The new conversation's id.

        Raises:
            UncertainSendError: If it may or may not have arrived; it is not sent again.
        """
        url = f"{_MESSAGING}/message"
        me = self.profile_id.lower()
        answer = self._send(
            url,
            {
                "content": text,
                "author": me,
                "index": 0,
                "created": 0,
                "conversation_members": [
                    {"user_id": recipient_profile_id.lower(), "family_circles": []},
                    {"user_id": me},
                ],
            },
        )
        message = answer.get("message")
        self._confirm(message if isinstance(message, dict) else {}, url)
        if not answer.get("conversation_id"):
            raise uncertain(f"POST {url}", "the answer names no conversation")
        return str(answer["conversation_id"])

    def send_reply(self, conversation_id: str, text: str) -> None:
        """Write into a conversation.

        Args:
            conversation_id: Which conversation.
            text: What to write.

        Raises:
            UncertainSendError: If it may or may not have arrived; it is not sent again.
        """
        url = f"{_MESSAGING}/{conversation_id}"
        answer = self._send(url, {"content": text, "author": self.profile_id.lower()})
        self._confirm(answer, url)

    def _match_url(self, sample_id: str, what: str) -> str:
        mine, match = self.dna_test_id.lower(), sample_id.lower()
        return f"{_SAMPLES}/samples/{mine}/matches/{match}/{what}"

    def _fetch(
        self,
        url: str,
        *required: str,
        method: str = HTTPMethod.GET,
        params: Mapping[str, str] | None = None,
        json: object = None,
        cache_as: CacheKey | None = None,
    ) -> Any:  # noqa: ANN401 - the callers name the type
        """Read something; `required` are keys that the answer must have."""
        response = self._api_req_with_auth_refresh(
            url, method, params=params, json=json, cache_as=cache_as
        )
        if not response.ok:
            raise _absent(url, response.status_code)
        return with_keys(response.json(), required, url)

    def _send(self, url: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Write something; whatever is odd about a good answer leaves it uncertain."""
        response = self._api_req_with_auth_refresh(url, HTTPMethod.POST, json=body, send=True)
        if not response.ok:
            raise _absent(url, response.status_code)
        answer = response.json()
        if not isinstance(answer, dict):
            raise uncertain(f"POST {url}", "the answer is no object")
        return answer

    def _confirm(self, message: Mapping[str, Any], url: str) -> None:
        """A send counts only when its author is the account itself."""
        if str(message.get("author", "")).upper() != self.profile_id:
            raise uncertain(f"POST {url}", "the answer names another author")


def _absent(url: str, status: int) -> ServiceError:
    return ServiceError(f"{url}: {status_text(status)}; what was asked for is not there", status)
