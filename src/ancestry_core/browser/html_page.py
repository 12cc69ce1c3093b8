"""Read from an HTML page what a sign-in needs: which ids it has, and its form.

In: a page's text. Out: `HtmlPage`. Nothing is fetched; broken HTML is read as far as it goes.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass(slots=True)
class HtmlPage:
    """What is of interest in a page.

    Attributes:
        ids: The ids of its elements.
        names: The names of its inputs, by id.
        hidden: The values of its hidden inputs, by name.
        action: Where its form is posted; empty for the page itself.
    """

    ids: set[str] = field(default_factory=set)
    names: dict[str, str] = field(default_factory=dict)
    hidden: dict[str, str] = field(default_factory=dict)
    action: str = ""


def read_page(text: str) -> HtmlPage:
    """Read a page.

    Args:
        text: The page's HTML.

    Returns:
        What is of interest in it.

    Example:
        >>> read_page('<form action="/in"><input id="username" name="u"></form>').names
        {'username': 'u'}
    """
    parser = _Parser()
    # The parser stumbles over a marked section of a kind that it does not know.
    with suppress(AssertionError):
        parser.feed(text)
        parser.close()
    return parser.page


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = HtmlPage()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.page.ids.add(attributes.get("id", ""))
        if tag == "form":
            self.page.action = attributes.get("action", "")
        elif tag == "input":
            self._take_input(attributes)

    def _take_input(self, attributes: dict[str, str]) -> None:
        name = attributes.get("name", "")
        if attributes.get("type") == "hidden" and name:
            self.page.hidden[name] = attributes.get("value", "")
        elif name:
            self.page.names[attributes.get("id", "")] = name
