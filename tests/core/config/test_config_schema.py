import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from ancestry_core.config import LimiterSettings, PlatformSettings, ServiceSettings
from ancestry_core.config.config_schema import SECTIONS

ROOT = Path(__file__).parents[3]
VARIABLES = [
    section.variable_of(name) for section in SECTIONS.values() for name in section.model_fields
]


def test_settings_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        LimiterSettings().burst = 3


def test_no_two_settings_share_a_variable():
    assert len(VARIABLES) == len(set(VARIABLES))


def test_every_setting_says_what_it_is():
    for section in SECTIONS.values():
        assert all(field.description for field in section.model_fields.values())


def test_the_password_is_hidden():
    settings = PlatformSettings(service=ServiceSettings(password="s3cr3t"))
    assert "s3cr3t" not in f"{settings!r} {settings} {settings.model_dump()}"
    assert settings.service.password.get_secret_value() == "s3cr3t"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://www.ancestry.com", "https://www.ancestry.com"),
        ("https://www.ancestry.com/", "https://www.ancestry.com"),
        (" http://127.0.0.1:8080/under/ ", "http://127.0.0.1:8080/under"),
    ],
)
def test_a_base_url_has_no_slash_at_its_end(given, kept):
    assert ServiceSettings(base_url=given).base_url == kept


@pytest.mark.parametrize("given", ["", "nonsense", "ftp://host", "http://", 8080])
def test_what_is_no_http_url_is_refused(given):
    with pytest.raises(ValidationError):
        ServiceSettings(base_url=given)


@pytest.mark.parametrize("end", ["?", "?page=1", "#", "/path#top"])
def test_a_base_url_that_paths_cannot_be_appended_to_is_refused(end):
    with pytest.raises(ValidationError, match="it must end before '\\?' and '#'"):
        ServiceSettings(base_url=f"http://service.test{end}")


def test_the_ceiling_is_the_rate_itself_unless_given():
    assert LimiterSettings(requests_per_second=3).ceiling == 3
    assert LimiterSettings(requests_per_second=3, max_requests_per_second=5).ceiling == 5


@pytest.mark.parametrize("values", [{"requests_per_second": 0.05}, {"max_requests_per_second": 1}])
def test_floor_rate_and_ceiling_must_be_in_order(values):
    with pytest.raises(ValidationError, match="does not hold"):
        LimiterSettings(**values)


def example_lines():
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    return re.findall(r"^#? ?([A-Z][A-Z_]+)=(.*)$", text, flags=re.MULTILINE)


def test_the_example_file_lists_every_setting_of_the_platform_in_order():
    listed = [name for name, _ in example_lines() if name.startswith("ANCESTRY_")]
    assert listed == VARIABLES


def test_the_example_file_shows_the_defaults():
    shown = dict(example_lines())
    for section in SECTIONS.values():
        for name, field in section.model_fields.items():
            text = shown[section.variable_of(name)]
            if field.default is not None:
                assert section.model_validate({name: text}) == section(), name
