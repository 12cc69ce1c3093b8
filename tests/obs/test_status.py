from __future__ import annotations

import json

import pytest

from ancestry_obs.target_status import Status, TargetStatus

INSTALLED = TargetStatus("shop:price", "installed", patterns=("shop:*",), calls=3, errors=1)
STATUS = Status(
    enabled=True,
    map="shop.toml",
    url="http://127.0.0.1:9000/metrics",
    targets=(
        INSTALLED,
        TargetStatus("shop:Cart.add", "installed", "covered", aliases=("other:add",)),
        TargetStatus("shop:prise", "error", "there is none"),
        TargetStatus("later:f", "pending"),
    ),
)


def test_it_travels_as_json():
    assert Status.from_dict(json.loads(json.dumps(STATUS.as_dict()))) == STATUS


def test_what_a_newer_version_added_is_passed_over():
    data = STATUS.as_dict() | {"colour": "red"}
    data["targets"][0]["taste"] = "sweet"
    assert Status.from_dict(data) == STATUS


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"targets": []},
        {"enabled": True, "targets": 3},
        {"enabled": True, "targets": ["x"]},
        [],
    ],
)
def test_something_else_is_refused(data):
    with pytest.raises(ValueError, match=r"is no status$"):
        Status.from_dict(data)


def test_what_deserves_attention():
    assert [each.target for each in STATUS.failed] == ["shop:prise"]
    assert [each.target for each in STATUS.never_called] == ["shop:Cart.add"]


def test_a_second_copy_adds_up():
    copy = TargetStatus(
        "shop:price", "installed", aliases=("a",), patterns=("p", "shop:*"), calls=2
    )
    assert INSTALLED.with_copy(copy) == TargetStatus(
        "shop:price", "installed", aliases=("a",), patterns=("shop:*", "p"), calls=5, errors=1
    )


@pytest.mark.parametrize("state", ["pending", "error"])
def test_what_is_wrong_with_either_copy_is_its_state(state):
    copy = TargetStatus("shop:price", state, "why", unreached=("a list",))
    for both in (INSTALLED.with_copy(copy), copy.with_copy(INSTALLED)):
        assert (both.state, both.reason, both.calls) == (state, "why", 3)
        assert both.unreached == ("a list",)
