from __future__ import annotations

import sys
import threading
from base64 import b64encode
from http import HTTPStatus

import pytest

from ancestry_obs.exceptions import ExporterError
from ancestry_obs.metrics_exporter.passwords import PasswordCheck, credentials, load_bcrypt

USERS = {"ada": b"$2b$04$ada", "ben": b"$2b$12$ben"}
# What the comparisons below take for equal.
PASSWORDS = {b"$2b$04$ada": b"apple", b"$2b$12$ben": b"pear"}


def basic(user, password):
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


class Compared(list):
    """Compares as bcrypt would, and notes what."""

    def __call__(self, password, hashed):
        self.append((password, hashed))
        return PASSWORDS.get(hashed) == password


@pytest.fixture
def compared():
    return Compared()


@pytest.fixture
def ask(compared):
    check = PasswordCheck(compared)
    return lambda user, password: check.refusal(USERS, basic(user, password))


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Basic YWRhOnNlY3JldA==", ("ada", b"secret")),
        ("basic  YWRhOnM6Yw==", ("ada", b"s:c")),
        (basic("ada", "grün"), ("ada", "grün".encode())),
        ("Basic YWRh", None),
        ("Basic ???", None),
        ("Basic " + b64encode(b"\xff:a").decode(), None),
        ("Bearer YWRhOnNlY3JldA==", None),
        ("", None),
    ],
)
def test_credentials(header, expected):
    assert credentials(header) == expected


def test_who_may_read(ask):
    assert ask("ada", "apple") is None
    assert ask("ben", "pear") is None
    assert ask("ada", "pear") is HTTPStatus.UNAUTHORIZED
    assert ask("eve", "apple") is HTTPStatus.UNAUTHORIZED


def test_no_credentials_are_compared_with_nothing(compared):
    assert PasswordCheck(compared).refusal(USERS, "") is HTTPStatus.UNAUTHORIZED
    assert compared == []


def test_an_unknown_user_takes_as_long_as_a_known_one(ask, compared):
    ask("eve", "apple")
    ((_, hashed),) = compared
    # As long as the slowest, and of a form that bcrypt takes.
    assert hashed.startswith(b"$2b$12$")
    assert len(hashed) == 60
    assert load_bcrypt()(b"apple", hashed.replace(b"$12$", b"$04$")) is False


def test_the_same_is_compared_once(ask, compared):
    for _ in range(3):
        assert ask("ada", "apple") is None
        assert ask("ada", "wrong") is HTTPStatus.UNAUTHORIZED
    assert len(compared) == 2


def test_another_hash_is_another_password(compared):
    check = PasswordCheck(compared)
    header = basic("ada", "apple")
    assert check.refusal(USERS, header) is None
    assert check.refusal({"ada": b"$2b$12$ben"}, header) is HTTPStatus.UNAUTHORIZED


def test_any_number_of_wrong_passwords_leaves_the_right_one_known(ask, compared):
    ask("ada", "apple")
    for number in range(300):
        ask("ada", f"wrong {number}")
    compared.clear()
    assert ask("ada", "apple") is None
    assert compared == []


def test_what_is_remembered_is_bounded_and_no_password(compared):
    check = PasswordCheck(compared)
    for number in range(300):
        check.refusal(USERS, basic("ada", f"wrong {number}"))
        check.refusal({f"user {number}": b"$2b$04$ada"}, basic(f"user {number}", "apple"))
    assert (len(check._right), len(check._wrong)) == (128, 128)
    assert all(len(each) == 32 for each in check._right._digests)


def test_a_flood_of_wrong_passwords_does_not_hold_up_a_known_one():
    comparing, go_on = threading.Event(), threading.Event()

    def compare(password, hashed):
        if password == b"wrong":
            comparing.set()
            assert go_on.wait(10)
        return PASSWORDS[hashed] == password

    check = PasswordCheck(compare, wait=0)
    assert check.refusal(USERS, basic("ada", "apple")) is None
    wrong = threading.Thread(target=check.refusal, args=(USERS, basic("ada", "wrong")))
    wrong.start()
    assert comparing.wait(10)
    assert check.refusal(USERS, basic("ada", "apple")) is None
    # One at a time is compared, and nobody waits for ever.
    assert check.refusal(USERS, basic("ben", "pear")) is HTTPStatus.SERVICE_UNAVAILABLE
    go_on.set()
    wrong.join()
    assert check.refusal(USERS, basic("ben", "pear")) is None


def test_real_hashes():
    compare = load_bcrypt()
    import bcrypt

    long = b"x" * 100
    made = bcrypt.hashpw(long[:72], bcrypt.gensalt(4))
    users = {"ada": made, "apache": made.replace(b"$2b$", b"$2y$")}
    check = PasswordCheck(compare)
    for user in users:
        # bcrypt looks at 72 bytes, and its library refuses to be given more.
        assert check.refusal(users, basic(user, long.decode())) is None
        assert check.refusal(users, basic(user, "x" * 71)) is HTTPStatus.UNAUTHORIZED
        assert check.refusal(users, basic(user, "x\0")) is HTTPStatus.UNAUTHORIZED


def test_without_the_library_the_remedy_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "bcrypt", None)
    with pytest.raises(ExporterError) as caught:
        load_bcrypt()
    assert str(caught.value) == (
        "bcrypt is missing, which checks passwords; install the extra that has it: "
        'pip install "ancestry-obs[web]"'
    )
