"""Links between pages lead somewhere, and so does what the code and the alerts point to."""

from __future__ import annotations

import json
import re
from urllib.parse import urlsplit

import pytest

from ancestry_obs.monitoring.alerts import anchor


def _dangling(pages, repository, start, link):
    """Say why a link of a page leads nowhere; an empty text if it leads somewhere."""
    parts = urlsplit(link)
    if parts.scheme:
        return ""
    target = (repository / start).parent / parts.path if parts.path else repository / start
    if not target.exists():
        return f"{link}: no such file"
    name = str(target.resolve().relative_to(repository))
    if parts.fragment and parts.fragment not in pages[name].anchors:
        return f"{link}: no such heading"
    return ""


def test_links_between_pages_and_to_their_headings(pages, repository):
    found = {
        f"{page.name}: {reason}"
        for page in pages.values()
        for link in page.links
        if (reason := _dangling(pages, repository, page.name, link))
    }
    assert not found
    assert sum(len(page.links) for page in pages.values()) > 20


@pytest.mark.parametrize("link", ["nothing.md", "#nothing", "map.md#nothing"])
def test_a_link_that_leads_nowhere_is_found(link, pages, repository):
    assert _dangling(pages, repository, "docs/faq.md", link)


def test_headings_of_a_page_differ(pages):
    for page in pages.values():
        assert len(set(page.anchors)) == len(page.anchors), page.name


def test_every_alert_has_its_runbook(pages, repository):
    rules = (repository / "grafana/prometheus/rules.yml").read_text("utf-8")
    alerts = re.findall(r'- alert: "?(\w+)', rules)
    targets = re.findall(r'runbook_url: "docs/monitoring.md#([\w-]+)"', rules)
    assert len(alerts) > 9
    assert targets == list(map(anchor, alerts))
    runbooks = pages["docs/monitoring.md"].anchors
    assert set(targets) <= set(runbooks)
    # And no section is left of an alert that is gone.
    begin, end = runbooks.index("runbooks"), runbooks.index("batch-runs")
    assert sorted(runbooks[begin + 1 : end]) == sorted(targets)


def test_every_alert_of_a_pack_has_its_runbook(pages, repository):
    files = sorted((repository / "grafana/packs").glob("*_rules.yml"))
    rules = "".join(path.read_text("utf-8") for path in files)
    targets = set(re.findall(r'runbook_url: "docs/packs.md#([\w-]+)"', rules))
    runbooks = pages["docs/packs.md"].anchors
    begin, end = runbooks.index("runbooks-of-packs"), runbooks.index("aiohttp-client")
    assert targets
    assert targets == set(runbooks[begin + 1 : end])


def test_the_dashboard_links_to_headings_that_are_there(pages, repository):
    text = (repository / "grafana/ancestry_overview.json").read_text("utf-8")
    json.loads(text)
    links = re.findall(r"docs/(\w+\.md)(?:#([\w-]+))?", text)
    assert links
    for name, heading in links:
        assert not heading or heading in pages[f"docs/{name}"].anchors


def test_pages_that_messages_of_the_code_name_are_there(pages, repository):
    sources = "".join(
        path.read_text("utf-8") for path in (repository / "src").rglob("*") if path.suffix in _TEXT
    )
    assert set(re.findall(r"docs/\w+\.md", sources)) <= set(pages)
    assert "label-expressions" in pages["docs/map.md"].anchors


_TEXT = {".py", ".toml"}
