"""The few HTML pages that a browser sees: sign-in, home, settings, and errors.

In: nothing but what is shown. Out: a page's text. The ids in the pages are those that the platform
looks for; see the sign-in page's part in the service's description.
"""

from __future__ import annotations

from html import escape

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title>
<link rel="icon" href="data:,"></head>
<body>
{body}
</body>
</html>
"""
_FORM = """<h1>Sign in</h1>
{alert}<form method="post" action="/account/signin">
<p><label for="username">Email or username</label>
<input id="username" name="username" type="text" autocomplete="username" required></p>
<p><label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required></p>
<p><button id="signInBtn" type="submit">Sign in</button></p>
</form>"""
_ALERT = """<div id="invalidCredentialsAlert" role="alert">
The username or password is not right.</div>
"""
_NAVIGATION = '<nav><a id="navAccount" href="/account/settings">{name}</a></nav>'


def _page(title: str, body: str) -> str:
    return _PAGE.format(title=escape(title), body=body)


def sign_in_page(*, refused: bool = False) -> str:
    """Return the page with the form; `refused` shows that the credentials were wrong."""
    return _page("Sign in", _FORM.format(alert=_ALERT if refused else ""))


def home_page(name: str) -> str:
    """Return the page that the account's owner sees after signing in."""
    return _page("Home", f"{_NAVIGATION.format(name=escape(name))}\n<h1>DNA matches</h1>")


def settings_page(name: str) -> str:
    """Return the account's settings page."""
    return _page("Account settings", f"{_NAVIGATION.format(name=escape(name))}\n<h1>Settings</h1>")


def error_page(status: int, phrase: str) -> str:
    """Return a page that says that something went wrong."""
    return _page(f"{status} {phrase}", f"<h1>{status} {escape(phrase)}</h1>")
