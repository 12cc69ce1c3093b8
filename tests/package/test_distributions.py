"""What is published: the sdist and the wheels that `nox -s package` has built.

`DISTRIBUTIONS` names the folder that has them: in `sdist` the sdist and the wheel that was built
from it, in `tree` the wheel that was built from the working tree.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import tarfile
import venv
from email import message_from_bytes
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

import pytest
from readme_renderer import markdown

REPOSITORY = Path(__file__).parents[2]
DISTRIBUTIONS = Path(os.environ["DISTRIBUTIONS"])
# A tenth more than the wheel is now, nearly all of it source: what does not belong would show. The
# biggest file in it is the pedigree, compressed.
WHEEL_BYTES, FILE_BYTES = 1_100_000, 100_000
HOME = "https://github.com/ancestry-obs/ancestry-obs"
PLACES = re.compile(
    r"https://(?:github\.com/ancestry-obs/ancestry-obs/(?:blob|tree)/HEAD"
    r"|raw\.githubusercontent\.com/ancestry-obs/ancestry-obs/HEAD)/([^#]+)"
)


def only(folder, pattern):
    (found,) = (DISTRIBUTIONS / folder).glob(pattern)
    return found


WHEEL = only("tree", "*.whl")


def metadata():
    with ZipFile(WHEEL) as wheel:
        (name,) = (each for each in wheel.namelist() if each.endswith(".dist-info/METADATA"))
        return message_from_bytes(wheel.read(name))


class Links(HTMLParser):
    """The links and pictures of a page, in their order; without those to its own headings."""

    def __init__(self, page):
        super().__init__()
        self.links, self.pictures = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "a" and not given["href"].startswith("#"):
            self.links.append(given["href"])
        elif tag == "img":
            self.pictures.append(given["src"])

    @property
    def all(self):
        return [*self.links, *self.pictures]


def shown(text):
    """Read the links of a description as the package index shows it."""
    page = markdown.render(text)
    assert page, "the index cannot render it"
    return Links(page)


def relative(links):
    return [each for each in links.all if not re.match(r"https?://", each)]


def test_the_wheel_from_the_sdist_is_the_wheel_from_the_tree():
    other = only("sdist", "*.whl")
    with ZipFile(WHEEL) as ours, ZipFile(other) as theirs:
        assert {each.filename: each.CRC for each in ours.infolist()} == {
            each.filename: each.CRC for each in theirs.infolist()
        }
    assert WHEEL.name == other.name
    assert WHEEL.read_bytes() == other.read_bytes()


def test_the_wheel_is_small():
    with ZipFile(WHEEL) as wheel:
        big = {e.filename: e.file_size for e in wheel.infolist() if e.file_size > FILE_BYTES}
        unpacked = sum(each.file_size for each in wheel.infolist())
    assert not big
    assert WHEEL.stat().st_size < WHEEL_BYTES, f"{unpacked:,} bytes unpacked"


def test_the_wheel_has_the_two_packages_and_nothing_else():
    with ZipFile(WHEEL) as wheel:
        tops = {PurePosixPath(name).parts[0] for name in wheel.namelist()}
    (information,) = (each for each in tops if each.endswith(".dist-info"))
    assert tops == {"ancestry_obs", "ancestry_core", information}


def test_the_sdist_has_every_tracked_file():
    if not (REPOSITORY / ".git").exists():
        pytest.skip("this is no clone, so that nobody can tell which files are tracked")
    asked = ["git", "ls-files", "-z", "--cached"]
    done = subprocess.run(asked, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    tracked = {name for name in done.stdout.split("\0") if (REPOSITORY / name).is_file()}
    with tarfile.open(only("sdist", "*.tar.gz")) as sdist:
        packed = {each.name.partition("/")[2] for each in sdist if each.isfile()}
    assert tracked - packed == set()


def test_every_link_of_the_readme_is_absolute_where_the_index_shows_it():
    before = shown((REPOSITORY / "README.md").read_text("utf-8"))
    after = shown(metadata().get_payload(decode=True).decode())
    assert relative(before), "the README in the repository has links that work in a clone"
    assert relative(after) == []
    assert len(after.links) == len(before.links)
    assert len(after.pictures) == len(before.pictures)
    assert all(each.startswith("https://raw.githubusercontent.com/") for each in after.pictures)
    for was, became in zip(before.all, after.all, strict=True):
        if was in relative(before):
            assert PLACES.match(became)[1] == was.partition("#")[0]
        else:
            assert became == was


def test_a_link_that_stays_relative_is_found():
    page = shown(
        "[a](docs/a.md) ![b](docs/b.svg) [c](#c) [d](https://example.org/) [e]\n\n[e]: e.md"
    )
    assert relative(page) == ["docs/a.md", "e.md", "docs/b.svg"]


def test_the_project_s_addresses_lead_to_what_is_there():
    addresses = dict(each.split(", ") for each in metadata().get_all("Project-URL"))
    assert set(addresses) == {"Homepage", "Documentation", "Source", "Issues", "Changelog"}
    for label, address in addresses.items():
        assert address.startswith(HOME), label
        if place := PLACES.match(address):
            assert (REPOSITORY / place[1]).exists(), label


def test_the_classifiers_name_the_pythons_that_ci_runs():
    told = metadata()
    prefix = "Programming Language :: Python :: "
    classifiers = [each.removeprefix(prefix) for each in told.get_all("Classifier")]
    named = tuple(each for each in classifiers if re.fullmatch(r"3\.\d+", each))
    assert named == _pythons()
    assert told["Requires-Python"] == f">={named[0]}"
    # The licence is an expression (PEP 639); a classifier beside it is refused by the index.
    assert told["License-Expression"] == "MIT"
    assert not [each for each in classifiers if each.startswith("License ::")]


def _pythons():
    tree = ast.parse((REPOSITORY / "noxfile.py").read_text("utf-8"))
    return next(
        ast.literal_eval(each.value)
        for each in tree.body
        if isinstance(each, ast.Assign) and each.targets[0].id == "PYTHONS"
    )


def test_a_fresh_environment_installs_it_and_runs_its_commands(tmp_path):
    venv.create(tmp_path, with_pip=True)
    programs = tmp_path / "bin"

    def run(*command):
        environment = {name: os.environ[name] for name in os.environ if name != "PYTHONPATH"}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    # From the wheel alone: the base install has no dependency.
    run(programs / "python", "-m", "pip", "install", "--quiet", "--no-index", WHEEL)
    assert run(programs / "ancestry-obs", "--version").strip() == metadata()["Version"]
    assert (programs / "ancestry").exists()
