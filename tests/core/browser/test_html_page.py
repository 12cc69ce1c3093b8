from hypothesis import example, given
from hypothesis import strategies as st

from ancestry_core.browser.html_page import read_page

PAGE = """<!DOCTYPE html><html><body id=top>
<div id="alert">x</div>
<form method="post" action="/go?a=1&amp;b=2">
<input type="hidden" name="token" value="t&quot;1"><input type=hidden name=empty>
<input id="username" name="user"><input id=password name=pass type=password>
<input type="submit" value="no name">
</form></body>"""


def test_ids_inputs_and_the_form_are_read():
    page = read_page(PAGE)
    assert {"top", "alert", "username", "password"} <= page.ids
    assert page.names == {"username": "user", "password": "pass"}
    assert page.hidden == {"token": 't"1', "empty": ""}
    assert page.action == "/go?a=1&b=2"


def test_a_page_without_a_form_has_none():
    page = read_page("plain text")
    assert (page.names, page.hidden, page.action) == ({}, {}, "")


def test_what_stands_in_a_comment_or_script_is_no_element():
    page = read_page('<!-- <i id="a"> --><script>"<i id=b>"</script><i id="c">')
    assert {"a", "b", "c"} & page.ids == {"c"}


@given(text=st.text(alphabet="<>/=\"'![] -abid&#;\n", max_size=200))
@example(text="<![odd[ ]]>")
def test_broken_html_is_read_as_far_as_it_goes(text):
    assert "top" in read_page(f'<i id="top">{text}').ids
