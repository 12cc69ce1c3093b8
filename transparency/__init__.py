"""Show that a woven program cannot tell: foreign test suites, run plain and woven, by test id.

    python -m transparency --sources FOLDER [--nightly] [PACKAGE ...]

`nox -s transparency` fetches what this needs. The path of the data:

    packages.toml   packages   which packages, at which version, and what of their suites is run
    a test run      suites     one suite in one variant, in a process of its own
                    plugins/   inside that process: weaves first, keeps every test's outcome
    a judgement     verdict    what differs, less what allowed.toml gives a reason for
    a table         __main__   one line for each package, then everything that is wrong
"""
