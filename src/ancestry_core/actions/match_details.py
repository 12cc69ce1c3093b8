"""Turn what the service shows of one match into columns.

In: a match as the list shows it, then the answers of the calls per match. Out: a `Fingerprint`,
which tells whether the calls are needed, and a `MatchRecord`. Nothing is stored here.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ancestry_core.database.matches import Fingerprint, MatchRecord
from ancestry_core.exceptions import ApiError

if TYPE_CHECKING:
    from ancestry_core.actions.patience import Patience
    from ancestry_core.api_calls import ApiCalls
    from ancestry_core.api_payloads import Match, MatchDetails, Prediction, Profile

_log = logging.getLogger(__name__)

ETHNICITY_FROM_CENTIMORGANS = 90.0
"""About a third cousin; below, the comparison of regions says nothing about a common line."""


def sample_id_of(listed: Match) -> str:
    """Return a listed match's sample id as the database writes it."""
    return str(listed["sampleId"]).upper()


def fingerprint_of(listed: Match, *, in_my_tree: bool) -> Fingerprint:
    """Return what the list shows of a match.

    Raises:
        KeyError: If the list lacks something of it, likewise the others of `MALFORMED`.
    """
    relationship = listed["relationship"]
    tree_id = listed.get("treeId")
    return Fingerprint(
        float(relationship["sharedCentimorgans"]),
        int(relationship["numSharedSegments"]),
        str(relationship["predictedRelationship"]),
        str(tree_id).upper() if tree_id else None,
        listed.get("userTreePublic"),
        listed.get("personCount"),
        in_my_tree,
    )


class DetailReader:
    """Makes the calls per match.

    Args:
        api: The service's API.
        patience: Waits while the service is down.
        tree_id: The account's own tree.
    """

    def __init__(self, api: ApiCalls, patience: Patience, tree_id: str | None) -> None:
        self._api = api
        self._patience = patience
        self._tree_id = tree_id

    def read(self, listed: Match, fingerprint: Fingerprint) -> MatchRecord:
        """Read everything about one match.

        Args:
            listed: The match as the list shows it.
            fingerprint: What the list shows of it.

        Returns:
            The match. Its person's profile is missing when that one call failed: action 8 asks for
            it again before it writes to somebody.

        Raises:
            ApiError: If another call failed.
            KeyError: If an answer lacks something, likewise the others of `MALFORMED`.
        """
        sample_id = sample_id_of(listed)
        details = self._patience.call(self._api.fetch_match_details, sample_id)
        profile_id = listed["matchProfile"].get("userId") or details.get("userId")
        return MatchRecord(
            person=_person(listed, details, profile_id, self._profile(profile_id)),
            match={
                "sample_id": sample_id,
                **fingerprint._asdict(),
                **_detail_columns(details),
                "administrator": listed.get("adminName"),
                "ethnicity": self._ethnicity(sample_id, fingerprint),
            },
            tree=self._place_in_tree(sample_id) if fingerprint.in_my_tree else None,
        )

    def _profile(self, profile_id: str | None) -> Profile | None:
        if profile_id is None:
            return None
        try:
            return self._patience.call(self._api.fetch_profile, profile_id)
        except ApiError as error:
            _log.warning("a match is stored without its profile: %s", error)
            return None

    def _ethnicity(self, sample_id: str, fingerprint: Fingerprint) -> list[Any] | None:
        if fingerprint.shared_centimorgans < ETHNICITY_FROM_CENTIMORGANS:
            return None
        return list(self._patience.call(self._api.fetch_ethnicity, sample_id))

    def _place_in_tree(self, sample_id: str) -> dict[str, Any]:
        badge = self._patience.call(self._api.fetch_badge, sample_id)
        year = badge.get("birthYear")
        return {
            "tree_id": self._tree_id,
            "tree_person_id": str(badge["personId"]).upper(),
            "first_name": badge.get("firstName"),
            "last_name": badge.get("lastName"),
            "birth_year": int(year) if year else None,
        }


def profile_columns(profile: Profile | None) -> dict[str, Any]:
    """Return the columns of `people` that a profile tells; unknown without one."""
    if profile is None:
        return {"first_name": None, "contactable": None, "last_login": None}
    return {
        "first_name": profile.get("FirstName"),
        "contactable": bool(profile["IsContactable"]),
        "last_login": unix_seconds(profile.get("LastLoginDate")),
    }


def unix_seconds(stamp: str | None) -> int | None:
    """Read an ISO 8601 time, UTC where it names no zone.

    Args:
        stamp: The text.

    Returns:
        Unix seconds; None where there is no time in it.

    Example:
        >>> unix_seconds("1970-01-02T00:00:00Z"), unix_seconds("never")
        (86400, None)
    """
    try:
        moment = datetime.fromisoformat(stamp or "")
    except ValueError:
        return None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _person(
    listed: Match, details: MatchDetails, profile_id: str | None, profile: Profile | None
) -> dict[str, Any]:
    return {
        "profile_id": profile_id.upper() if profile_id else None,
        "display_name": listed["matchProfile"]["displayName"],
        "gender": listed.get("gender") or details.get("subjectGender"),
        **profile_columns(profile),
    }


def _detail_columns(details: MatchDetails) -> dict[str, Any]:
    likely = max(details["predictions"], key=_probability, default=None)
    return {
        "longest_segment": float(details["relationship"]["longestSharedSegment"]),
        "meiosis": details["relationship"].get("meiosis"),
        "fathers_side": details.get("fathersSide"),
        "mothers_side": details.get("mothersSide"),
        "likely_path": " or ".join(step["label"] for step in likely["pathsToMatch"])
        if likely
        else None,
        "likely_path_probability": _probability(likely) if likely else None,
    }


def _probability(prediction: Prediction) -> float:
    return float(prediction["distributionProbability"])
