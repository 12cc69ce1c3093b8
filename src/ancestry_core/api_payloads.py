"""The shapes in which the service answers, as far as the platform reads them.

Types only; `api_calls` checks the keys that must be there. A key that may be absent is
`NotRequired`. Ids are in the case in which the service wrote them, and it takes lower-case ones;
whoever keeps them makes them upper-case.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict


class Tree(TypedDict):
    """A family tree of the account."""

    id: str
    name: str


class MatchProfile(TypedDict):
    """Who a match is."""

    displayName: str
    userId: str
    displayInitials: NotRequired[str]


class MatchRelationship(TypedDict):
    """How closely a match is related."""

    sharedCentimorgans: float
    numSharedSegments: int
    predictedRelationship: str


class Match(TypedDict):
    """A match as the list shows it."""

    sampleId: str
    matchProfile: MatchProfile
    relationship: MatchRelationship
    gender: NotRequired[str | None]
    adminId: NotRequired[str | None]
    adminName: NotRequired[str | None]
    createdDate: NotRequired[str | None]
    treeId: NotRequired[str | None]
    userTreePublic: NotRequired[bool]
    personCount: NotRequired[int]


class MatchPage(TypedDict):
    """One page of the match list."""

    totalPages: int
    matchList: list[Match]


class DetailRelationship(TypedDict):
    """The segments of a match."""

    sharedSegments: int
    longestSharedSegment: float
    meiosis: NotRequired[int | None]


class PathLabel(TypedDict):
    """One step of a predicted path."""

    label: str


class Prediction(TypedDict):
    """One predicted relationship with its probability."""

    distributionProbability: float
    pathsToMatch: list[PathLabel]


class MatchDetails(TypedDict):
    """What is known of one match."""

    userId: str
    displayName: str
    subjectGender: NotRequired[str | None]
    fathersSide: NotRequired[bool]
    mothersSide: NotRequired[bool]
    relationship: DetailRelationship
    predictions: list[Prediction]


class Profile(TypedDict):
    """An account's public profile."""

    FirstName: NotRequired[str | None]
    displayName: str
    LastLoginDate: NotRequired[str | None]
    IsContactable: bool


class BadgedPerson(TypedDict):
    """A match's person in the account's tree."""

    personId: str
    firstName: str
    lastName: str
    birthYear: NotRequired[str | int | None]


class Ethnicity(TypedDict):
    """One region in the comparison with a match."""

    resourceId: str
    leftSum: float
    rightSum: float


class Member(TypedDict):
    """A member of a conversation."""

    user_id: str
    display_name: str


class LastMessage(TypedDict):
    """The newest message of a conversation; `created` is Unix time in seconds."""

    created: int


class Conversation(TypedDict):
    """A conversation as the inbox shows it."""

    id: str
    last_message: LastMessage
    members: list[Member]


class Paging(TypedDict):
    """Where the inbox goes on; no cursor at its end."""

    forward_cursor: NotRequired[str | None]


class ConversationPage(TypedDict):
    """One page of the inbox, newest first."""

    conversations: list[Conversation]
    paging: NotRequired[Paging]


class Message(TypedDict):
    """A message; `created` is Unix time in seconds, `author` a profile id."""

    content: str
    author: str
    created: int
