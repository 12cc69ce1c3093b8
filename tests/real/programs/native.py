"""Observes numbers as its input says, and installs a map of its own in which they are native."""

import random
import sys
from pathlib import Path

import ancestry_obs

MAP = Path(__file__).with_suffix(".toml")
DISTRIBUTIONS = {
    "uniform": lambda chance: chance.uniform(0.01, 2),
    "lognormal": lambda chance: chance.lognormvariate(-3, 1.5),
    "two_peaks": lambda chance: chance.gauss(*chance.choice([(0.01, 0.001), (1, 0.05)])),
    "pareto": lambda chance: 0.001 * chance.paretovariate(1.1),
    "narrow": lambda chance: chance.uniform(0.1, 0.11),
    "negative": lambda chance: chance.gauss(0, 10),
}


def values(kind, number, seed):
    """Give numbers of a distribution, each time the same."""
    chance = random.Random(seed)
    return [DISTRIBUTIONS[kind](chance) for _ in range(number)]


MORE = {
    "version": 1,
    "namespace": "app",
    "include": [str(MAP)],
    "metrics": {"more_total": {"type": "counter", "help": "New."}},
}


def say(text):
    sys.stdout.write(text)
    sys.stdout.flush()


def main():
    settings = ancestry_obs.ObservabilitySettings(
        enable_prometheus_metrics=True, metrics_export_port=int(sys.argv[1])
    )
    ancestry_obs.install(MAP, settings=settings)
    say(f"{ancestry_obs.start_exporter().url}\n")
    for line in sys.stdin:
        match line.split():
            case ["reload"]:
                ancestry_obs.reload(MORE)
            case [metric, kind, number, seed, *label]:
                observe = getattr(ancestry_obs.metrics(), metric).observe
                for value in values(kind, int(number), int(seed)):
                    observe(*(label or [kind]), value)
        say(f"done {line}")


if __name__ == "__main__":
    main()
