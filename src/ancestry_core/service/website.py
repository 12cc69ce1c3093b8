"""The part of the service that browsers use: signing in, the home page, the settings.

In: requests for pages. Out: pages, redirects and cookies, in the shapes that the platform's
browser sessions expect. The API is elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from ancestry_core.service.exchange import Answer, Request, html_answer, redirect
from ancestry_core.service.pages import error_page, home_page, settings_page, sign_in_page

if TYPE_CHECKING:
    from collections.abc import Callable

    from ancestry_core.service.faults import FaultPlan
    from ancestry_core.service.record import ServiceRecord
    from ancestry_core.service.sessions import Sessions

_SIGN_IN = "/account/signin"
_SETTINGS = "/account/settings"


class Website:
    """The pages of one service.

    Args:
        owner: Display name of the account.
        sessions: Who is signed in.
        faults: When the settings page fails.
        record: Where sign-ins and renewals are counted.
    """

    def __init__(
        self, owner: str, sessions: Sessions, faults: FaultPlan, record: ServiceRecord
    ) -> None:
        self._owner = owner
        self._sessions = sessions
        self._faults = faults
        self._record = record
        self._pages: dict[tuple[str, str], Callable[[Request], Answer]] = {
            ("GET", "/"): self._home,
            ("GET", _SIGN_IN): self._form,
            ("POST", _SIGN_IN): self._sign_in,
            ("GET", _SETTINGS): self._settings,
        }

    def handle(self, request: Request) -> Answer | None:
        """Return the page asked for, or None where the path is none of a page."""
        methods = [method for method, path in self._pages if path == request.path]
        if not methods:
            return None
        page = self._pages.get((request.method, request.path))
        if page is None:
            answer = html_answer(error_page(405, "Method Not Allowed"), 405)
            answer.headers.append(("Allow", ", ".join(methods)))
        else:
            answer = page(request)
        answer.endpoint = f"{request.method} {request.path}"
        return answer

    def _home(self, request: Request) -> Answer:
        if not self._sessions.is_signed_in(request.cookies):
            return redirect(_SIGN_IN)
        return html_answer(home_page(self._owner))

    def _form(self, _request: Request) -> Answer:
        return html_answer(sign_in_page())

    def _sign_in(self, request: Request) -> Answer:
        fields = parse_qs(request.body.decode("utf-8", "replace"))
        username, password = (fields.get(name, [""])[0] for name in ("username", "password"))
        cookies = self._sessions.sign_in(username, password)
        if cookies is None:
            self._record.note("failed-sign-in")
            return html_answer(sign_in_page(refused=True))
        self._record.note("sign-in")
        return _with_cookies(redirect("/"), cookies)

    def _settings(self, request: Request) -> Answer:
        if self._sessions.is_signed_in(request.cookies) and self._faults.settings_page_fails():
            self._record.note("thrown-out")
            self._sessions.throw_out(request.cookies)
        cookies = self._sessions.renew(request.cookies)
        if cookies is None:
            return redirect(_SIGN_IN)
        self._record.note("renewal")
        return _with_cookies(html_answer(settings_page(self._owner)), cookies)


def _with_cookies(answer: Answer, cookies: dict[str, str]) -> Answer:
    # No Secure attribute: the service speaks plain HTTP, and browsers would then keep them back.
    answer.headers += [
        ("Set-Cookie", f"{name}={value}; Path=/; SameSite=Lax") for name, value in cookies.items()
    ]
    return answer
