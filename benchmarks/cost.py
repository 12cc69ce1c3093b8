"""What `ancestry-obs cost` says, beside the slowdown that it measures: do the two agree?

    python benchmarks/cost.py [ROUNDS]

Each program does one kind of work in the calls that are measured, since what measuring a call takes
depends on what runs between two calls. The figures are of processor time; the noise is that of the
pairs of runs, without the map and with it, in turn.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROUNDS: Final = 5
MAP: Final = """\
version = 1
[metrics.works_total]
type = "counter"
help = "Calls."
labels.name = { max_values = 10 }
[metrics.work_seconds]
type = "histogram"
help = "How long they take."
buckets = [0.01, 0.1]
[[instrument]]
target = "program:{target}"
record = [{ metric = "works_total", labels = { name = "name" } }, { metric = "work_seconds" }]
"""
MAIN: Final = """

if __name__ == "__main__":
    for number in range({calls}):
        work(number, "name")
"""
PROGRAMS: Final = {
    "nothing": (
        500_000,
        """
def work(number, name):
    return number
""",
    ),
    "a loop": (
        400_000,
        """
def work(number, name):
    total = 0
    for each in range(20):
        total += each
    return total
""",
    ),
    "JSON": (
        100_000,
        """
import json

def work(number, name):
    return json.dumps({"number": number, "names": [name, name], "inner": {"a": 1.5}})
""",
    ),
    "new labels": (
        50_000,
        """
def measured(number, name):
    return number

def work(number, name):
    return measured(number, f"{name} {number}")
""",
    ),
}


def main() -> None:
    """Print a line for each program."""
    rounds = sys.argv[1] if len(sys.argv) > 1 else str(ROUNDS)
    print(f"{'in a call':10}{'without':>10}{'ns/call':>9}{'sum':>9}{'slowdown':>10}  noise")
    for name, (calls, text) in PROGRAMS.items():
        with tempfile.TemporaryDirectory() as folder:
            program, obs = Path(folder, "program.py"), Path(folder, "obs.toml")
            program.write_text(text + MAIN.format(calls=calls))
            target = "measured" if "def measured" in text else "work"
            obs.write_text(MAP.replace("{target}", target))
            words = ("cost", "--json", "--rounds", rounds, str(obs), "--", str(program))
            done = subprocess.run(  # noqa: S603  it is ours
                [sys.executable, "-m", "ancestry_obs", *words], capture_output=True, check=True
            )
        told = json.loads(done.stdout)
        measured = told["processor_seconds"]
        without = measured["without"]
        low, high = (f"{each / without:.1%}" for each in measured["noise"])
        price = told["targets"][0]["nanoseconds_per_call"]
        print(
            f"{name:10}{without:>8.2f} s{price:>9.0f}{told['sum_share']:>9.1%}"
            f"{measured['share']:>10.1%}  {low} to {high}: {told['agreement']}",
            flush=True,
        )


if __name__ == "__main__":
    main()
