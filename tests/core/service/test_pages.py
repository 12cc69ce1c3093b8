from __future__ import annotations

from html.parser import HTMLParser

from ancestry_core.service.pages import error_page, home_page, settings_page, sign_in_page


def elements(page: str) -> dict[str, tuple[str, dict[str, str | None]]]:
    found: dict[str, tuple[str, dict[str, str | None]]] = {}

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            found[dict(attrs).get("id") or tag] = (tag, dict(attrs))

    Reader().feed(page)
    return found


def test_the_form_has_the_fields_that_the_platform_fills_in():
    found = elements(sign_in_page())
    assert found["form"][1] == {"method": "post", "action": "/account/signin"}
    assert found["username"][0] == found["password"][0] == "input"
    assert found["username"][1]["name"] == "username"
    assert found["password"][1]["type"] == "password"
    assert found["signInBtn"][0] == "button"


def test_the_alert_is_there_only_after_wrong_credentials():
    assert "invalidCredentialsAlert" not in elements(sign_in_page())
    assert elements(sign_in_page(refused=True))["invalidCredentialsAlert"][0] == "div"


def test_signed_in_pages_carry_the_account_and_others_do_not():
    assert "navAccount" in elements(home_page("Ann"))
    assert "navAccount" in elements(settings_page("Ann"))
    assert "navAccount" not in elements(sign_in_page())
    assert "navAccount" not in elements(error_page(405, "Method Not Allowed"))


def test_names_are_escaped():
    assert "<script>" not in home_page("<script>")
    assert "&lt;script&gt;" in settings_page("<script>")
