import pickle

from ancestry_core.browser import Cookies


def test_cookies_are_a_mapping_that_shows_names_alone():
    secret = "s3" + "cr3t"
    cookies = Cookies({"SecureATT": secret, "ANCSESSIONID": secret})
    assert dict(cookies) == {"SecureATT": secret, "ANCSESSIONID": secret}
    assert (len(cookies), cookies["SecureATT"]) == (2, secret)
    assert repr(cookies) == str(cookies) == "<Cookies ANCSESSIONID SecureATT>"
    assert secret not in f"{[cookies]} {cookies.keys()} {cookies.values()} {cookies.items()}"


def test_later_changes_of_the_source_do_not_matter():
    source = {"A": "1"}
    cookies = Cookies(source)
    source["A"] = "2"
    assert cookies["A"] == "1"
    assert pickle.loads(pickle.dumps(cookies)) == cookies
