"""Where this user's programs keep what can be made again."""

from __future__ import annotations

import os

import pytest

from ancestry_obs.user_cache import cache_folder, user_cache


@pytest.mark.parametrize(
    ("environ", "platform", "expected"),
    [
        ({"XDG_CACHE_HOME": "/c", "HOME": "/home/a"}, "linux", "/c"),
        ({"XDG_CACHE_HOME": "", "HOME": "/home/a"}, "linux", "/home/a/.cache"),
        ({"HOME": "/Users/a"}, "darwin", "/Users/a/Library/Caches"),
        ({"LOCALAPPDATA": "/local", "HOME": "/home/a"}, "win32", "/local"),
        ({"XDG_CACHE_HOME": "c", "HOME": "/home/a"}, "linux", "/home/a/.cache"),
        ({"HOME": "home"}, "linux", None),
        ({"HOME": ""}, "linux", None),
        ({}, "linux", None),
        ({"HOME": "/home/a"}, "win32", None),
    ],
)
def test_the_users_cache_folder(environ, platform, expected):
    folder = f"{expected}/ancestry-obs/code" if expected else None
    assert cache_folder("code", environ, platform) == folder


def test_it_is_this_users(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert user_cache("check") == f"{tmp_path}/ancestry-obs/check"
    # As under sudo, which keeps HOME: what is written there would be root's.
    monkeypatch.setattr(os, "getuid", lambda: tmp_path.stat().st_uid + 1)
    assert user_cache("check") is None
