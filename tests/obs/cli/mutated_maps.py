"""Checks mutated maps, for test_mutated_maps.py, which starts this as a program.

    python mutated_maps.py COUNT SEED FOLDER

The maps are those of the documents and of the platform, with the programs beside them that the
documents show. A map is changed as a text, word by word, or as the structure that it stands for.
What comes out, as JSON, is how often `ancestry-obs check` ended with which code, the slowest map's
seconds of processor time, and every map that did not end well.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import os
import random
import re
import sys
import time
import tomllib
import traceback
import warnings
from pathlib import Path

from ancestry_obs.cli import main as command

REPOSITORY = Path(__file__).parents[3]
BLOCK = re.compile(r"^```(?:toml|python) (\S+\.(?:toml|py))\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# The map, or a file that it includes.
PLACE = re.compile(r"(?:pack:)?[\w./-]+:(?:\d+:| )")
LONGEST_LINE = 1500
UNTOLD = "cannot be told from the source; use --import"
FRAGMENTS = [
    *("[", "]", "[[", "]]", "{", "}", '"', "'", '"""', "'''", "=", ".", ",", "#", "\n", "\t", "\\"),
    *("\\u0000", "\\ud800", "\0", "\x7f", "\u2028", "é", "\N{GRINNING FACE}", "\ufeff", "__", "*"),
    *("**", ":", "::", ".*", "a:b", "-1", "0", "1e400", "-inf", "nan", "0x10", "1_000", "10" * 200),
    *("9" * 5000, "0x" + "f" * 5000, "0b" + "1" * 20_000),
    *("true", "false", "1979-05-27", "07:32:00", "1979-05-27T07:32:00Z", "[]", "{}", '""', "''"),
    *("[" * 3000, "{a=" * 400, "a." * 3000, "(" * 300, "-" * 3000, "x" * 100_000, "[1]," * 2000),
    *("version", "metrics", "instrument", "record", "labels", "target", "buckets", "max_values"),
    *(
        "self",
        "result",
        "error",
        "elapsed",
        "endpoint(url)",
        "text(",
        "type_name(self)",
        "lambda:1",
    ),
    *("histogram", "in_flight", "ratio", "exit", "raise", "when", "hit", "value", "subclasses"),
    *("exemplar", "trace_id()", "span_id()", "exemplar = {}", "exemplar.trace_id = 'trace_id()'"),
    *("first", "item", "items", "each", "item.size", "result.items", "each = 'result'"),
    *("shop:*", "shop:Cart.*", "*:*", "shop.*:*", "math:sqrt", "builtins:int.bit_length", "os:*"),
    *("include", "name", "pack", "pack:click", "common.toml", "mutated.toml", "../", "versions"),
    *("defaults", "context.customer", "tenant"),
    *("entry", "context", "tell", "outermost", "told.status", "entry.size", "target.name"),
    *("context.tenant", "told.__x", "entry", "target.", "told", "context . tenant"),
    *("<locals>", "shop:main.<locals>.x", "shop:Cart", "exporter.start", "definition", "object"),
]
VALUES = [
    *(None, True, False, 0, 1, -1, 2**63, 10**400, 1.5, -0.0, 1e308, float("inf"), float("nan")),
    *("", " ", "x", "x" * 100_000, "é", "\0", "a\nb", "self", "shop:*", "*:*", "shop:Cart.add"),
    *([], [1], ["GET", "GET"], [[]], [{}], [1, 0], [-1, 0, 1], list(range(3000)), ["a"] * 3000),
    *({"size": "self"}, {"class": "1"}, {"size": "told.size"}, {"size": "entry.size"}),
    *({"trace_id": "trace_id()"}, {"trace_id": "span_id(1)"}, {"a-b": "url"}),
    *("told.size", "context.class", "target.other", "entry.size is None"),
    *({}, {"a": 1}, {"max_values": 0}, {"max_values": 10**9}, {"target": "shop:main"}, {"": {}}),
    *(
        "'a' * 9",
        "result.__class__",
        "f'{x}'",
        "a +",
        "1 if",
        "(" * 300,
        "-" * 400 + "1",
        "a.b" * 90,
    ),
    *("result.gi_frame", "text(text(text(url)))", "url[::0]", "1 / 0", "9" * 400, "'\\ud800'"),
]


def sources():
    """Give the maps to begin with, and write the programs that they name into the folder."""
    maps = []
    for page in (REPOSITORY / "docs/map.md", REPOSITORY / "README.md"):
        for name, text in BLOCK.findall(page.read_text("utf-8")):
            if name.endswith(".py"):
                with Path(name).open("a", encoding="utf-8") as file:
                    file.write(text)
            else:
                # For those that include it.
                Path(name).write_text(text, "utf-8")
                maps.append(text)
    maps.append((REPOSITORY / "src/ancestry_obs/maps/ancestry.toml").read_text("utf-8"))
    packs = sorted((REPOSITORY / "src/ancestry_obs/maps/packs").glob("*.toml"))
    packs = [each for each in packs if not each.stem.endswith(".monitoring")]
    maps += [each.read_text("utf-8") for each in packs]
    maps.append((REPOSITORY / "tests/obs/mapfile/mistakes.toml").read_text("utf-8"))
    return maps


def mutated_words(text, chance):
    """Exchange a few words: most of what comes out means something, and is woven."""
    for _ in range(chance.choice((1, 1, 2))):
        words = list(re.finditer(r"[\w.:*-]+", text))
        if words:
            word, other = chance.choice(words), chance.choice(words)
            text = text[: word.start()] + other[0] + text[word.end() :]
    return text


def mutated_text(text, chance):
    """Change a text in a few places."""
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        at = chance.randrange(len(text) + 1)
        until = min(len(text), at + chance.choice((0, 1, 1, 2, 5, 20, 200)))
        other = chance.randrange(len(text) + 1)
        text = chance.choice(
            (
                text[:at] + text[until:],
                text[:at] + chance.choice(FRAGMENTS) + text[until:],
                text[:at] + chance.choice(FRAGMENTS) + text[at:],
                text[:at] + text[other : other + 40] + text[at:],
                text[:at] + text[at:until] * 3 + text[until:],
                text[:at] + chr(chance.choice((0, 9, 34, 92, 127, 0x2028, 0x10FFFF))) + text[at:],
            )
        )
    return text


def mutated_structure(text, chance):
    """Change values and keys of what a text stands for."""
    data = tomllib.loads(text)
    for _ in range(chance.choice((1, 1, 2, 4))):
        places = list(_places(data))
        owner, key = chance.choice(places)
        alike = [at[name] for at, name in places if type(at[name]) is type(owner[key])]
        value = chance.choice(chance.choice((VALUES, alike, [chance.choice(places)[1]])))
        value = copy.deepcopy(value)  # which may hold the very place that it is put into
        match chance.randrange(5):
            case 0:
                del owner[key]
            case 1 if isinstance(owner, list):
                owner.extend([owner[key]] * chance.choice((1, 2, 50)))
            case 1:
                owner[chance.choice((*FRAGMENTS, f"{key}x", str(key)[:-1]))] = owner[key]
            case 2 if isinstance(owner[key], str):
                owner[key] = mutated_text(owner[key], chance)
            case 3:
                owner[key] = [owner[key]]
            case _:
                owner[key] = value
        if not data:
            break
    return _toml(data, is_top=True)


def _places(node):
    """Give every place of a structure: what holds it, and where there."""
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in items:
        yield node, key
        if isinstance(value, (dict, list)):
            yield from _places(value)


def _toml(value, *, is_top=False):
    """Write a structure as TOML, each table in one line."""
    match value:
        case dict():
            lines = [f"{_text(str(key))} = {_toml(each)}" for key, each in value.items()]
            return "\n".join(lines) if is_top else "{" + ", ".join(lines) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_toml, value)) + "]"
        case bool():
            return str(value).lower()
        case str():
            return _text(value)
        case None:
            return '"none"'
        case _:
            return repr(value)


def _text(text):
    return json.dumps(text.encode("utf-8", "replace").decode()).replace("\x7f", "\\u007f")


def check(text):
    """Check a map; give the exit code, what is wrong with the answer, and the seconds."""
    Path("mutated.toml").write_text(text, "utf-8", "surrogatepass")
    said, told = io.StringIO(), io.StringIO()
    began = time.process_time()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(told):
            code = command(["check", "mutated.toml"])
    except BaseException:
        return None, traceback.format_exc(), time.process_time() - began
    return code, _fault(code, said.getvalue(), told.getvalue()), time.process_time() - began


def _count(number, noun):
    return f"{number:,} {noun}{'s' * (number > 1)}" if number else ""


def _fault(code, said, told):
    """Say what is wrong with an answer; a clear one is told by its last line, and its places."""
    lines = said.splitlines()
    if "Traceback (most recent" in said + told:
        return f"a traceback: {said}{told}"
    if any(len(line) > LONGEST_LINE for line in (*lines, *told.splitlines())):
        return f"a line that nobody reads: {said[:2000]}{told[:2000]}"
    match code:
        case 0 | 1:
            found = [line for line in lines[:-1] if not line.startswith("note: ")]
            untold = [line for line in found if f": {UNTOLD} (" in line]
            parts = [_count(len(found) - len(untold), "finding"), _count(len(untold), "target")]
            parts[1] += f" {UNTOLD}" * bool(untold)
            summary = ", ".join(filter(None, parts)) or "fine"
            is_right = lines[-1] == f"mutated.toml: {summary}"
            is_right = is_right and all(PLACE.match(line) for line in found)
            is_right = is_right and code == (len(found) > len(untold))
        case 2:
            is_right = told.startswith("ancestry-obs: mutated.toml") and not said
            is_right = is_right and told.count("\n") == 1
        case _:
            is_right = False
    return "" if is_right else f"code {code} with the answer {said!r} {told!r}"


def main(count, seed, folder):
    os.chdir(folder)
    maps = sources()
    codes, faults, slowest = {}, [], (0.0, "")
    for number in range(count):
        chance = random.Random(f"{seed} {number}")
        mutate = chance.choice((mutated_text, mutated_structure, mutated_words))
        text = mutate(chance.choice(maps), chance)
        code, fault, seconds = check(text)
        codes[str(code)] = codes.get(str(code), 0) + 1
        if fault:
            faults.append({"number": number, "fault": fault[-3000:], "map": text[:3000]})
        slowest = max(slowest, (seconds, f"{number}: {text[:3000]}"))
    return {"codes": codes, "faults": faults, "seconds": slowest[0], "slowest": slowest[1]}


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # what modules that are named warn of at their import
    answer = main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()
    os._exit(0)
